//! Two agents' patches become one, as upstream merges them.

use serde::{Deserialize, Serialize};

use super::venue::{Room, text};
use super::{RuleSet, Trouble};
use crate::sandbox::CommandEnd;

/// The largest merged patch that is read.
const MAX_MERGED: u64 = 200 << 20;

/// What became of one patch on its own branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// It is on its branch.
    Applied,
    /// It is empty.
    Skipped,
    /// Git refuses it.
    Failed,
}

impl Applied {
    /// Upstream's word.
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
    /// They merge.
    Clean(#[serde(with = "as_text")] Vec<u8>),
    /// They don't, and keeping both sides is not asked for, or cannot be done.
    Conflict,
    /// They don't, and keeping both sides of each conflict gives this.
    Union(#[serde(with = "as_text")] Vec<u8>),
    /// Both are the same: one of them, as git reads it.
    Identical(#[serde(with = "as_text")] Vec<u8>),
}

/// Bytes as a text of as many characters (Latin-1), which in JSON are no list of numbers.
mod as_text {
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
    /// What came out.
    pub joined: Joined,
}

/// Merges two patches in a room; it is left on another commit than the base.
pub async fn merge(room: &mut Room, patches: [&[u8]; 2], rules: RuleSet) -> Result<Merge, Trouble> {
    for (index, patch) in patches.iter().enumerate() {
        room.put(&format!("patch{}.patch", index + 1), patch)
            .await?;
    }
    let base = room.base().to_owned();
    let is_identical =
        rules == RuleSet::V0_0_29 && !patches[0].is_empty() && patches[0] == patches[1];
    let script = if is_identical {
        identical(&base)
    } else {
        branches(&base, rules)
    };
    let output = room.git(&script).await?;
    let said = text(&output);
    let status = room.get("status", 1000).await;
    let (CommandEnd::Exited(0), Ok(status)) = (output.end, status) else {
        return Err(Trouble::new(
            "merge_broken",
            format!("the patches could not be merged: {}", last_line(&said)),
        ));
    };
    let status = String::from_utf8_lossy(&status).into_owned();
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
    let joined = if is_identical {
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
    Ok(Merge { applied, joined })
}

/// Who the commits are by; they are seen by nobody.
const AUTHOR: &str =
    "git config user.name evaluation && git config user.email evaluation@localhost";

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
    git diff "$base" HEAD > "$P/merged.patch"
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
  elif git apply "$P/patch$1.patch" || git apply --3way "$P/patch$1.patch"; then say "patch$1 applied"
  else say "patch$1 failed"
  fi
  git add -A
  git commit -q -m "agent $1" --allow-empty
}}
rm -f "$P/status"
branch 1
branch 2
if git merge agent1 --no-commit --no-ff; then
  git commit -q -m merge
  git diff "$base" HEAD > "$P/merged.patch"
  say clean
else
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
rm -f "$P/status"
echo 'patch1 applied
patch2 applied' > "$P/status"
git checkout -q {base} && git checkout -q -b identical || exit 97
if git apply "$P/patch1.patch" || git apply --recount "$P/patch1.patch"; then
  git add -A
  git commit -q -m merged --allow-empty
  git diff {base} HEAD > "$P/merged.patch"
  echo normalized >> "$P/status"
fi
exit 0
"#
    )
}

/// A line for a reason: short, and without what could drive a terminal.
#[must_use]
pub fn plain(line: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    line.chars().map(plain).take(300).collect()
}

/// The last line that says something.
#[must_use]
pub fn last_line(text: &str) -> String {
    let mut lines = text.lines().rev().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    plain(line.unwrap_or("it printed nothing"))
}
