#!/bin/sh
# `regatta run` by the name that plans of experiments give it: builds this checkout if need be, then
# becomes Regatta. Arguments, directory, exit code and signals are the caller's.
#
#   bash scripts/run_cooperbench.sh --dry-run --setting solo
set -eu

checkout=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")

# Built from within the checkout, whose toolchain it needs. Cargo says where the program is: its target
# directory may be elsewhere.
built=$(
    PATH="$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin"
    if ! command -v cargo >/dev/null; then
        echo "error: cannot build Regatta in $checkout: there is no cargo" >&2
        echo "hint: https://rustup.rs installs it; where Regatta is installed, \`regatta run\` is the same" >&2
        exit 1
    fi
    # The first build takes minutes, and shows its progress.
    quiet=--quiet
    test -e "$checkout/target/debug/regatta" || quiet=
    cd -- "$checkout" &&
        cargo build $quiet --locked --bin regatta --message-format=json-render-diagnostics
) || exit 3
program=$(printf '%s\n' "$built" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
exec "$program" run "$@"
