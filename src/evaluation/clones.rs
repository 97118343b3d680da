//! Clones of tasks' bases, in which git alone merges patches: no container is needed for that.
//!
//! What a merge in a task's image gives depends on more than the base commit: on the image's
//! untracked and ignored files, its hooks, git's configuration and version. A clone is made only
//! of an image where none of that matters (`LEARN`), and a merge in it gives up as soon as it
//! might ([`super::merge::in_clone`]). Then the image's own git merges, as always before.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Trouble;
use super::merge::{self, Manner, Merge};
use super::venue::{Room, exit_code, spec};
use crate::error::Result;
use crate::files;
use crate::sandbox::{Backend, SandboxLimits, Source};
use crate::store::manifest;
use crate::text::one_line;

/// The largest clone, in bytes: to copy a larger one takes longer than to start a container.
const MAX_PACK: u64 = 100 << 20;
/// The largest of a clone's other files, in bytes.
const MAX_FACTS: u64 = 1 << 20;
/// In a clone's place: why there is none.
const WHY_NOT: &str = "why-not";

/// The clones that are on this machine, and where they are worked in.
#[derive(Debug)]
pub struct Clones {
    dir: PathBuf,
    backend: Backend,
    limits: Arc<SandboxLimits>,
    /// The images that were looked at.
    met: Mutex<HashSet<PathBuf>>,
    /// Whether this machine failed at it: a container can do what it cannot.
    is_broken: AtomicBool,
}

impl Clones {
    /// The clones in a directory, worked in on a backend of this machine.
    #[must_use]
    pub fn new(dir: PathBuf, backend: Backend, limits: &SandboxLimits) -> Self {
        Self {
            dir,
            backend,
            // Nothing in there needs the network.
            limits: Arc::new(SandboxLimits {
                network: false,
                ..limits.clone()
            }),
            met: Mutex::default(),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Where the clone of an image is, by the image's id and the questions that it was asked.
    fn place(&self, image: &str) -> Option<PathBuf> {
        let (_, digest) = image.rsplit_once(':')?;
        let is_digest = digest.len() >= 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        // A clone follows from the look that was taken as well.
        let look = &manifest::digest(LEARN.as_bytes())[..8];
        is_digest.then(|| self.dir.join(format!("{digest}-{look}")))
    }

    /// Merges in the clone of an image; `None` where there is none, or where that might not give
    /// what the image's git gives. After the first error there is none any more.
    pub async fn merge(
        &self,
        image: &str,
        run: &str,
        patches: [&[u8]; 2],
        manner: Manner,
    ) -> std::result::Result<Option<Merge>, Trouble> {
        let is_usable = |place: &PathBuf| {
            place.join(".git").is_dir() && !self.is_broken.load(Ordering::Relaxed)
        };
        let Some(place) = self.place(image).filter(is_usable) else {
            return Ok(None);
        };
        let spec = spec(Source::Tree(place), run, &self.limits);
        let merge = async |room: &mut Room| merge::in_clone(room, patches, manner).await;
        let merged = Room::within(&spec, &self.backend, merge).await;
        if merged.is_err() {
            self.is_broken.store(true, Ordering::Relaxed);
        }
        merged
    }

    /// Makes the clone of an image, in a room with that image, unless it is there; each image is
    /// looked at once.
    ///
    /// What keeps it from being made is no trouble of the merge: where the room was lost, that one
    /// finds out. What cannot be kept is made another time.
    pub async fn make(&self, image: &str, room: &mut Room) {
        let Some(place) = self.place(image).filter(|place| !place.exists()) else {
            return;
        };
        let is_new = {
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            met.insert(place.clone())
        };
        if is_new && let Ok(Some(learnt)) = learn(room).await {
            let _ = files::create_tree(&place, |fresh| learnt.write(fresh));
        }
    }
}

/// What a room tells of its image.
#[derive(Debug)]
enum Learnt {
    /// Git alone merges as the image does.
    Clone {
        /// The one commit of the clone, with the base's tree.
        commit: String,
        /// How many digits of an object's id the image's git prints.
        abbrev: u8,
        /// The image's own list of what git leaves out.
        exclude: Vec<u8>,
        /// Its files and directories that are not the base's, each ended by a zero.
        others: Vec<u8>,
        pack: Vec<u8>,
        index: Vec<u8>,
        /// The base as git stages it.
        staged: Vec<u8>,
        /// The paths of the base's files with git's settings, each ended by a zero.
        settings: Vec<u8>,
    },
    /// Merging there needs the image itself, and why, in words.
    WhyNot(String),
}

/// Looks at the image of a room; `None` where that did not work.
async fn learn(room: &mut Room) -> std::result::Result<Option<Learnt>, Trouble> {
    let base = room.base().to_owned();
    let ran = room
        .git(&format!("base={base} max={MAX_PACK}\n{LEARN}"))
        .await?;
    if exit_code(&ran) != Some(0) {
        return Ok(None);
    }
    let facts = room.get("facts", MAX_FACTS).await?;
    let facts = String::from_utf8_lossy(&facts);
    let fact = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name));
    if let Some(why) = fact("why-not=") {
        return Ok(Some(Learnt::WhyNot(one_line(why, merge::REASON))));
    }
    let commit = fact("commit=").unwrap_or_default();
    let abbrev = fact("abbrev=").and_then(|digits| digits.parse().ok());
    let is_id = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Other kinds of ids have other lengths, and other settings.
    let (true, 40, Some(abbrev @ 4..=40)) = (is_id, commit.len(), abbrev) else {
        return Ok(None);
    };
    Ok(Some(Learnt::Clone {
        commit: commit.to_owned(),
        abbrev,
        exclude: room.get("exclude", MAX_FACTS).await?,
        pack: room.get("base.pack", MAX_PACK).await?,
        index: room.get("base.idx", MAX_PACK).await?,
        staged: room.get("staged", MAX_PACK).await?,
        settings: room.get("settings", MAX_FACTS).await?,
        others: room.get("others", MAX_FACTS).await?,
    }))
}

impl Learnt {
    fn write(&self, to: &Path) -> Result<()> {
        match self {
            Self::WhyNot(why) => files::write_atomic(&to.join(WHY_NOT), why.as_bytes()),
            Self::Clone {
                commit,
                abbrev,
                exclude,
                others,
                pack,
                index,
                staged,
                settings,
            } => {
                let git = to.join(".git");
                // A sandbox that root starts is nobody's.
                for dir in ["", "refs", "refs/heads", "objects", "objects/pack", "info"] {
                    files::create_open_dir(&git.join(dir))?;
                }
                let config = format!(
                    "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tabbrev = {abbrev}\n"
                );
                let head = format!("{commit}\n");
                for (name, bytes) in [
                    ("HEAD", head.as_bytes()),
                    ("config", config.as_bytes()),
                    ("info/exclude", exclude),
                    ("others", others),
                    ("settings", settings),
                    // One for each agent's patch.
                    ("base1", staged),
                    ("base2", staged),
                    ("objects/pack/pack-base.pack", pack),
                    ("objects/pack/pack-base.idx", index),
                ] {
                    files::write_atomic(&git.join(name), bytes)?;
                }
                Ok(())
            }
        }
    }
}

/// Looks at an image's repository: whether git alone merges as git does in there, and if so the
/// base's objects and what is beside them. `$base` is the base commit, `$max` the most bytes that
/// are wanted, `$P` where the answers go.
///
/// In the order of the questions: the merge strategy is the one of today (git 2.34), and no variable
/// changes what git does; the repository is a whole one, that nothing locks, and has no names that
/// the merge gives to branches; the working tree is the base's and nothing else, but for files that
/// git leaves out, none of which are settings; no path is hidden from git; there are no submodules,
/// replaced objects or hooks; and no settings but those that change nothing here.
const LEARN: &str = r#"mkdir -p "$P"
why_not() { echo "why-not=$1" > "$P/facts"; exit 0; }
IFS=' .' read -r _ _ major minor _ <<< "$(git --version)"
[ $((major * 1000 + minor)) -ge 2034 ] || why_not "its git is $major.$minor"
variable=$(compgen -e | grep -m 1 '^GIT_')
[ -z "$variable" ] || why_not "it has the variable $variable"
[ -d .git ] && [ ! -L .git ] || why_not 'its repository is elsewhere'
[ ! -e .git/index.lock ] || why_not 'its index is locked'
[ -z "$(git status --porcelain --ignore-submodules=none 2>&1)" ] || why_not 'its working tree is not the base'
git ls-files -o --directory -z > "$P/others" || exit 1
! tr '\0' '\n' < "$P/others" | grep -qxE '(.*/)?\.git(ignore|attributes)/?' || why_not 'it has settings that are left out'
[ "$(wc -c < "$P/others")" -le 1000000 ] || why_not 'it has too many files beside the base'
[ -z "$(git ls-files -v | grep '^[a-zS]')" ] || why_not 'its index hides files'
[ -z "$(git ls-tree -r "$base" | grep '^160000')" ] || why_not 'it has submodules'
! git for-each-ref --format='%(refname:lstrip=2)' | grep -qE '(^|/)(agent[12]|identical)(/|$)' || why_not 'it has branches named like the agents'
[ -z "$(git for-each-ref --count=1 refs/replace)" ] || why_not 'it has replaced objects'
for hook in .git/hooks/*; do
  case $hook in *.sample) ;; *) [ ! -x "$hook" ] || why_not "it has the hook ${hook##*/}" ;; esac
done
[ "$(git config --type=bool core.filemode)" = true ] || why_not 'its git ignores modes'
setting=$(git config --list --name-only | grep -vixE -m 1 'core\.(repositoryformatversion|filemode|bare|logallrefupdates)|remote\..*\.(url|fetch)|branch\..*\.(remote|merge)|user\..*|safe\.directory|init\.defaultbranch|advice\..*')
[ -z "$setting" ] || why_not "its git has the setting $setting"
for file in .git/info/attributes /etc/gitattributes /usr/local/etc/gitattributes "${XDG_CONFIG_HOME:-$HOME/.config}"/git/{attributes,ignore}; do
  [ ! -s "$file" ] || why_not "it has $file"
done
cp .git/info/exclude "$P/exclude" 2> /dev/null || : > "$P/exclude"
export GIT_AUTHOR_NAME=base GIT_AUTHOR_EMAIL=base@localhost GIT_AUTHOR_DATE='2026-01-01T00:00:00Z'
export GIT_COMMITTER_NAME=base GIT_COMMITTER_EMAIL=base@localhost GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
commit=$(git commit-tree -m 'The base' "$base^{tree}") || exit 1
git pack-objects -q --revs --stdout <<< "$commit" > "$P/base.pack" || exit 1
git index-pack -o "$P/base.idx" "$P/base.pack" > /dev/null || exit 1
export GIT_INDEX_FILE=$P/staged
git read-tree "$commit" || exit 1
git ls-files -z -- ':(glob)**/.gitignore' ':(glob)**/.gitattributes' > "$P/settings" || exit 1
unset GIT_INDEX_FILE
[ "$(wc -c < "$P/base.pack")" -le "$max" ] && [ "$(wc -c < "$P/base.idx")" -le "$max" ] || why_not 'it is too large'
abbrev=40
while read -r _ _ id _; do
  [ ${#id} -ge "$abbrev" ] || abbrev=${#id}
done <<< "$(git ls-tree --abbrev "$base"; echo "- - $(git rev-parse --short "$base")")"
printf 'commit=%s\nabbrev=%s\n' "$commit" "$abbrev" > "$P/facts""#;
