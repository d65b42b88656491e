# Finds, or where it may installs, what compiles connectors: cargo, a linker and a standard library for WebAssembly; and
# what checks their code: clippy and rustfmt. Sourced by `pants` when the stamp of either is missing or names files that
# have gone. A stamp lists those files, one a line.

readonly WASM_TARGET=wasm32-wasip1
readonly RUSTUP_TIMEOUT_S=90
readonly DEBIAN_PACKAGES="rustc-web cargo-web rust-web-src rust-web-llvm lld-22 wasi-libc"
readonly LINTERS="cargo-clippy clippy-driver rustfmt"
readonly DEBIAN_LINTERS="rust-web-clippy rustfmt-web"
readonly DEBIAN_FILES="/usr/bin/cargo /usr/bin/rustc /usr/bin/cc /usr/bin/wasm-ld-22
/usr/lib/rustlib/src/rust/library/std/Cargo.toml /usr/lib/wasm32-wasi/crt1-reactor.o"

# Print the files that show a toolchain on PATH with the standard library it ships for the target, or nothing.
shipped_toolchain() {
  local cargo rustc cc sysroot
  cargo=$(command -v cargo) && rustc=$(command -v rustc) && cc=$(command -v cc) || return 0
  sysroot=$("$rustc" --print sysroot 2>/dev/null) || return 0
  if [[ -d $sysroot/lib/rustlib/$WASM_TARGET/lib ]]; then
    printf '%s\n' "$cargo" "$rustc" "$cc" "$sysroot/lib/rustlib/$WASM_TARGET/lib"
  fi
}

# Print the files of Debian's toolchain, from whose sources the standard library can be built, or nothing.
debian_toolchain() {
  local file
  for file in $DEBIAN_FILES; do
    [[ -e $file ]] || return 0
  done
  printf '%s\n' $DEBIAN_FILES
}

# Run rustup with the arguments, and give up quietly where it cannot be reached.
ask_rustup() {
  rustup "$@" </dev/null >/dev/null 2>&1 9>&- &
  local child=$! waited=0
  while kill -0 "$child" 2>/dev/null && ((waited < RUSTUP_TIMEOUT_S)); do
    sleep 1
    waited=$((waited + 1))
  done
  kill "$child" 2>/dev/null || true
  wait "$child" 2>/dev/null || true
}

add_target() {
  command -v rustup >/dev/null && command -v cc >/dev/null || return 0
  say "adding the Rust target $WASM_TARGET with rustup (once)"
  ask_rustup target add "$WASM_TARGET"
}

install_on_debian() {
  local install="apt-get install --yes --no-install-recommends $DEBIAN_PACKAGES"
  if [[ ${EUID:-0} -ne 0 ]]; then
    die "compiling connectors needs Rust with the target $WASM_TARGET. Install it with:" \
      "  sudo apt-get update && sudo $install" \
      "or, with rustup:" \
      "  rustup target add $WASM_TARGET"
  fi
  say "installing the Rust toolchain with apt-get (once)"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  $install >/dev/null 2>&1 9>&- || { apt-get update >/dev/null 9>&- && $install >/dev/null 9>&-; } ||
    die "apt-get could not install the Rust toolchain: see its message above. The command was:" "  $install"
}

provide_rust() {
  local find found=
  for find in "shipped_toolchain" "add_target" "shipped_toolchain" "debian_toolchain"; do
    found=$($find)
    [[ -z $found ]] || break
  done
  if [[ -z $found ]] && command -v apt-get >/dev/null; then
    install_on_debian
    found=$(debian_toolchain)
  fi
  [[ -n $found ]] || die "compiling connectors needs Rust, a C linker and the target $WASM_TARGET." \
    "Install Rust with rustup, then run: rustup target add $WASM_TARGET"
  printf '%s\n' "$found" >"$CACHE_ROOT/rust.new"
  mv "$CACHE_ROOT/rust.new" "$CACHE_ROOT/rust"
}

# Print the folder of the programs that the stamp's toolchain runs: what rustup puts on PATH only leads to them.
programs_folder() {
  local rustc sysroot
  { read -r _ && read -r rustc; } <"$CACHE_ROOT/rust"
  sysroot=$("$rustc" --print sysroot 2>/dev/null) || return 0
  if [[ -x $sysroot/bin/rustc ]]; then
    printf '%s\n' "$sysroot/bin"
  else
    printf '%s\n' "${rustc%/*}"
  fi
}

# Print the linters that lie in the folder, or nothing if one is missing.
linters_in() {
  local program
  for program in $LINTERS; do
    [[ -x $1/$program ]] || return 0
  done
  printf "$1/%s\n" $LINTERS
}

# Where linters cannot be had, Pants says so when it has to run one. They are looked for once: a toolchain may lack them.
provide_linters() {
  local folder found install="apt-get install --yes --no-install-recommends $DEBIAN_LINTERS"
  folder=$(programs_folder)
  found=$(linters_in "$folder")
  if [[ -z $found && $folder == */toolchains/*/bin ]] && command -v rustup >/dev/null; then
    say "adding clippy and rustfmt with rustup (once)"
    ask_rustup component add clippy rustfmt
  elif [[ -z $found && $folder == /usr/bin && ${EUID:-0} -eq 0 ]] && command -v apt-get >/dev/null; then
    say "installing clippy and rustfmt with apt-get (once)"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    $install >/dev/null 2>&1 9>&- || { apt-get update >/dev/null 9>&- && $install >/dev/null 9>&-; } || true
  fi
  [[ -n $found ]] || found=$(linters_in "$folder")
  printf '%s\n' "${found:-$folder}" >"$CACHE_ROOT/rust_linters.new"
  mv "$CACHE_ROOT/rust_linters.new" "$CACHE_ROOT/rust_linters"
}
