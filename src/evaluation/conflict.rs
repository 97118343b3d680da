//! What could not be merged: the files, and the places in them, as git tells of them while both sides
//! are there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Trouble;
use super::venue::{Room, exit_code};
use crate::store::eval::{Conflict, ConflictFile};

/// The file, beside the patches, of what a merge left unmerged: git's `mode id stage\tpath`, each
/// ended by a zero.
pub const UNMERGED: &str = "unmerged";

/// The most of it that is read, in bytes.
const MAX_UNMERGED: u64 = 4 << 20;
/// So many files are told of with their places.
const MAX_FILES: usize = 50;
/// So many places of a file are.
const MAX_HUNKS: usize = 20;
/// The most of a place that is kept, in characters.
const MAX_HUNK: usize = 4000;
/// The most of a file's places that is read, in bytes.
const MAX_MARKED: usize = 400_000;
/// The line with which git begins a place that it cannot merge.
const MARK: &str = "<<<<<<< agent2";

/// A file's versions by the stages of git's index: the base's, the second agent's and the first's.
type Stages = [Option<String>; 3];

/// Reads what a merge in this room left unmerged.
pub async fn read(room: &mut Room) -> Result<Conflict, Trouble> {
    let list = room.get(UNMERGED, MAX_UNMERGED).await?;
    let files = unmerged(&list);
    let more_files = files.len().saturating_sub(MAX_FILES);
    let mut told = Vec::new();
    for (path, stages) in files.into_iter().take(MAX_FILES) {
        let marked = match &stages {
            [base, Some(second), Some(first)] => {
                marked(room, base.as_deref(), second, first).await?
            }
            _ => String::new(),
        };
        let (hunks, more_hunks) = hunks(&marked);
        told.push(ConflictFile {
            path: String::from_utf8_lossy(&path).into_owned(),
            how: how(&stages).to_owned(),
            hunks,
            more_hunks,
        });
    }
    Ok(Conflict {
        files: told,
        more_files,
    })
}

/// The files of git's list, with the ids of their versions.
fn unmerged(list: &[u8]) -> BTreeMap<Vec<u8>, Stages> {
    let mut files: BTreeMap<Vec<u8>, Stages> = BTreeMap::new();
    for entry in list.split(|byte| *byte == 0) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else {
            continue;
        };
        let words = String::from_utf8_lossy(&entry[..tab]).into_owned();
        let words: Vec<&str> = words.split(' ').collect();
        let [_, id, stage] = words.as_slice() else {
            continue;
        };
        let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let stage = stage.parse::<usize>().ok().filter(|n| (1..=3).contains(n));
        if let (true, Some(stage)) = (is_id, stage) {
            let stages = files.entry(entry[tab + 1..].to_vec()).or_default();
            stages[stage - 1] = Some((*id).to_owned());
        }
    }
    files
}

/// What each agent did, by the versions that there are.
const fn how(stages: &Stages) -> &'static str {
    match stages {
        [Some(_), Some(_), Some(_)] => "both changed it",
        [None, Some(_), Some(_)] => "both added it",
        [Some(_), Some(_), None] => "agent1 deleted or moved it, agent2 changed it",
        [Some(_), None, Some(_)] => "agent1 changed it, agent2 deleted or moved it",
        [Some(_), None, None] => "both moved it, or one moved and the other deleted it",
        [None, Some(_), None] => "agent2 added or moved it here",
        [None, None, _] => "agent1 added or moved it here",
    }
}

/// The places of a file that git cannot merge, between its marks; nothing where it is no text.
async fn marked(
    room: &mut Room,
    base: Option<&str>,
    second: &str,
    first: &str,
) -> Result<String, Trouble> {
    let mut script = String::new();
    for (name, id) in [
        ("base", base),
        ("second", Some(second)),
        ("first", Some(first)),
    ] {
        let _ = match id {
            Some(id) => writeln!(script, "git cat-file blob {id} > \"$P/{name}\" || exit 1"),
            None => writeln!(script, ": > \"$P/{name}\""),
        };
    }
    let _ = write!(
        script,
        r#"git merge-file -p --diff3 -L agent2 -L base -L agent1 "$P/second" "$P/base" "$P/first" > "$P/joined"
[ $? -le 127 ] || exit 1
sed -n '/^<<<<<<< agent2/,/^>>>>>>> agent1/p' "$P/joined" | head -c {MAX_MARKED} > "$P/marked"
exit 0"#
    );
    let output = room.git(&script).await?;
    // A link, a submodule or bytes: git has no places to tell of.
    if exit_code(&output) != Some(0) {
        return Ok(String::new());
    }
    let marked = room.get("marked", MAX_MARKED as u64).await?;
    Ok(String::from_utf8_lossy(&marked).into_owned())
}

/// The places, and how many more there are.
fn hunks(marked: &str) -> (Vec<String>, usize) {
    let mut hunks: Vec<String> = Vec::new();
    for line in marked.split_inclusive('\n') {
        if line.starts_with(MARK) {
            hunks.push(String::new());
        }
        if let Some(hunk) = hunks.last_mut() {
            hunk.push_str(line);
        }
    }
    let more = hunks.len().saturating_sub(MAX_HUNKS);
    hunks.truncate(MAX_HUNKS);
    for hunk in &mut hunks {
        if let Some((end, _)) = hunk.char_indices().nth(MAX_HUNK) {
            hunk.truncate(end);
            hunk.push('…');
        }
    }
    (hunks, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_agent_did_is_told_by_the_versions() {
        let id = "ab".repeat(20);
        let entry = |stage: u8, path: &str| format!("100644 {id} {stage}\t{path}\0");
        let list = [
            entry(1, "both"),
            entry(2, "both"),
            entry(3, "both"),
            entry(2, "a new\tone"),
            entry(3, "a new\tone"),
            entry(1, "gone"),
            entry(2, "gone"),
            "100644 none 1\tx\0".to_owned(),
            format!("100644 {id} 4\ty\0"),
            "garbage\0".to_owned(),
        ]
        .concat();
        let told: Vec<_> = unmerged(list.as_bytes())
            .into_iter()
            .map(|(path, stages)| (String::from_utf8(path).unwrap(), how(&stages)))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(path, how)| (path.as_str(), *how))
            .collect();
        assert_eq!(
            told,
            [
                ("a new\tone", "both added it"),
                ("both", "both changed it"),
                ("gone", "agent1 deleted or moved it, agent2 changed it"),
            ]
        );
    }

    #[test]
    fn places_are_bounded_and_what_is_left_out_is_counted() {
        let one = format!("{MARK}\n{}\n>>>>>>> agent1\n", "é".repeat(MAX_HUNK));
        let (told, more) = hunks(&one.repeat(MAX_HUNKS + 3));
        assert_eq!((told.len(), more), (MAX_HUNKS, 3));
        assert_eq!(told[0].chars().count(), MAX_HUNK + 1);
        assert_eq!(hunks(""), (Vec::new(), 0));
        assert_eq!(hunks("no mark\n"), (Vec::new(), 0));
    }
}
