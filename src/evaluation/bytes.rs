//! A submission byte for byte: what is mended is only what git does not take otherwise.

use std::fmt::Write as _;

use super::cache::Key;
use super::judge::{Judge, Judgement};
use super::patch::{Part, PatchReading, Prepared, parts};
use super::venue::{Room, exit_code, text};
use super::{Asking, Trouble};
use crate::bench::{Pair, RuleId, TaskKey};
use crate::evaluation::merge::last_line;

/// So many parts of a patch are asked for one by one; of more, all are mended or none.
const MAX_PARTS: usize = 200;
/// The most of the answer that is read, in bytes.
const MAX_CHOICES: u64 = 100_000;

/// A submission as it is tested, with the headers of what had to be mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsSubmitted {
    /// The patch to test: each of its parts as it is, or as git takes it.
    pub patch: Prepared,
    /// What was mended of it.
    pub mended: Vec<String>,
}

impl Judge {
    /// A patch as it is; where that does not apply to the base, with those parts mended that apply
    /// only so.
    pub(super) async fn as_submitted(
        &self,
        task: &TaskKey,
        raw: &[u8],
        asking: &Asking<'_>,
    ) -> Result<AsSubmitted, Trouble> {
        let (parts, dropped) = parts(raw, self.rules);
        let choices = if parts.iter().all(|part| part.choices.len() == 1) {
            vec![0; parts.len()]
        } else {
            self.choices(task, &parts, asking).await?
        };
        let mut told = AsSubmitted::default();
        told.patch.dropped = dropped;
        for (part, choice) in parts.iter().zip(choices) {
            if choice > 0 {
                told.mended.push(part.header());
            }
            let bytes = part.choices.get(choice).unwrap_or(&part.choices[0]);
            told.patch.bytes.extend(bytes);
        }
        Ok(told)
    }

    /// Which choice of each part git takes.
    async fn choices(
        &self,
        task: &TaskKey,
        parts: &[Part],
        asking: &Asking<'_>,
    ) -> Result<Vec<usize>, Trouble> {
        let ground = self.venue.ground(task).await;
        let mut key = Key::of("as-it-is", ground.as_deref(), &task.to_string());
        for part in parts {
            key.add(&part.choices[0]);
        }
        let work = async |room: &mut Room| choose(room, parts).await;
        let work = self.venue.within(task, asking.run, work);
        self.cache.once(key, Box::pin(work)).await
    }

    /// The verdict on upstream's submissions byte for byte, where its rules change them on their
    /// way to the tests; none where they don't.
    pub(super) async fn by_bytes(
        &self,
        pair: &Pair,
        raw: &[&[u8]],
        mended: &[Prepared],
        judgement: &Judgement,
        asking: &Asking<'_>,
    ) -> Result<Option<Judgement>, Trouble> {
        let mut patches = Vec::new();
        for raw in raw {
            patches.push(self.as_submitted(&pair.task, raw, asking).await?.patch);
        }
        let loses_bytes = judgement.merge.as_ref().is_some_and(|it| it.loses_bytes);
        let same = |(one, other): (&Prepared, &Prepared)| one.bytes == other.bytes;
        if !loses_bytes && patches.iter().zip(mended).all(same) {
            return Ok(None);
        }
        let judged = self.verdict(pair, &patches, PatchReading::AsItIs, asking);
        Ok(Some(Box::pin(judged).await?))
    }
}

/// Asks git, on the base: the whole as it is, then the parts that could be another.
async fn choose(room: &mut Room, parts: &[Part]) -> Result<Vec<usize>, Trouble> {
    let with = |choice: &dyn Fn(&Part) -> usize| -> Vec<u8> {
        let bytes = parts.iter().map(|part| &part.choices[choice(part)][..]);
        bytes.collect::<Vec<_>>().concat()
    };
    let last = |part: &Part| part.choices.len() - 1;
    room.put("whole-0", &with(&|_| 0)).await?;
    let open: Vec<usize> = (0..parts.len()).filter(|n| last(&parts[*n]) > 0).collect();
    let is_too_much = open.len() > MAX_PARTS;
    let mut asked = String::new();
    if is_too_much {
        room.put("whole-1", &with(&last)).await?;
        asked.push_str("takes whole-1 && echo all >> \"$P/choices\"\n");
    } else {
        for n in &open {
            let choices = &parts[*n].choices;
            for (choice, bytes) in choices.iter().enumerate() {
                room.put(&format!("part-{n}-{choice}"), bytes).await?;
            }
            let tries = (0..choices.len()).map(|choice| {
                format!("{{ takes part-{n}-{choice} && echo {n} {choice} >> \"$P/choices\"; }}")
            });
            let _ = writeln!(asked, "{}", tries.collect::<Vec<_>>().join(" || "));
        }
    }
    let script = format!(
        r#"rm -f .git/index.lock
git checkout -q -f {base} && git reset -q --hard {base} && git clean -q -fd || exit 97
: > "$P/choices"
takes() {{ git apply --check "$P/$1" 2> /dev/null; }}
takes whole-0 && exit 0
git apply --3way "$P/whole-0" > /dev/null 2>&1 && exit 0
git reset -q --hard {base} && git clean -q -fd || exit 97
{asked}exit 0"#,
        base = room.base()
    );
    let output = room.git(&script).await?;
    if exit_code(&output) != Some(0) {
        let why = last_line(&text(&output));
        return Err(Trouble::new(
            RuleId::SANDBOX_SETUP,
            format!("git could not be asked whether a patch applies: {why}"),
        ));
    }
    let answer = room.get("choices", MAX_CHOICES).await?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.lines().any(|line| line == "all") {
        return Ok(parts.iter().map(last).collect());
    }
    let mut chosen = vec![0; parts.len()];
    for line in answer.lines() {
        let words = line
            .split_once(' ')
            .map(|(n, choice)| (n.parse(), choice.parse()));
        if let Some((Ok::<usize, _>(n), Ok(choice))) = words
            && let Some(place) = chosen.get_mut(n)
        {
            *place = choice;
        }
    }
    Ok(chosen)
}
