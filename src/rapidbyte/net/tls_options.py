"""What a connector asks of TLS, and the settings of Python's `ssl` that give it.

The verifications are those of libpq's sslmode: `none` for prefer and require, `ca` for verify-ca, `full` for
verify-full. Files are given by their paths; root certificates may also be given as PEM text.
"""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rapidbyte.errors import ConfigError, ErrorInfo

SYSTEM_ROOTS = "system"
_PEM = "-----BEGIN"


class Verification(Enum):
    """How much a server's certificate must prove."""

    NONE = "none"
    CA = "ca"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """`server_name` is the host as the pipeline names it. `roots` None, or `system`, trusts what the system trusts."""

    server_name: str
    verification: Verification
    roots: str | None = None
    certificate: str | None = None
    key: str | None = None

    def files(self) -> tuple[str, ...]:
        """Return the paths that these options name."""
        named = (self.roots, self.certificate, self.key)
        return tuple(path for path in named if path and path != SYSTEM_ROOTS and not path.startswith(_PEM))


def context_of(options: TlsOptions) -> ssl.SSLContext:
    """Return a context with these settings. Raises ConfigError with code `tls_files` for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = options.verification is Verification.FULL
    context.verify_mode = ssl.CERT_NONE if options.verification is Verification.NONE else ssl.CERT_REQUIRED
    if options.verification is not Verification.NONE:
        _load_roots(context, options.roots)
    if options.certificate or options.key:
        _load_identity(context, options)
    return context


def _load_roots(context: ssl.SSLContext, roots: str | None) -> None:
    if roots is None or roots == SYSTEM_ROOTS:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    try:
        if roots.startswith(_PEM):
            context.load_verify_locations(cadata=roots)
        else:
            context.load_verify_locations(cafile=os.path.expanduser(roots))
    except (OSError, ssl.SSLError, ValueError) as error:
        shown = "the text of sslrootcert" if roots.startswith(_PEM) else roots
        raise _unusable(f"The root certificates in {shown}", error, "Give sslrootcert a file in PEM format") from error


def _load_identity(context: ssl.SSLContext, options: TlsOptions) -> None:
    if not options.certificate or not options.key:
        missing = "sslkey" if options.certificate else "sslcert"
        raise ConfigError(
            f"A client certificate needs both sslcert and sslkey; {missing} is missing.", ErrorInfo("tls_files")
        )
    certificate, key = (Path(path).expanduser() for path in (options.certificate, options.key))
    try:
        if key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and key.stat().st_uid == os.getuid():
            raise ConfigError(
                f"The private key {key} can be read by others. Run: chmod 600 {key}", ErrorInfo("tls_files")
            )
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        what = f"The client certificate {certificate} with the key {key}"
        raise _unusable(
            what, error, "Give sslcert and sslkey files in PEM format, the key without a password"
        ) from error


def _no_password() -> str:
    """Stand in for the question that OpenSSL would ask on the terminal."""
    return ""


def _unusable(what: str, error: Exception, remedy: str) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigError(f"{what} cannot be used: {reason}. {remedy}.", ErrorInfo("tls_files"))
