# Makes a folder whose path has no space and that leads to a cache whose path has one: sourced by `pants` for these alone.
# Pex names the real path of its environments in the first line of scripts, so those have to lie in this folder; all else
# stays where the cache is.

make_plain_path() {
  local environments=$CACHE/pants/named_caches/pex_root
  mkdir -p "$CACHE/rapidbyte" "$CACHE/pants/named_caches"
  mkdir -p -m 700 "$PLAIN"
  mkdir -p "$PLAIN/pex_root"
  ln -sfn "$CACHE/rapidbyte" "$PLAIN/cache"
  [[ -L $environments ]] || rm -rf "$environments"
  ln -sfn "$PLAIN/pex_root" "$environments"
}
