#!/usr/bin/env bash
# runner.sh <test_patch> [feature_patch]: apply both to the repository, then run its tests.
# The repository is $REPO, or else /workspace/repo, and is left clean. Patches are looked up in
# $PATCHES, or else in /patches, unless they are absolute paths.
set -e

cd "${REPO:-/workspace/repo}"
# Without this, git would find, and clean, a repository further up.
[[ -e .git ]] || { echo "Error: no git repository at $PWD"; exit 1; }

restore() { git reset --quiet --hard HEAD && git clean -fdxq; }
trap 'restore || true' EXIT

apply() {
    local patch="$1"
    [[ "$patch" == /* ]] || patch="${PATCHES:-/patches}/$patch"
    git apply --ignore-whitespace "$patch" || git apply --3way "$patch"
    echo "Applied $1"
}

restore
[[ -z "$2" ]] || apply "$2"
apply "${1:?usage: runner.sh <test_patch> [feature_patch]}"
bash tests/run.sh
