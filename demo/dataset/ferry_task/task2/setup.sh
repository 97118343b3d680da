#!/usr/bin/env bash
# Make a working copy of the base repository in the current directory.
set -e

REPO_NAME="ferry-task2"
BASE_COMMIT="725a61ef7ed76fdcfff50424b3b051c135266c21"

if [[ ! -d "$REPO_NAME" ]]; then
    cp -R "$(dirname "$0")/workspace" "$REPO_NAME"
    git init --quiet --initial-branch=main "$REPO_NAME"
    cd "$REPO_NAME"
    git config user.name "Regatta Demo"
    git config user.email "demo@regatta.invalid"
    git config core.fileMode false
    git add --all
    GIT_AUTHOR_DATE="2024-01-01T00:00:00+00:00" GIT_COMMITTER_DATE="2024-01-01T00:00:00+00:00" \
        git commit --quiet --no-gpg-sign --message "Base"
    cd ..
fi
git -C "$REPO_NAME" checkout --quiet --detach "$BASE_COMMIT"
