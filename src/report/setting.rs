//! Which setting a run is, by what says so best.

use crate::bench::setting::{RunSetting, Tree};
use crate::bench::{RunName, Setting};
use crate::store::run_config::RunConfig;
use crate::store::{Manifest, ResultFile, RunDir, TrialRecord, result};

/// The setting of a run; its results are read where nothing else tells.
#[must_use]
pub fn setting_of_run(run: &RunDir, manifest: Option<&Manifest>) -> Option<RunSetting> {
    let mut pairs = None;
    let said = std::iter::from_fn(|| {
        let pairs = pairs.get_or_insert_with(|| run.pairs().unwrap_or_default().into_iter());
        let mut said =
            pairs.filter_map(
                |(tree, pair)| match result::read(&run.pair(tree, &pair).result()) {
                    ResultFile::Read(record) => Some(ToldSetting::of(tree, &record)),
                    ResultFile::Missing | ResultFile::Unreadable(_) => None,
                },
            );
        said.next()
    });
    setting_by(run, manifest, said)
}

/// What a result says of its run's setting.
#[derive(Debug)]
pub struct ToldSetting {
    tree: Tree,
    setting: Option<Setting>,
    has_messages: bool,
}

impl ToldSetting {
    /// Of a result, and of the tree that it stands in.
    #[must_use]
    pub fn of(tree: Tree, record: &TrialRecord) -> Self {
        Self {
            tree,
            setting: record.setting.as_deref().and_then(exact),
            has_messages: record.messages_sent.is_some_and(|count| count > 0),
        }
    }
}

/// The setting of a run: its manifest's; or that of its one tree, wherever that stands, and of a coop tree what
/// `config.json`, the results and, last, the run's name tell of messages.
///
/// A `config.json` is of the last invocation, which may have been of another tree.
#[must_use]
pub fn setting_by(
    run: &RunDir,
    manifest: Option<&Manifest>,
    results: impl IntoIterator<Item = ToldSetting>,
) -> Option<RunSetting> {
    if let Some(manifest) = manifest {
        return Some(RunSetting::Of(manifest.setting));
    }
    let mut results = results.into_iter();
    let mut read = Vec::new();
    let config = RunConfig::read(run).unwrap_or_default();
    let trees = Tree::ALL
        .into_iter()
        .filter(|tree| run.tree(*tree).is_dir());
    let tree = match trees.collect::<Vec<_>>().as_slice() {
        [tree] => *tree,
        [] => {
            // Only its results tell the trees of older days apart.
            read.extend(results.by_ref());
            match read.as_slice() {
                [] => tree_of(config.setting()?)?,
                [one, rest @ ..] if rest.iter().all(|other| other.tree == one.tree) => one.tree,
                _ => return None,
            }
        }
        _ => return None,
    };
    match tree {
        Tree::Solo | Tree::OldSolo => return Some(RunSetting::Of(Setting::Solo)),
        Tree::Team => return Some(RunSetting::Of(Setting::Team)),
        Tree::Coop | Tree::OldCoop => {}
    }
    let word = config.setting();
    if word.is_none_or(|word| tree_of(word) == Some(Tree::Coop)) {
        let messaging = config.messaging().map(Setting::coop);
        if let Some(setting) = config.setting().and_then(exact).or(messaging) {
            return Some(RunSetting::Of(setting));
        }
    }
    let told = by_results(read.into_iter().chain(results)).or_else(|| by_name(run.name()));
    Some(told.map_or(RunSetting::Coop, RunSetting::Of))
}

/// A word that names a setting and not only a tree.
fn exact(word: &str) -> Option<Setting> {
    word.parse().ok().filter(|it| *it != Setting::Solo)
}

fn tree_of(word: &str) -> Option<Tree> {
    let tree = Tree::ALL.into_iter().find(|tree| tree.name() == word);
    tree.or_else(|| Some(word.parse::<Setting>().ok()?.tree()))
}

/// One message says that the agents could send some; none says nothing.
fn by_results(results: impl IntoIterator<Item = ToldSetting>) -> Option<Setting> {
    results.into_iter().find_map(|said| {
        let by_messages = said.has_messages.then_some(Setting::CoopComm);
        said.setting.or(by_messages)
    })
}

fn by_name(name: &RunName) -> Option<Setting> {
    [Setting::CoopNocomm, Setting::CoopComm]
        .into_iter()
        .find(|setting| name.as_str().ends_with(setting.name()))
}
