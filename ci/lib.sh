# Shared parts of the scripts in this folder. A script begins with
#
#   source "$(dirname "$0")/lib.sh"
#
# runs in the root of the workspace, and exits when a command fails.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints a heading.
step() { printf '\n== %s\n' "$*"; }

# Prints a message to standard error and ends the script.
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints a row of the table of results: result PLATFORM COMMAND PASSED FAILED
result() { printf 'result: | %s | %s | `%s` | %s | %s |\n' "$1" "$(date +%F)" "$2" "$3" "$4"; }

# Runs a command as root.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs Debian packages.
apt_install() {
  command -v apt-get >/dev/null || fail "$* is needed, and there is no apt-get to install it"
  as_root apt-get update -qq
  as_root apt-get install -qq -y "$@"
}

# Creates target/ with the tag by which tests recognize it. Cargo writes the tag only into a folder
# that it creates itself, so call this before anything else creates a folder in there.
make_target() {
  mkdir -p target
  if [ ! -e target/CACHEDIR.TAG ]; then
    printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >target/CACHEDIR.TAG
  fi
}

# Prints the path of a program. If it is missing, installs it from crates.io below target/, which
# takes minutes.
#
#   cargo_program NAME [CARGO INSTALL ARGUMENT]...
cargo_program() {
  local name=$1
  shift
  if command -v "$name"; then return; fi
  local root=target/$name
  if [ ! -x "$root/bin/$name" ]; then
    make_target
    cargo install --quiet --locked "$name" "$@" --root "$root" >&2 ||
      fail "$name cannot be installed"
  fi
  printf '%s\n' "$PWD/$root/bin/$name"
}

# Creates a temporary folder, sets $folder to it, and removes it when the script ends.
make_temporary_folder() {
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
}
