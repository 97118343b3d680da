# Sourced by the scripts that make virtual environments; they set `script`, their own name.
# An environment is complete only when its stamp file is there. The stamp is written last, so an
# interrupted run starts that environment again.

cache=${REGATTA_CACHE:-$HOME/.cache/regatta}

say() { printf '%s: %s\n' "$script" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# A shim of a version manager can be on PATH and still not run, so each candidate is run.
usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() {
    local candidates=() candidate minor pyenv=${PYENV_ROOT:-$HOME/.pyenv}
    if [[ -n ${REGATTA_PYTHON:-} ]]; then
        usable "$REGATTA_PYTHON" || die "REGATTA_PYTHON=$REGATTA_PYTHON is not a Python 3.10 or newer with venv"
        printf '%s\n' "$REGATTA_PYTHON"
        return
    fi
    for minor in 12 11 10; do
        candidates+=("python3.$minor" "$pyenv"/versions/3."$minor".*/bin/python3)
    done
    candidates+=(python3)
    for candidate in "${candidates[@]}"; do
        if usable "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "no Python 3.10 or newer with venv found; install python3.12 and its venv module, or set REGATTA_PYTHON"
}

# Prints the path of uv, or nothing where it cannot be installed.
find_uv() {
    local helper=$cache/venv-uv
    if [[ ! -x $helper/bin/uv ]]; then
        rm -rf "$helper"
        if ! { "$1" -m venv "$helper" && "$helper/bin/python" -m pip install --quiet uv; } >&2; then
            say "uv is not available; using pip"
            return
        fi
    fi
    printf '%s\n' "$helper/bin/uv"
}

# Makes the cache and waits for another run of these scripts; the lock is held to this one's end.
enter_cache() {
    mkdir -p "$cache"
    cache=$(cd "$cache" && pwd)
    exec 9>"$cache/upstream-venvs.lock"
    flock 9
}

# complete VENV PACKAGES...
complete() {
    local venv=$1
    # The path is part of the stamp: a virtual environment does not work after a move.
    [[ -f $venv/.complete && $(<"$venv/.complete") == "${*:2} at $venv" ]] &&
        "$venv/bin/python" -c '' >/dev/null 2>&1
}

# make_venv VENV CHECK PACKAGES...: CHECK is a command that shows that they work, run in VENV/bin.
make_venv() {
    local venv=$1 check=$2 python uv
    shift 2
    complete "$venv" "$@" && return
    python=$(find_python)
    say "making $venv with $("$python" --version 2>&1)"
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    uv=$(find_uv "$python")
    if [[ -z $uv ]] || ! "$uv" pip install --quiet --python "$venv/bin/python" "$@" >&2; then
        "$venv/bin/python" -m pip install --quiet "$@" >&2
    fi
    (cd "$venv/bin" && LITELLM_LOCAL_MODEL_COST_MAP=True bash -c "$check") >/dev/null ||
        die "$* does not start"
    printf '%s at %s\n' "$*" "$venv" >"$venv/.complete.new"
    mv "$venv/.complete.new" "$venv/.complete"
}
