//! A patch without what steers tests, made by git in a room.

use serde::{Deserialize, Serialize};

use super::{Back, Steers, put_back, steers};
use crate::bench::RuleId;
use crate::evaluation::Trouble;
use crate::evaluation::merge::{as_text, last_line};
use crate::evaluation::venue::{Room, exit_code, text};

/// A larger file is put back as a whole, in bytes.
const MAX_FILE: u64 = 8 << 20;
/// The largest list of files, and the largest patch, that are read.
const MAX_PATCH: u64 = 200 << 20;

/// What became of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stripped {
    /// The files of it that steer.
    pub files: Vec<String>,
    /// The patch without that; `None` where git does not take the one that there is.
    #[serde(with = "optional")]
    pub patch: Option<Vec<u8>>,
}

/// One changed file, as `git diff --raw` tells of it.
#[derive(Debug, PartialEq, Eq)]
struct Changed {
    modes: [String; 2],
    ids: [String; 2],
    path: Vec<u8>,
}

/// Puts what steers in a patch back to the base.
pub async fn strip(room: &mut Room, patch: &[u8], runner: &str) -> Result<Stripped, Trouble> {
    room.put("work.patch", patch).await?;
    let base = room.base().to_owned();
    let applied = format!(
        r#"rm -f .git/index.lock
git checkout -q -f {base} && git reset -q --hard {base} || exit 97
git apply --cached "$P/work.patch" 2>/dev/null ||
  git apply --cached --ignore-whitespace "$P/work.patch" 2>/dev/null ||
  git apply --3way "$P/work.patch" >/dev/null 2>&1 || exit 1
git diff --cached --raw --no-renames --no-abbrev -z {base} > "$P/raw" || exit 97"#
    );
    if !asked(room, &applied).await? {
        return Ok(Stripped {
            files: super::named(patch, runner),
            patch: None,
        });
    }
    let mut files = Vec::new();
    let mut index = Vec::new();
    for changed in changed(&room.get("raw", MAX_PATCH).await?) {
        let name = String::from_utf8_lossy(&changed.path).into_owned();
        let Some(how) = steers(&name, runner) else {
            continue;
        };
        if let Some((mode, id)) = place(room, how, &changed).await? {
            files.push(name);
            index.extend(format!("{mode} {id}\t").into_bytes());
            index.extend(&changed.path);
            index.push(0);
        }
    }
    if files.is_empty() {
        let patch = Some(patch.to_vec());
        return Ok(Stripped { files, patch });
    }
    room.put("index-info", &index).await?;
    let back = format!(
        r#"git update-index -z --add --replace --index-info < "$P/index-info" || exit 1
git diff --cached --binary --full-index --no-renames --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ {base} > "$P/stripped.patch" || exit 97"#
    );
    let patch = if asked(room, &back).await? {
        Some(room.get("stripped.patch", MAX_PATCH).await?)
    } else {
        None
    };
    Ok(Stripped { files, patch })
}

/// Where a changed file goes back to, as mode and id in the index; `None` where it stays.
async fn place(
    room: &mut Room,
    how: Steers,
    changed: &Changed,
) -> Result<Option<(String, String)>, Trouble> {
    let gone = || ("0".to_owned(), "0".repeat(changed.ids[0].len()));
    let is_in_base = !changed.ids[0].bytes().all(|byte| byte == b'0');
    let of_base = || {
        if is_in_base {
            (changed.modes[0].clone(), changed.ids[0].clone())
        } else {
            gone()
        }
    };
    // Another mode alone steers nothing.
    if changed.ids[0] == changed.ids[1] {
        return Ok(None);
    }
    if how == Steers::Whole {
        return Ok(Some(of_base()));
    }
    if how == Steers::Shim {
        return Ok((!is_in_base).then(gone));
    }
    if matches!(how, Steers::NewSaying(_)) && is_in_base {
        return Ok(None);
    }
    let mut contents = [None, None];
    for (content, (mode, id)) in contents
        .iter_mut()
        .zip(changed.modes.iter().zip(&changed.ids))
    {
        if id.bytes().all(|byte| byte == b'0') {
            continue;
        }
        let script = format!(
            r#"[ "$(git cat-file -s {id})" -le {MAX_FILE} ] || exit 1
git cat-file blob {id} > "$P/blob" || exit 97"#
        );
        // A link, or a file of no such size, is none that has sections.
        if !mode.starts_with("100") || !asked(room, &script).await? {
            return Ok(Some(of_base()));
        }
        *content = Some(room.get("blob", MAX_FILE).await?);
    }
    let [base, work] = &contents;
    match put_back(how, base.as_deref(), work.as_deref()) {
        Back::Untouched => Ok(None),
        Back::Gone => Ok(Some(gone())),
        Back::File(bytes) if base.as_ref() == Some(&bytes) => Ok(Some(of_base())),
        Back::File(bytes) => {
            room.put("blob", &bytes).await?;
            let script = r#"git hash-object -w --no-filters "$P/blob""#;
            let output = room.git(script).await?;
            let id = text(&output).trim().to_owned();
            let is_id =
                exit_code(&output) == Some(0) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_id {
                return Err(broken(&text(&output)));
            }
            Ok(Some((changed.modes[1].clone(), id)))
        }
    }
}

/// Runs a script; says whether it ended with 0 rather than with 1.
async fn asked(room: &mut Room, script: &str) -> Result<bool, Trouble> {
    let output = room.git(script).await?;
    match exit_code(&output) {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(broken(&text(&output))),
    }
}

fn broken(said: &str) -> Trouble {
    let why = last_line(said);
    Trouble::new(
        RuleId::SANDBOX_SETUP,
        format!("what steers tests could not be put back: {why}"),
    )
}

/// Reads `:<mode> <mode> <id> <id> <kind>\0<path>\0`; what is no file or link is passed over.
fn changed(raw: &[u8]) -> Vec<Changed> {
    let mut parts = raw.split(|byte| *byte == 0);
    let mut all = Vec::new();
    while let (Some(head), Some(path)) = (parts.next(), parts.next()) {
        let head = String::from_utf8_lossy(head);
        let words: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [before, after, old, new, _] = words.as_slice() else {
            continue;
        };
        let modes = [before, after].map(|mode| (*mode).to_owned());
        let ids = [old, new].map(|id| (*id).to_owned());
        let is_id = |id: &String| id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_file =
            |mode: &String| ["000000", "100644", "100755", "120000"].contains(&mode.as_str());
        if ids.iter().all(is_id) && modes.iter().all(is_file) {
            let path = path.to_vec();
            all.push(Changed { modes, ids, path });
        }
    }
    all
}

/// Bytes that may be none, as [`as_text`] writes them.
mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Text(#[serde(with = "super::as_text")] Vec<u8>);

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Text).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_read_as_git_tells_of_them() {
        let (old, new, none) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let raw = format!(
            ":100644 100755 {old} {new} M\0a b\n.py\0:000000 160000 {none} {new} A\0sub\0:000000 120000 {none} {new} A\0link\0"
        );
        let paths: Vec<_> = changed(raw.as_bytes())
            .into_iter()
            .map(|it| it.path)
            .collect();
        assert_eq!(paths, [b"a b\n.py".to_vec(), b"link".to_vec()]);
        assert_eq!(changed(b""), []);
    }

    #[test]
    fn a_changed_file_has_its_modes_and_ids_before_and_after() {
        let (old, new) = ("a".repeat(40), "1".repeat(64));
        let raw = format!(":100644 100755 {old} {new} M\0a.py\0");
        let modes = ["100644", "100755"].map(str::to_owned);
        let path = b"a.py".to_vec();
        let ids = [old, new];
        assert_eq!(changed(raw.as_bytes()), [Changed { modes, ids, path }]);
    }

    #[test]
    fn a_line_with_an_id_that_is_none_is_passed_over() {
        let whole = "a".repeat(40);
        for other in ["a".repeat(39), "g".repeat(40), "$(reboot)".repeat(5)] {
            for [old, new] in [[&whole, &other], [&other, &whole]] {
                let raw = format!(":100644 100644 {old} {new} M\0a.py\0");
                assert_eq!(changed(raw.as_bytes()), [], "{raw}");
            }
        }
        let raw = format!(":100644 100600 {whole} {whole} M\0a.py\0");
        assert_eq!(changed(raw.as_bytes()), []);
    }

    #[test]
    fn a_stripped_patch_is_kept_byte_for_byte_and_none_as_none() {
        for patch in [
            None,
            Some(Vec::new()),
            Some(vec![0]),
            Some(b"a\n\xff".to_vec()),
        ] {
            let files = vec!["conftest.py".to_owned()];
            let stripped = Stripped { files, patch };
            let json = serde_json::to_string(&stripped).unwrap();
            let read: Stripped = serde_json::from_str(&json).unwrap();
            assert_eq!(read, stripped, "{json}");
        }
    }
}
