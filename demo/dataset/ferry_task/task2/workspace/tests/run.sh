#!/usr/bin/env bash
# Runs the checks of tests/*_test.sh.
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0

ferry() { bash ferry.sh "$@"; }

# check NAME WANTED COMMAND...: what the command prints and, unless 0, its exit code.
check() {
    local name=$1 wanted=$2 found
    shift 2
    found=$("$@" 2>&1) || found="$found (exit $?)"
    if [ "$found" = "$wanted" ]; then
        passed=$((passed + 1))
        echo "ok: $name"
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\nwanted: %s\nfound: %s\n' "$name" "$wanted" "$found"
    fi
}

for file in tests/*_test.sh; do . "$file"; done

[ "$failed" -eq 0 ] || printf '%d failed, ' "$failed"
echo "$passed passed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
