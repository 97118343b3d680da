//! The repository in a sandbox: what the agent must not see goes away before it starts, and the
//! base commit is pinned where it cannot move it.

use super::channel::Output;
use super::git_file::{OWN_GIT, UNUSABLE, follow_script};
use super::place::Repo;
use super::{StartFailure, submodules};
use crate::guest::frame::CommandEnd;

impl Repo {
    /// The file that keeps room for a submission, and its size in bytes.
    pub fn room(&self) -> (String, u64) {
        (format!("{}/ballast", self.twin), BALLAST)
    }

    /// Takes in what the set-up script found.
    pub fn set_up(
        &mut self,
        ran: &Output,
        image_path: &str,
        tools: Option<String>,
    ) -> Result<(), (String, StartFailure)> {
        let text = String::from_utf8_lossy(&ran.head);
        let found = |name: &str| {
            let mut lines = text.lines().rev();
            lines.find_map(|line| line.strip_prefix(name).map(str::to_owned))
        };
        match (ran.end, found("regatta-base=")) {
            (CommandEnd::Exited(0), Some(base)) if base.len() >= 40 => {
                self.base = base;
                self.found = found("regatta-found=").unwrap_or_default();
            }
            (end, _) => {
                let cause = match end {
                    CommandEnd::Exited(UNUSABLE) => StartFailure::NoRepo,
                    _ => StartFailure::Repo,
                };
                let why = format!(
                    "its repository could not be made ready ({end:?}): {}",
                    ran.excerpt(500).trim()
                );
                return Err((why, cause));
            }
        }
        let login_path = found("regatta-path=").unwrap_or_default();
        let bin = tools.map(|tools| format!("{tools}/bin"));
        self.prefix = path_prefix(image_path, &login_path, bin.as_deref());
        Ok(())
    }
}

/// What restores the image's `PATH` after a login shell has reset it (`/etc/profile`).
fn path_prefix(image: &str, login: &str, bin: Option<&str>) -> String {
    let there: Vec<&str> = login.split(':').collect();
    let mut missing: Vec<&str> = bin.into_iter().collect();
    missing.extend(
        image
            .split(':')
            .filter(|entry| !entry.is_empty() && !there.contains(entry)),
    );
    if missing.is_empty() {
        return String::new();
    }
    // On the command's own line, so that bash's line numbers stay true.
    let missing = missing.join(":");
    match shlex::try_quote(&missing) {
        Ok(quoted) => format!("export PATH={quoted}:\"$PATH\"; "),
        Err(_) => String::new(),
    }
}

/// Makes a plain tree a repository of one commit, `$base`, with dates that make its hash the same
/// everywhere. HEAD is at no commit yet.
const MAKE_ONE: &str = r#"  # Filters that are set for this machine have no say in the base.
  base_git() {
    GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' \
      GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_DEFAULT_REF_FORMAT=files \
      git -c user.name=base -c user.email=base@localhost "$@"
  }
  base_git init -q -b main
  base_git add -A
  base=$(base_git write-tree)
  base=$(base_git commit-tree -m 'The base' "$base")"#;

/// Takes filters out of the twin's configuration, and files that it includes: where their programs
/// are missing no file could be compared, and what they would make of one is not what was done.
fn without_filters(twin: &str) -> String {
    format!(
        r#"case $config in *[Ff][Ii][Ll][Tt][Ee][Rr]*|*[Ii][Nn][Cc][Ll][Uu][Dd][Ee]*)
  git config --file '{twin}/config' --name-only --get-regexp '^(filter|include|includeif)\.' | sed 's/\.[^.]*$//' | sort -u |
    while IFS= read -r section; do git config --file '{twin}/config' --remove-section "$section" || true; done ;;
esac
"#
    )
}

/// Leaves the repository as it is, and prints its base commit; a plain tree becomes a repository
/// with a detached HEAD, as a task's image has it.
pub fn open_script(repo: &Repo, may_make_one: bool) -> String {
    let dir = &repo.dir;
    let make = if may_make_one { "true" } else { "false" };
    let follow = follow_script(&repo.dir, may_make_one);
    format!(
        r#"set -e
cd '{dir}'
{follow}base=
[ -e .git ] || {{
  {make} || unusable "there is no git repository in {dir}"
{MAKE_ONE}
  echo "$base" > .git/refs/heads/main
  echo "$base" > .git/HEAD
}}
echo "regatta-base=${{base:-$(git rev-parse HEAD)}}"
"#
    )
}

/// Readies the repository: a plain tree becomes one; remotes, tags, branches, the reflog and what
/// only they held go away; HEAD stays at the base commit, on a branch of the agent's own.
///
/// It prints the base commit and the login shell's `PATH` in its last lines.
pub fn setup_script(repo: &Repo, agent: &str, may_make_one: bool, image_path: &str) -> String {
    let Repo { dir, twin, .. } = repo;
    let make = if may_make_one { "true" } else { "false" };
    let environment = environment(repo);
    let follow = follow_script(&repo.dir, may_make_one);
    let without_filters = without_filters(twin);
    let note_submodules = submodules::note_script(repo);
    let login_path = login_path_script(image_path);
    let forget = forget_script(twin, agent);
    // Few processes: each costs milliseconds, and every sandbox runs this.
    format!(
        r#"set -e
cd '{dir}'
{login_path}
export GIT_CONFIG_NOSYSTEM=1
{follow}{OWN_GIT}made=
[ -e .git ] || {{
  {make} || unusable "there is no git repository in {dir}"
{MAKE_ONE}
  made=1
}}
dir=$PWD/.git
if [ -z "$made" ]; then
  # The base is the first of what it reaches.
  {{ read -r base || true; others=$(wc -l); }} < <(GIT_NO_REPLACE_OBJECTS=1 git rev-list --objects HEAD)
  [[ $base =~ ^[0-9a-f]{{40,}}$ ]] || unusable "no commit can be read in {dir}: $(git rev-parse HEAD 2>&1)"
fi
# Without a process, unlike `$(< FILE)`.
IFS= read -r -d '' config < "$dir/config" || true
{forget}# Objects never change in place; everything else is the twin's own.
cp -al "$dir/objects" '{twin}/objects' 2>/dev/null || {{ rm -rf '{twin}/objects'; cp -a "$dir/objects" '{twin}/objects'; }}
own=()
for name in HEAD config index info packed-refs refs reftable shallow; do
  [ ! -e "$dir/$name" ] || own+=("$dir/$name")
done
cp -a "${{own[@]}}" '{twin}/'
{without_filters}# Room for the submission, should the agent fill the disk.
fallocate -l {BALLAST} '{twin}/ballast' 2>/dev/null || head -c {BALLAST} /dev/zero > '{twin}/ballast'
{environment}
listed=$(git "$@" ls-files -v -s | grep -aE '^([a-zS]|. 160000) ') || true
# Paths that the image's index is told not to look at would be missing from a submission.
if [[ $'\n'$listed == *$'\n'[[:lower:]S]* ]]; then
  rm -f '{twin}/index'
  git "$@" read-tree "$base"
fi
found=
if [ -n "$(git "$@" status --porcelain 2>&1)" ]; then
  git "$@" add -A -- . > /dev/null 2>&1 || true
  found=$(git "$@" write-tree)
fi
case $listed in *' 160000 '*)
{note_submodules};;
esac
echo "regatta-found=$found"
echo "regatta-base=$base"
"#
    )
}

/// Takes remotes, other refs and what only they held away, and puts HEAD on the agent's branch; makes
/// the twin's directory. Refs are removed as files, and by git where it keeps them otherwise.
fn forget_script(twin: &str, agent: &str) -> String {
    format!(
        r#"case $config in
  *'[remote'*) for remote in $(git remote); do git remote remove "$remote"; done ;;
esac
if [ -n "$made" ]; then
  mkdir -p '{twin}'
elif [ -d "$dir/reftable" ]; then
  git checkout -q --detach "$base"
  git for-each-ref --format='delete %(refname)' | git update-ref --stdin
  git reflog expire --expire=now --expire-unreachable=now --all
  git checkout -q -b '{agent}'
  mkdir -p '{twin}'
else
  rm -rf "$dir/refs" "$dir/packed-refs" "$dir/logs" "$dir"/*_HEAD "$dir"/rebase-* "$dir"/sequencer '{twin}'
  mkdir -p "$dir/refs/heads" "$dir/refs/tags" '{twin}'
fi
if [ ! -d "$dir/reftable" ]; then
  echo "$base" > "$dir/refs/heads/{agent}"
  echo 'ref: refs/heads/{agent}' > "$dir/HEAD"
fi
printf '[user]\n\tname = {agent}\n\temail = {agent}@localhost\n' >> "$dir/config"
# What was just made holds nothing else.
if [ -z "$made" ]; then
  present=0
  while read -r name count; do
    case $name in count:|in-pack:) present=$((present + count));; esac
  done <<< "$(git count-objects -v)"
  [ "$present" -eq $((others + 1)) ] || git gc -q --prune=now
fi
"#
    )
}

/// Prints the login shell's `PATH`.
fn login_path_script(image_path: &str) -> String {
    // Every login shell has these; only others have to be asked after.
    if image_path
        .split(':')
        .all(|entry| USUAL_PATH.contains(&entry))
    {
        format!("echo 'regatta-path={image_path}'")
    } else {
        r#"printf '\nregatta-path=%s\n' "$(bash -lc 'printf "\n%s" "$PATH"' | tail -n 1)""#
            .to_owned()
    }
}

/// What Debian's `/etc/profile` gives root.
const USUAL_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Bytes kept free for a submission.
const BALLAST: u64 = 2 << 20;
/// How much of what the set-up prints is kept, in bytes.
pub const SETUP_OUTPUT: usize = 1 << 20;

/// Git from the twin's point of view: with its own index, which knows what has not changed, and
/// without any configuration that the agent may have made. `"$@"` are git's options.
fn environment(repo: &Repo) -> String {
    let Repo { dir, twin, .. } = repo;
    format!(
        r"export GIT_DIR='{twin}' GIT_WORK_TREE='{dir}' GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_ATTR_NOSYSTEM=1 GIT_NO_REPLACE_OBJECTS=1 HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent
set -- -c safe.directory='*' -c core.bare=false -c core.autocrlf=false -c core.safecrlf=false \
  -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.quotePath=true \
  -c core.sparseCheckout=false -c advice.addEmbeddedRepo=false"
    )
}

/// Prints the difference of the working tree to the base.
///
/// Repositories that the agent made or cloned inside are files like others; unreadable files are
/// made readable; and what the image had changed is left out, where the agent left it alone.
pub fn diff_script(repo: &Repo) -> String {
    let Repo {
        dir,
        twin,
        base,
        found,
        ..
    } = repo;
    let environment = environment(repo);
    let read_submodules = submodules::read_script(repo);
    let diff_submodules = submodules::DIFF;
    format!(
        r#"cd '{dir}' || exit
{environment}
[ ! -e '{twin}/index.lock' ] && [ ! -L '{twin}/index.lock' ] || rm -f '{twin}/index.lock'
# Emptied, which takes no process.
if [ ! -f '{twin}/ballast' ] || [ -L '{twin}/ballast' ] || ! : > '{twin}/ballast'; then
  rm -f '{twin}/ballast'
fi 2> /dev/null
[ -e '{twin}/index' ] || git "$@" read-tree {base} || exit
inner=$(find . -mindepth 2 -name .git -prune -print 2>/dev/null)
if [ -n "$inner" ]; then
  links=$'\n'$(git "$@" ls-files -s | grep '^160000' | cut -f 2-)$'\n'
  while IFS= read -r inner; do
    path=${{inner#./}}; path=${{path%/.git}}
    case $links in *$'\n'"$path"$'\n'*) ;; *) rm -rf "$inner" ;; esac
  done <<< "$inner"
fi
{read_submodules}without 0 ''
add
if [ -n '{found}' ]; then
  git "$@" diff --name-only -z {base} '{found}' | while IFS= read -r -d '' path; do
    if git "$@" diff --cached --quiet '{found}' -- ":(literal)$path"; then
      git "$@" reset -q {base} -- ":(literal)$path" || exit
    fi
  done
fi
git "$@" --no-pager diff --cached --binary --no-color --no-ext-diff --no-textconv \
  --src-prefix=a/ --dst-prefix=b/ {base} 2>/dev/null || exit
{diff_submodules}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_path_comes_back_without_moving_the_commands_line() {
        let image = "/opt/go/bin:/usr/local/bin:/usr/bin";
        let login = "/usr/local/bin:/usr/bin:/bin";
        assert_eq!(
            path_prefix(image, login, None),
            "export PATH=/opt/go/bin:\"$PATH\"; "
        );
        assert_eq!(path_prefix(login, login, None), "");
        let with_tools = path_prefix(login, login, Some("/.regatta/bin"));
        assert_eq!(with_tools, "export PATH=/.regatta/bin:\"$PATH\"; ");
    }

    /// Runs a script as a container would, over `repo/` in this directory; how it ended and what it
    /// printed.
    fn ran(home: &std::path::Path, script: &str) -> Output {
        let output = std::process::Command::new("bash")
            .args([
                "--noprofile",
                "--norc",
                "-c",
                &format!("{{ {script}\n}} 2>&1"),
            ])
            .current_dir(home)
            .output()
            .unwrap();
        Output {
            end: CommandEnd::Exited(output.status.code().unwrap_or(-1)),
            head: output.stdout,
            tail: Vec::new(),
            elided: 0,
        }
    }

    /// In an image there is nothing to make a repository of; what a `.git` leads to is the image's.
    #[test]
    fn a_git_file_of_an_image_is_followed_or_refused_for_good() {
        let home = tempfile::tempdir().unwrap();
        let mut repo = Repo::at(&home.path().display().to_string());
        let commit = "git -c user.name=t -c user.email=t@localhost commit -qm";
        let made = ran(
            home.path(),
            &format!(
                "mkdir own && cd own && git init -q -b main && echo x > file && git add -A && {commit} base
git worktree add -q --detach ../repo && echo future > file && {commit} future -a && cd ../repo && git rev-parse HEAD"
            ),
        );
        let base = String::from_utf8_lossy(&made.head).trim().to_owned();
        let setup = setup_script(&repo, "agent1", false, "/bin");
        repo.set_up(&ran(home.path(), &setup), "/bin", None)
            .unwrap();
        assert_eq!(repo.base, base);
        let seen = ran(
            home.path(),
            "cd repo; echo more >> file; git status --short; git log --all --format=%s; git -C ../own log --all --format=%s",
        );
        let seen = String::from_utf8_lossy(&seen.head).into_owned();
        assert!(
            seen.starts_with(" M file\nbase\n") && !seen.contains("future"),
            "{seen}"
        );
        let diff = ran(home.path(), &diff_script(&repo));
        assert!(
            String::from_utf8_lossy(&diff.head).contains("+more"),
            "{diff:?}"
        );

        for broken in [
            "rm -rf repo/.git; echo 'gitdir: ../gone' > repo/.git",
            "rm -rf repo/.git",
        ] {
            ran(home.path(), broken);
            let setup = setup_script(&repo, "agent1", false, "/bin");
            let (why, cause) = repo
                .set_up(&ran(home.path(), &setup), "/bin", None)
                .unwrap_err();
            assert_eq!(cause, StartFailure::NoRepo, "{why}");
        }
    }
}
