# shellcheck shell=bash
# Sourced by `test` and `lint`: where cargo has unpacked the tests that the crate tower-sessions ships.

manifest=$(cargo metadata --locked --format-version 1 --manifest-path "$ROOT/Cargo.toml" |
    grep -oE '"[^"]*/tower-sessions-[0-9][^/"]*/Cargo.toml"' | tr -d '"')
export TOWER_SESSIONS_TESTS=${manifest%/Cargo.toml}/tests/common/mod.rs
[ -f "$TOWER_SESSIONS_TESTS" ] || die "the crate tower-sessions has no tests/common/mod.rs"
