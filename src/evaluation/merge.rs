//! Two agents' patches become one, as upstream merges them.

use serde::{Deserialize, Serialize};

use super::patch::PatchReading;
use super::venue::{Room, text};
use super::{RuleSet, Trouble, conflict};
use crate::bench::RuleId;
use crate::sandbox::CommandEnd;
use crate::store::eval::Conflict;
use crate::text::one_line;

/// The largest merged patch that is read.
const MAX_MERGED: u64 = 200 << 20;
/// The rule of a merge whose script did not come to its end.
const MERGE_BROKEN: RuleId = RuleId::MERGE_BROKEN;
/// The largest note of a script that is read.
const MAX_STATUS: u64 = 10_000;

/// What became of one patch on its own branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// It is on its branch.
    Applied,
    /// The patch is empty, so that there was nothing to apply.
    Skipped,
    /// Git refuses it: it does not apply to the base.
    Failed,
}

impl Applied {
    /// Upstream's word for it in `eval.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What git made of two branches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// They merge, and this is the merged work's difference to the base.
    Clean(#[serde(with = "as_text")] Vec<u8>),
    /// They don't, and keeping both sides is not asked for, or cannot be done.
    Conflict,
    /// They don't, and keeping both sides of each conflict gives this.
    Union(#[serde(with = "as_text")] Vec<u8>),
    /// Both are the same: one of them, as git reads it.
    Identical(#[serde(with = "as_text")] Vec<u8>),
}

/// Bytes as a text of as many characters (Latin-1), which in JSON are no list of numbers.
pub(super) mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        to.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = text.chars().map(u8::try_from).collect::<Result<_, _>>();
        bytes.map_err(|_| D::Error::custom("no bytes"))
    }
}

/// The merge of two patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// What became of each patch.
    pub applied: [Applied; 2],
    /// What became of the two branches together.
    pub joined: Joined,
    /// What git said of each patch that it refused.
    pub refused: [Option<String>; 2],
    /// Where they do not merge, whatever became of it.
    pub conflict: Option<Conflict>,
    /// Whether git alone merged them, without the task's own sandbox.
    pub in_clone: bool,
}

/// Whose rules and whose reading patches are merged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whose rules say what becomes of conflicts, and of one patch that is there twice.
    pub rules: RuleSet,
    /// Whether the merged work is every byte of it.
    pub reading: PatchReading,
}

impl Manner {
    /// Git's words for the difference that is the merged work.
    const fn difference(self) -> &'static str {
        match self.reading {
            // Of a file that is no text it says only that it differs: so does upstream.
            PatchReading::Upstreams => "git diff",
            PatchReading::AsItIs => {
                "git diff --binary --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/"
            }
        }
    }

    /// Whether one patch was submitted twice, and is not merged with itself.
    fn are_one(self, patches: [&[u8]; 2]) -> bool {
        self.rules == RuleSet::V0_0_29 && !patches[0].is_empty() && patches[0] == patches[1]
    }
}

/// Merges two patches in a room; it is left on another commit than the base.
pub async fn merge(room: &mut Room, patches: [&[u8]; 2], manner: Manner) -> Result<Merge, Trouble> {
    let base = room.base().to_owned();
    let script = if manner.are_one(patches) {
        identical(&base)
    } else {
        branches(&base, manner.rules)
    };
    let script = format!(
        "difference() {{ {} \"$@\"; }}\n{script}",
        manner.difference()
    );
    let status = noted(room, patches, &script).await?;
    read(room, &status, patches, manner).await
}

/// Merges two patches in a clone's room, where there is nothing but the base commit. `None` where
/// the task's own repository might give something else.
pub async fn in_clone(
    room: &mut Room,
    patches: [&[u8]; 2],
    manner: Manner,
) -> Result<Option<Merge>, Trouble> {
    let script = format!(
        "base={} identical={} union={}\ndifference() {{ {} \"$@\"; }}\n{IN_CLONE}",
        room.base(),
        u8::from(manner.are_one(patches)),
        u8::from(manner.rules == RuleSet::V0_0_11),
        manner.difference()
    );
    let status = match noted(room, patches, &script).await {
        Ok(status) => status,
        // A git that failed, or was ended for its memory, says nothing of the patches.
        Err(trouble) if trouble.rule == MERGE_BROKEN => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    if let Some(version) = status.lines().find_map(|line| line.strip_prefix("old: ")) {
        let text = format!("git {version} is too old, it takes 2.38");
        return Err(Trouble::new(RuleId::SANDBOX_SETUP, text));
    }
    if status.lines().any(|line| line.starts_with("left: ")) {
        return Ok(None);
    }
    let merge = read(room, &status, patches, manner).await?;
    Ok(Some(Merge {
        in_clone: true,
        ..merge
    }))
}

/// Runs a script on the patches; gives what it noted.
async fn noted(room: &mut Room, patches: [&[u8]; 2], script: &str) -> Result<String, Trouble> {
    for (index, patch) in patches.iter().enumerate() {
        room.put(&format!("patch{}.patch", index + 1), patch)
            .await?;
    }
    let output = room.git(script).await?;
    let status = room.get("status", MAX_STATUS).await;
    match (output.end, status) {
        (CommandEnd::Exited(0), Ok(status)) => Ok(String::from_utf8_lossy(&status).into_owned()),
        _ => Err(Trouble::new(
            MERGE_BROKEN,
            format!(
                "the patches could not be merged: {}",
                last_line(&text(&output))
            ),
        )),
    }
}

async fn read(
    room: &mut Room,
    status: &str,
    patches: [&[u8]; 2],
    manner: Manner,
) -> Result<Merge, Trouble> {
    let is = |word: &str| status.lines().any(|line| line == word);
    let applied = [1, 2].map(|n| {
        if is(&format!("patch{n} applied")) {
            Applied::Applied
        } else if is(&format!("patch{n} skipped")) {
            Applied::Skipped
        } else {
            Applied::Failed
        }
    });
    let mut refused = [None, None];
    for (n, (refused, applied)) in refused.iter_mut().zip(applied).enumerate() {
        if applied == Applied::Failed {
            let said = room.get(&format!("said{}", n + 1), MAX_STATUS).await?;
            *refused = Some(first_line(&String::from_utf8_lossy(&said)));
        }
    }
    let conflict = if is("conflict") {
        Some(conflict::read(room).await?)
    } else {
        None
    };
    let joined = if manner.are_one(patches) {
        // What git cannot read even so is tested as it is.
        Joined::Identical(if is("normalized") {
            room.get("merged.patch", MAX_MERGED).await?
        } else {
            patches[0].to_vec()
        })
    } else if is("clean") {
        Joined::Clean(room.get("merged.patch", MAX_MERGED).await?)
    } else if is("union") {
        Joined::Union(room.get("merged.patch", MAX_MERGED).await?)
    } else {
        Joined::Conflict
    };
    Ok(Merge {
        applied,
        joined,
        refused,
        conflict,
        in_clone: false,
    })
}

/// Who the commits are by; they are seen by nobody. Git's maintenance is nothing for a repository that
/// is gone in a moment, and each commit would start it.
const AUTHOR: &str = "\
export GIT_AUTHOR_NAME=evaluation GIT_AUTHOR_EMAIL=evaluation@localhost
export GIT_COMMITTER_NAME=evaluation GIT_COMMITTER_EMAIL=evaluation@localhost
git() { command git -c maintenance.auto=false -c gc.auto=0 \"$@\"; }";

/// Each patch on a branch of its own from the base, then the first merged into the second.
///
/// What a refused patch left behind is committed all the same, and the difference is without
/// binary files' contents: both as upstream does it.
fn branches(base: &str, rules: RuleSet) -> String {
    let union = match rules {
        RuleSet::V0_0_29 => "",
        RuleSet::V0_0_11 => {
            r#"  git reset -q --hard HEAD
  echo '* merge=union' >> .gitattributes
  if git merge agent1 --no-commit --no-ff; then
    git commit -q -m union
    difference "$base" HEAD > "$P/merged.patch"
    say union
  fi
"#
        }
    };
    format!(
        r#"{AUTHOR}
base={base}
say() {{ echo "$1" >> "$P/status"; }}
branch() {{
  git checkout -q -f "$base" && git checkout -q -b "agent$1" || exit 97
  if [ ! -s "$P/patch$1.patch" ]; then say "patch$1 skipped"
  elif git apply "$P/patch$1.patch" 2> "$P/refused$1" || git apply --3way "$P/patch$1.patch"; then say "patch$1 applied"
  else say "patch$1 failed"; head -c 8000 "$P/refused$1" > "$P/said$1"
  fi
  git add -A
  git commit -q -m "agent $1" --allow-empty
}}
: > "$P/status"
branch 1
branch 2
if git merge agent1 --no-commit --no-ff; then
  git commit -q -m merge
  difference "$base" HEAD > "$P/merged.patch"
  say clean
else
  git ls-files -u -z | head -c 4000000 > "$P/unmerged"
  git merge --abort
{union}  say conflict
fi
exit 0
"#
    )
}

/// One patch in the place of two, read by git even where its line counts are wrong.
fn identical(base: &str) -> String {
    format!(
        r#"{AUTHOR}
echo 'patch1 applied
patch2 applied' > "$P/status"
git checkout -q {base} && git checkout -q -b identical || exit 97
if git apply "$P/patch1.patch" || git apply --recount "$P/patch1.patch"; then
  git add -A
  git commit -q -m merged --allow-empty
  difference {base} HEAD > "$P/merged.patch"
  echo normalized >> "$P/status"
fi
exit 0
"#
    )
}

/// The same without a working tree: on git's index and objects alone, with the base's own
/// `.gitignore` and `.gitattributes` as the only files, and without any settings of this machine.
/// Nearly all of its time are the starts of git: what is asked of both patches is asked once.
///
/// Whatever a working tree would have a say in is left to one: what does not simply apply, paths
/// where the image has files that git does not know, or that git leaves out, changes of git's own
/// files, links and submodules, names that no file can have, what is converted on its way into a
/// file and back or shown in its own way, and carriage returns, which may be converted. What fails
/// in here is left as well: no answer is no permission.
const IN_CLONE: &str = r#"export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1 LC_ALL=C
export GIT_AUTHOR_NAME=evaluation GIT_AUTHOR_EMAIL=evaluation@localhost
export GIT_COMMITTER_NAME=evaluation GIT_COMMITTER_EMAIL=evaluation@localhost
say() { echo "$1" >> "$P/status"; }
leave() { say "left: ${1:0:300}"; exit 0; }
# Git fails at a merge: is it too old for it?
refuse() {
  IFS=' .' read -r _ _ major minor _ <<< "$(git --version)"
  [ $((major * 1000 + minor)) -ge 2038 ] || { say "old: $major.$minor"; exit 0; }
  leave 'git cannot merge in here'
}
merged() { difference "$base" "$1" > "$P/merged.patch" || exit 97; }
: > "$P/status"
export GIT_INDEX_FILE=.git/base1
[ ! -s .git/settings ] || git checkout-index -q -z --stdin < .git/settings || exit 97
# Whether any file may have an attribute.
attributes=
[ ! -s "${XDG_CONFIG_HOME:-$HOME/.config}/git/attributes" ] || attributes=1
while IFS= read -r -d '' path; do
  case /$path in */.gitattributes) attributes=1 ;; esac
done < .git/settings || exit 97
# What the image has beside the base's files, and the directories that are above it.
declare -A others above
while IFS= read -r -d '' path; do
  path=${path%/}
  others[/$path]=1
  while [[ $path == */* ]]; do path=${path%/*}; above[/$path]=1; done
done < .git/others || exit 97
agents='1 2' patches=() commits=()
[ "$identical" = 0 ] || agents=1
for n in $agents; do [ ! -s "$P/patch$n.patch" ] || patches+=("$P/patch$n.patch"); done
[ ${#patches[@]} -eq 0 ] ||
  sed -nE '/^((new|deleted) file mode|(old|new) mode|index [^ ]+) /{/ (100644|100755)$/!q1}' "${patches[@]}" ||
  leave 'a patch has more than files'
# What each patch makes of the base. A clone has the base's index once for each.
for n in $agents; do
  GIT_INDEX_FILE=.git/base$n
  [ ! -s "$P/patch$n.patch" ] || git apply --cached "$P/patch$n.patch" || leave "patch $n does not simply apply"
  tree=$(git write-tree) || exit 97
  commits+=("$(git commit-tree -p "$base" -m "agent $n" "$tree")") || exit 97
done
printf '%s\n' "${commits[@]}" |
  git diff-tree --stdin --no-commit-id -r --raw --no-renames --no-abbrev -z > "$P/raw" || exit 97
: > "$P/added"; : > "$P/changed"; : > "$P/ids"
while read -r -d '' _ mode _ id kind && IFS= read -r -d '' path; do
  case /$path/ in */.gitignore/*|*/.gitattributes/*|*/.gitmodules/*) leave "$path is changed" ;; esac
  [ "$kind" != D ] || continue
  case $mode in 100644|100755) ;; *) leave "$path is no file" ;; esac
  [[ ! $path =~ [^/]{256} && ${#path} -le 1000 ]] || leave "$path is too long"
  printf '%s\0' "$path" >> "$P/changed"
  echo "$id" >> "$P/ids"
  [ "$kind" = A ] || continue
  printf '%s\0' "$path" >> "$P/added"
  [ -z "${above[/$path]-}" ] || leave "there are files below $path"
  up=$path
  while [ -z "${others[/$up]-}" ] || leave "there is $up"; [[ $up == */* ]]; do up=${up%/*}; done
done < "$P/raw"
if [ -s "$P/added" ]; then
  git check-ignore --no-index -q -z --stdin < "$P/added"
  [ $? -eq 1 ] || leave 'files that git leaves out'
fi
if [ -s "$P/changed" ]; then
  : > "$P/attributes"
  [ -z "$attributes" ] ||
    git check-attr -z --stdin diff filter ident working-tree-encoding < "$P/changed" > "$P/attributes" || exit 97
  while IFS= read -r -d '' path && IFS= read -r -d '' attribute && IFS= read -r -d '' value; do
    [ "$value" = unspecified ] || leave "$path has $attribute"
  done < "$P/attributes"
  git cat-file --batch < "$P/ids" > "$P/contents" || exit 97
  ! grep -q $'\r' "$P/contents" || leave 'carriage returns'
fi
if [ "$identical" = 1 ]; then
  merged "${commits[0]}"
  printf '%s\n' 'patch1 applied' 'patch2 applied' normalized >> "$P/status"
  exit 0
fi
for n in 1 2; do
  # A clone is made with its refs as files.
  echo "${commits[n-1]}" > ".git/refs/heads/agent$n" || exit 97
  if [ -s "$P/patch$n.patch" ]; then say "patch$n applied"; else say "patch$n skipped"; fi
done
# Merges into $tree; git's own exit codes are 0 (clean) and 1 (conflicts).
join() {
  git merge-tree --write-tree -z --no-messages agent2 agent1 > "$P/tree"
  local code=$?
  IFS= read -r -d '' tree < "$P/tree"
  [ $code -le 1 ] || refuse
  return $code
}
if join; then
  merged "$tree"
  say clean
  exit 0
fi
tail -c +$((${#tree} + 2)) "$P/tree" | head -c 4000000 > "$P/unmerged"
if [ "$union" = 1 ]; then
  echo '* merge=union' >> .gitattributes
  if join; then
    merged "$tree"
    say union
  fi
fi
say conflict
exit 0
"#;

/// The longest line of a program's that is part of a reason, in characters.
pub const REASON: usize = 300;

/// The first line that says something.
#[must_use]
pub fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    one_line(line.unwrap_or("git does not say why"), REASON)
}

/// The last line that says something.
#[must_use]
pub fn last_line(text: &str) -> String {
    let mut lines = text.lines().rev().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    one_line(line.unwrap_or("it printed nothing"), REASON)
}
