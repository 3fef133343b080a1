# Rust for other platforms, from Debian's packages: a compiler, clippy, and the sources of std, from
# which `-Zbuild-std` builds std for a target that has no package. Sourced after lib.sh.
#
# Everything is unpacked below target/platforms and not installed, because Debian's packages of two
# versions exclude each other, and ci/msrv installs the older one.
# shellcheck shell=bash

cross=$PWD/target/platforms
cross_rust=$cross/rust/usr

# Downloads the newest packages that apt offers and unpacks them: unpack DIRECTORY PACKAGE...
unpack() {
  local into=$1
  shift
  local downloads
  downloads=$(mktemp -d)
  (cd "$downloads" && apt-get download -qq -o APT::Sandbox::User=root "$@") || fail "apt-get cannot download $*"
  mkdir -p "$into"
  local package
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$into"; done
  rm -r "$downloads"
}

# The same for another processor: unpack_for ARCHITECTURE DIRECTORY PACKAGE...
unpack_for() {
  apt_for "$1"
  shift
  APT_CONFIG=$apt_configuration unpack "$@"
}

# The same with everything that the packages depend on: unpack_all_for ARCHITECTURE DIRECTORY PACKAGE...
unpack_all_for() {
  apt_for "$1"
  local into=$2 downloads package
  shift 2
  downloads=$(mktemp -d)
  mkdir "$downloads/partial"
  APT_CONFIG=$apt_configuration apt-get install -qq -y --download-only -o Dir::Cache::archives="$downloads" \
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false "$@" >/dev/null || fail "apt-get cannot download $*"
  mkdir -p "$into"
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$into"; done
  rm -r "$downloads"
}

# Names in $apt_configuration the settings with which apt knows the packages for a processor, and no
# installed ones: apt_for ARCHITECTURE
apt_for() {
  local architecture=$1 lists=$cross/apt-$1
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
  touch "$lists/status"
  cat >"$lists/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
Dir::State::lists "$lists/lists";
Dir::Cache "$lists/cache";
Dir::State::status "$lists/status";
CONF
  if [ -z "$(find "$lists/lists" -name '*_Packages*' -print -quit)" ]; then
    APT_CONFIG=$lists/apt.conf apt-get update -qq || fail "apt-get has no packages for $architecture"
  fi
  apt_configuration=$lists/apt.conf
}

# Installs the compiler, unless it is there.
need_cross_rust() {
  if [ -x "$cross_rust/bin/rustc" ]; then return; fi
  step 'Rust with the sources of std'
  make_target
  command -v apt-get >/dev/null || fail "needs Debian's packages"
  as_root apt-get update -qq
  local std
  std=$(apt-cache depends rustc-web libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | sort -u | tail -n 1)
  local llvm
  llvm=$(apt-cache depends "$std" | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p')
  unpack "$cross/rust.new" rustc-web rust-web-clippy rust-web-src libstd-rust-web-dev "$std" "$llvm"
  mv "$cross/rust.new" "$cross/rust"
}

# Installs std for a target that has Debian packages: need_cross_std ARCHITECTURE TARGET
need_cross_std() {
  need_cross_rust
  local target=$cross_rust/lib/rustlib/$2
  if [ -d "$target" ]; then return; fi
  step "std for $2"
  unpack_for "$1" "$cross/std-$1" libstd-rust-web-dev
  mv "$cross/std-$1/usr/lib/rustlib/$2" "$target"
  rm -r "$cross/std-$1"
}

# Runs cargo for a target: cross_cargo TARGET SUBCOMMAND [ARGUMENT]...
#
# Std is built from its sources unless it was unpacked for the target.
cross_cargo() {
  local target=$1 subcommand=$2
  shift 2
  local std=()
  if [ ! -d "$cross_rust/lib/rustlib/$target" ]; then std=(-Zbuild-std=std,panic_unwind,proc_macro,test); fi
  local libraries
  libraries=$(dirname "$(find "$cross_rust/lib" -name 'librustc_driver-*.so' -print -quit)")
  local cargo=(cargo "$subcommand")
  # Clippy of this compiler; rustup's belongs to another one.
  if [ "$subcommand" = clippy ]; then cargo=("$cross_rust/bin/cargo-clippy" clippy); fi
  CARGO=$(command -v cargo) RUSTC=$cross_rust/bin/rustc RUSTC_BOOTSTRAP=1 SYSROOT=$cross_rust \
    LD_LIBRARY_PATH=$libraries CARGO_TARGET_DIR=$cross/build CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
    "${cargo[@]}" --locked --target "$target" "${std[@]}" "$@"
}
