#!/usr/bin/env bash
# tide: the height of the tide by the rule of twelfths.
set -euo pipefail
export LC_ALL=C

lib=$(cat "$(dirname "$0")"/lib/*.awk)

# Prints the commands: the lines of this file that begin with "#: ".
usage() {
    sed -n 's/^#: /  tide.sh /p' "$0" >&2
    exit 2
}

#: height LOW HIGH HOUR    the height at one hour
cmd_height() {
    [ $# -eq 3 ] || usage
    awk -v low="$1" -v high="$2" -v hour="$3" "$lib"'
        BEGIN { print show(height(low, high, hour)) }'
}

#: table LOW HIGH          the height at every hour
cmd_table() {
    [ $# -eq 2 ] || usage
    awk -v low="$1" -v high="$2" "$lib"'
        BEGIN { for (hour = 0; hour <= 6; hour++) print hour, show(height(low, high, hour)) }'
}

# A command NAME is the function cmd_NAME.
declare -F "cmd_${1-}" >/dev/null || usage
"cmd_$@"
