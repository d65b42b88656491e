"""Network access of connectors: what they may reach, how a connection is made, and sockets behind handles."""

from rapidbyte.net.acl import HostRules
from rapidbyte.net.interrupt import Interrupt, InterruptReason
from rapidbyte.net.sockets import Interest, SocketTable
from rapidbyte.net.tls_options import TlsOptions, Verification

__all__ = ["HostRules", "Interest", "Interrupt", "InterruptReason", "SocketTable", "TlsOptions", "Verification"]
