#!/usr/bin/env bash
# run_tests.sh <repo_path> <test_patch> [feature_patch]: the tests on a copy outside an image.
set -e
[[ -d "$1" && -f "$2" ]] || { echo "Usage: $0 <repo_path> <test_patch> [feature_patch]"; exit 1; }
REPO="$1" bash "$(dirname "$0")/runner.sh" "$(realpath "$2")" ${3:+"$(realpath "$3")"}
