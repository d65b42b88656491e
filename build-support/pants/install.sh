# Installs Pants in an environment of its own: sourced by `pants` when the stamp of the installation is missing.
# The one tool Pants would download from elsewhere, the Pex command, is built here from the package index. Pex writes
# the same bytes wherever it runs, so its hash is pinned as every other.

readonly PEX_VERSION=2.20.3
readonly PEX_SHA256=4f4c38ed65c2fb174105278a9e70b5f857e2578a6e8f1663c4e19924317a2b89
readonly PEX_SIZE=4191193

# Version managers leave shims for interpreters that are not there, and distributions split off venv: so run it.
runs_pants() {
  "$1" -c 'import sys, venv, ensurepip
sys.exit(not ((3, 7) <= sys.version_info[:2] <= (3, 9) and sys.implementation.name == "cpython"))' >/dev/null 2>&1
}

# Print the first interpreter that can run Pants.
find_python() {
  local version candidate home=${HOME:-/nonexistent}
  for version in 3.9 3.8 3.7; do
    for candidate in \
      "$(command -v "python$version" || true)" \
      "${PYENV_ROOT:-$home/.pyenv}/versions/$version".*/bin/python \
      "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$home/.local/share}/uv/python}/cpython-$version".*/bin/"python$version" \
      "${XDG_DATA_HOME:-$home/.local/share}/mise/installs/python/$version"*/bin/python \
      "/opt/homebrew/bin/python$version" "/usr/local/bin/python$version" "/usr/bin/python$version"; do
      if [[ -x $candidate ]] && runs_pants "$candidate"; then
        printf '%s\n' "$candidate"
        return
      fi
    done
  done
}

install_pants() {
  # Another launch may have finished it while this one waited for the lock.
  [[ ! -f $INSTALLED/environment || ! -x $INSTALLED/venv/bin/python ]] || return 0
  local python=${RAPIDBYTE_PANTS_PYTHON:-}
  if [[ -n $python ]]; then
    runs_pants "$python" || die "RAPIDBYTE_PANTS_PYTHON=$python is not a CPython 3.9, 3.8 or 3.7 with venv." \
      "Point it at one, or unset it to have one searched for."
  else
    python=$(find_python)
    [[ -n $python ]] || die "Pants runs on CPython 3.9 (3.8 and 3.7 also work), and none was found." \
      "Install one (\`pyenv install 3.9\` or \`uv python install 3.9\`), or set RAPIDBYTE_PANTS_PYTHON to its path."
  fi
  say "installing Pants with $python (once)"
  # An environment holds absolute paths, so it is made in place; the file that marks it as whole comes last.
  rm -rf "$INSTALLED"
  mkdir -p "$INSTALLED"
  "$python" -m venv "$INSTALLED/venv" || die "$python could not make a virtual environment. Install its venv module."
  "$INSTALLED/venv/bin/python" -m pip --disable-pip-version-check install --quiet --no-deps --only-binary :all: \
    --require-hashes --requirement "$LOCK" || die "Pants could not be installed: see pip's message above, and try again."
  build_pex
  cp "$INSTALLED"/venv/lib/python3.*/site-packages/pants/bin/native_client "$INSTALLED/client"
  chmod +x "$INSTALLED/client"
  describe_pex >"$INSTALLED/environment.new"
  mv "$INSTALLED/environment.new" "$INSTALLED/environment"
}

build_pex() {
  # By `python -m`: the scripts of an environment do not start where its path has a space. The command has to keep the
  # PEX_ROOT that Pants gives it, or it would fill a cache of its own in the user's home.
  PEX_IGNORE_RCFILES=1 "$INSTALLED/venv/bin/python" -m pex "pex==$PEX_VERSION" --console-script pex \
    --output-file "$INSTALLED/pex" --disable-cache --no-compile --no-strip-pex-env \
    --python-shebang '/usr/bin/env python' ||
    die "the Pex command could not be built: see its message above, and try again."
  "$INSTALLED/venv/bin/python" - "$INSTALLED/pex" $PEX_SHA256 <<'PYTHON' ||
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    sys.exit(hashlib.sha256(file.read()).hexdigest() != sys.argv[2])
PYTHON
    die "the Pex command that was built is not the pinned one (sha256 $PEX_SHA256)." \
      "The package index may serve another pex $PEX_VERSION: check it, then try again."
}

# Print what Pants needs in its environment to take the Pex command from the installation.
describe_pex() {
  local platform known=
  for platform in linux_x86_64 linux_arm64 macos_x86_64 macos_arm64; do
    known="$known${known:+, }\"v$PEX_VERSION|$platform|$PEX_SHA256|$PEX_SIZE\""
  done
  printf 'export PANTS_PEX_CLI_VERSION=v%s\n' "$PEX_VERSION"
  printf 'export PANTS_PEX_CLI_KNOWN_VERSIONS=%q\n' "[$known]"
  printf 'export PANTS_PEX_CLI_URL_TEMPLATE=%q\n' "file://$INSTALLED/pex"
}
