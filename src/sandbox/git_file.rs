//! A `.git` that is no directory: a linked worktree's, a submodule's, or a link.

/// The exit code of a script that finds no repository that could be made ready.
pub const UNUSABLE: i32 = 3;

/// Looks at a `.git` that is a file or a link, as a linked worktree's and a submodule's is, and leaves
/// in `$leads` where the repository is. Of a copied workspace, one outside of the copy is another's:
/// it is never touched, and the tree is a plain one.
pub fn follow_script(dir: &str, is_copy: bool) -> String {
    let otherwise = if is_copy {
        "rm -f .git".to_owned()
    } else {
        format!(
            r#"unusable "{dir}/.git is no directory, and there is no repository where it leads: $(head -c 300 .git 2>/dev/null)""#
        )
    };
    let stays = if is_copy {
        r#"case $leads in "$(pwd -P)"/*) ;; *) leads= ;; esac"#
    } else {
        ""
    };
    format!(
        r#"unusable() {{ echo "$1"; exit {UNUSABLE}; }}
leads=
if [ -f .git ] || [ -L .git ]; then
  leads=$(git rev-parse --absolute-git-dir 2>/dev/null) || leads=
  [ -z "$leads" ] || leads=$(cd "$leads" && pwd -P)
  {stays}
  [ -n "$leads" ] || {otherwise}
fi
"#
    )
}

/// Makes `.git` a directory of its own where it led to one: what else is there (other branches, other
/// worktrees) is not for the agent.
pub const OWN_GIT: &str = r#"if [ -n "$leads" ]; then
  common=$(cd "$(git rev-parse --git-common-dir)" && pwd -P)
  base=$(git rev-parse HEAD) || unusable 'its repository has no commit'
  rm -rf .git.own
  mkdir -p .git.own/refs
  cp -al "$common/objects" .git.own/objects 2>/dev/null || { rm -rf .git.own/objects; cp -a "$common/objects" .git.own/objects; }
  for part in "$common/config" "$common/info" "$common/shallow" "$leads/index"; do
    [ ! -e "$part" ] || cp -a "$part" .git.own/
  done
  for key in core.worktree core.bare extensions.worktreeconfig extensions.refstorage; do
    git config --file .git.own/config --unset-all $key || true
  done
  echo "$base" > .git.own/HEAD
  for part in objects refs packed-refs logs reftable worktrees; do rm -rf "$common/$part" "$leads/$part"; done
  rm -f .git
  mv .git.own .git
fi
"#;
