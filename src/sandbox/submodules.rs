//! Submodules in a sandbox's repository: their files are compared as files.
//!
//! The difference of a repository knows of a submodule's commit only: what is edited in it would be
//! lost, and a commit that is made there is nowhere else. So each has an index of its own in the
//! twin, over its directory.

use super::place::Repo;

/// A shell function that prepares for the index of one, by its number and path; 0 is the
/// repository's own.
fn enter(repo: &Repo) -> String {
    let Repo { dir, twin, .. } = repo;
    format!(
        r#"enter() {{
  export GIT_INDEX_FILE='{twin}/index' GIT_WORK_TREE='{dir}'
  [ "$1" = 0 ] || export GIT_INDEX_FILE='{twin}'/submodule-$1 GIT_WORK_TREE='{dir}'/"$2"
  cd "$GIT_WORK_TREE"
}}"#
    )
}

/// Keeps what is in each submodule, and in theirs, before the agent starts. `"$@"` are git's options.
pub fn note_script(repo: &Repo) -> String {
    let twin = &repo.twin;
    let enter = enter(repo);
    format!(
        r#"{enter}
options=("$@")
submodules=0
# Of the index that was entered: its number, and the path of its directory with a slash.
note() {{
  local line path tree number
  while IFS= read -r -d '' line; do
    path=$2${{line#*$'\t'}}
    enter 0
    [[ $line == '160000 '* && -d $path && ! -L $path ]] || continue
    submodules=$((submodules + 1))
    number=$submodules
    rm -f '{twin}'/submodule-$number
    enter $number "$path"
    # What it tracks though it is ignored is its own git's to say.
    if [ -e .git ]; then
      env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE git -c safe.directory='*' ls-files -z |
        git "${{options[@]}}" update-index -z --add --remove --stdin
    fi
    git "${{options[@]}}" add -A -- . > /dev/null 2>&1 || true
    tree=$(git write-tree)
    printf '%s\0' "$1" "$number" "$tree" "$path" >> '{twin}/submodules'
    note $number "$path/" < <(git "${{options[@]}}" ls-files -s -z)
  done
}}
rm -f '{twin}/submodules'
note 0 '' < <(git "$@" ls-files -s -z)
enter 0
"#
    )
}

/// Reads what was noted, of the submodules that are still there: one that is gone is a change of the
/// repository's own. `without` makes `$without` of an index's number and its directory: what leaves
/// the submodules in it out of an addition, where git would ask for their commits, and fails where
/// their own git is broken.
pub fn read_script(repo: &Repo) -> String {
    let twin = &repo.twin;
    let enter = enter(repo);
    format!(
        r#"{enter}
parents=() numbers=() trees=() paths=() options=("$@")
if [ -s '{twin}/submodules' ]; then
  while IFS= read -r -d '' parent && IFS= read -r -d '' number &&
    IFS= read -r -d '' tree && IFS= read -r -d '' path; do
    [ -d "$path" ] && [ ! -L "$path" ] || continue
    parents+=("$parent") numbers+=("$number") trees+=("$tree") paths+=("$path")
  done < '{twin}/submodules'
fi
without() {{
  local at
  without=()
  for at in "${{!numbers[@]}}"; do
    [ "${{parents[at]}}" != "$1" ] || without+=(":(exclude,literal)${{paths[at]#"$2"}}")
  done
}}
add() {{
  git "${{options[@]}}" add -A -- . "${{without[@]}}" > /dev/null 2>&1 && return
  chmod -R u+rwX . 2>/dev/null
  # What git says of its trouble is for us; of a success it is no part of the patch.
  said=$(git "${{options[@]}}" add -A -- . "${{without[@]}}" 2>&1 >/dev/null) || {{ echo "$said"; exit 1; }}
}}
"#
    )
}

/// Prints the differences of the submodules' files. Without renames, whose lines have no prefix.
pub const DIFF: &str = r#"for at in "${!numbers[@]}"; do
  enter "${numbers[at]}" "${paths[at]}"
  without "${numbers[at]}" "${paths[at]}/"
  add
  git "${options[@]}" --no-pager diff --cached --binary --no-color --no-ext-diff --no-textconv --no-renames \
    --ignore-submodules=all --src-prefix="a/${paths[at]}/" --dst-prefix="b/${paths[at]}/" "${trees[at]}" 2>/dev/null || exit
done
"#;
