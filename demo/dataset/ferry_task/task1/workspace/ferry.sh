#!/usr/bin/env bash
# ferry: asks a timetable of departures.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)

# Prints the commands: the lines of this file that begin with "#: ".
usage() {
    sed -n 's/^#: /  ferry.sh /p' "$0" >&2
    exit 2
}

# The timetable, one departure a line: time, from, to.
rows() {
    cat "${FERRY_TABLE:-$here/timetable.txt}"
}

#: list              every departure
cmd_list() {
    rows | awk '{ print $1 " " $2 " -> " $3 }'
}

#: from PORT         the departures from a port
cmd_from() {
    [ $# -eq 1 ] || usage
    rows | awk -v port="$1" '$2 == port { print $1 " -> " $3 }'
}

# A command NAME is the function cmd_NAME.
declare -F "cmd_${1-}" >/dev/null || usage
"cmd_$@"
