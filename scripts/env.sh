# shellcheck shell=bash
# Sourced by every script: where things are and which PostgreSQL is used.
#   PG=14..18       major version of the private server under target/ (default 17)
#   PG_CONFIG=path  use an installed server instead

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG=${PG:-17}
# Exported below, so a script that another one calls finds it set.
private=$ROOT/target/postgres/$PG/bin/pg_config
PG_CONFIG=${PG_CONFIG:-$private}
if [ "$PG_CONFIG" != "$private" ] && [ -x "$PG_CONFIG" ]; then
    PG=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
fi
BUILD_PROFILE=${BUILD_PROFILE:-dev}
# Debian's Rust comes first where scripts/setup has taken that.
RUST=$ROOT/target/rust
PATH=$RUST:$ROOT/target/tools/bin:$HOME/.cargo/bin:${PATH//"$RUST:"/}
CARGO_TARGET_DIR=$ROOT/target
export ROOT PG PG_CONFIG BUILD_PROFILE RUST PATH CARGO_TARGET_DIR
# Where the bindings' build script finds the server's headers. Only the compiler reads what it writes,
# so it need not be formatted, and rustfmt need not be there.
export PGRX_PG_CONFIG_PATH=$PG_CONFIG RUSTFMT=true
# A Rust backtrace in the server's environment would end up in every error's DETAIL.
unset RUST_BACKTRACE

die() {
    echo "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

extension_version() { cargo pkgid --manifest-path "$ROOT/Cargo.toml" --package sso_attr | sed 's/.*[#@]//'; }

# Where the extension's files go: below DESTDIR, if that is set.
library_dir() { echo "${DESTDIR:-}$("$PG_CONFIG" --pkglibdir)"; }
extension_dir() { echo "${DESTDIR:-}$("$PG_CONFIG" --sharedir)/extension"; }

# Whether they can be put there without root.
can_install() { [ -n "${DESTDIR:-}" ] || { [ -w "$(library_dir)" ] && [ -w "$(extension_dir)" ]; }; }

# Files that a package has put there are its own to replace and to remove.
check_not_packaged() {
    local package
    package=$(dpkg-query --search "$(library_dir)/sso_attr.so" 2>/dev/null) || return 0
    die "this server has the extension from a package, which dpkg --remove ${package%%:*} removes"
}

# Installs a given version of a cargo subcommand under target/, not optimised.
install_cargo_tool() {
    echo "installing $1 $2 (some minutes)"
    CARGO_TARGET_DIR=$ROOT/target/$1 cargo install --quiet --locked --debug --force \
        --root "$ROOT/target/tools" "$1" --version "=$2"
    rm -rf "$ROOT/target/$1"
}
