//! The layers, what they refuse, and their arms.

use std::time::Duration;

use super::*;
use crate::bench::Setting;

fn with_file(text: &str) -> Result<Config> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("regatta.toml");
    files::write_atomic(&path, text.as_bytes()).unwrap();
    let mut layers = Layers::defaults();
    layers.add_file(Some(&path), None)?;
    layers.config()
}

#[test]
fn the_defaults_are_the_experiment() {
    let config = Layers::defaults().config().unwrap();
    assert_eq!(config.experiment.model, "command-a-03-2025");
    assert_eq!(config.experiment.settings, Setting::USUAL);
    assert_eq!(config.limits.task_timeout, Duration::from_mins(10));
}

#[test]
fn the_reference_shows_every_key() {
    for key in known::keys() {
        let word = key.rsplit('.').next().unwrap();
        assert!(known::DEFAULT.contains(&format!("{word} =")), "{key}");
    }
}

#[test]
fn no_two_keys_share_an_environment_variable() {
    let mut words: Vec<String> = known::keys()
        .map(|key| key.rsplit('.').next().unwrap().to_owned())
        .collect();
    let all = words.len();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), all);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    for (text, near) in [
        ("[experiment]\nconcurency = 2", "experiment.concurrency"),
        ("[limits]\nconcurrency = 2", "experiment.concurrency"),
        ("[experiments]\nmodel = 'x'", "experiment"),
        ("modle = 'x'", "experiment.model"),
        ("task_timout = '5m'", "limits.task_timeout"),
        ("[limits]\nmodle = 'x'", "experiment.model"),
        ("budget = 5", "limits.budget"),
    ] {
        let error = with_file(text).unwrap_err();
        assert!(error.to_string().contains("unknown key"), "{error}");
        assert_eq!(error.hints(), [format!("did you mean `{near}`?")]);
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "[experiment]\nconcurency = 2\nmodel = 5\n[zzzzzz]\nx = 1\n[limits]\ngrace = 'soon'\n[native]\npids = 64\n";
    let error = with_file(text).unwrap_err();
    let said = error.to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "the configuration has 4 mistakes:");
    for (line, why) in [
        (
            1,
            "unknown key `experiment.concurency`; did you mean `experiment.concurrency`?",
        ),
        (2, "experiment.model = 5 is no text: write it in quotes"),
        (
            3,
            "limits.grace = \"soon\" is no duration: write \"90s\", \"10m\", \"1h30m\", or seconds as a number",
        ),
        (4, "unknown key `zzzzzz`"),
    ] {
        assert!(lines[line].ends_with(why), "{said}");
    }
    assert_eq!(
        error.hints(),
        ["`regatta config --default` lists every key"]
    );
    let text = "[experiment]\nconcurrency = 0\nmodel = ' '\n[native]\ncpus = 0\n";
    let said = with_file(text).unwrap_err().to_string();
    assert_eq!(said.lines().count(), 4, "{said}");
    let text = "[experiment]\nbackend = 'dokcer'\nsettings = ['coop', 'solo']\n[evaluation]\nrules = '0.0.28'\n";
    let said = with_file(text).unwrap_err().to_string();
    assert!(
        said.contains("did you mean `coop-comm` or `coop-nocomm`?"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 4, "{said}");
    let mut layers = Layers::defaults();
    let typed = ["REGATTA_MODLE", "REGATTA_BUDGET"].map(|name| (name.to_owned(), "abc".to_owned()));
    let said = layers
        .add_environment(typed.into_iter())
        .unwrap_err()
        .to_string();
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn a_profile_that_there_is_not_is_answered_with_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("regatta.toml");
    files::write_atomic(&path, b"[profile.tidal.limits]\ngrace = 1\n").unwrap();
    for (name, hint) in [
        ("dmo", "did you mean `demo`?"),
        ("tidl", "did you mean `tidal`?"),
        (
            "zzzzzzz",
            "profiles are [profile.NAME] tables of a configuration file; there are: tidal, demo",
        ),
    ] {
        let error = Layers::defaults()
            .add_file(Some(&path), Some(name))
            .unwrap_err();
        assert_eq!(error.hints(), [hint]);
    }
}

#[test]
fn later_layers_win_and_say_where_they_come_from() {
    let mut layers = Layers::defaults();
    let variable = ("REGATTA_CONCURRENCY".to_owned(), "7".to_owned());
    layers.add_environment([variable].into_iter()).unwrap();
    layers
        .set("experiment.model", "openai/x", "--model")
        .unwrap();
    let config = layers.config().unwrap();
    assert_eq!(
        (
            config.experiment.concurrency,
            config.experiment.model.as_str()
        ),
        (7, "openai/x")
    );
    let listed: Vec<_> = layers
        .list()
        .filter(|(_, _, origin)| *origin != "default")
        .collect();
    assert_eq!(listed.len(), 2);
    let wrong = ("REGATTA_CONCURENCY".to_owned(), "7".to_owned());
    let error = layers.add_environment([wrong].into_iter()).unwrap_err();
    assert_eq!(error.hints(), ["did you mean `REGATTA_CONCURRENCY`?"]);
}

#[test]
fn values_that_make_no_sense_are_refused_with_their_origin() {
    for (text, why) in [
        ("[experiment]\nconcurrency = 0", "at least 1"),
        ("[experiment]\nbackend = 'dokcer'", "did you mean `docker`"),
        ("[limits]\ntask_timeout = 'soon'", "no duration"),
        ("[limits]\nbudget = -1.0", "more than 0"),
        (
            "[experiment]\nsettings = ['both']",
            "must be one of solo, coop-comm, coop-nocomm",
        ),
    ] {
        let error = with_file(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn groups_are_named_by_the_user() {
    let config = with_file("[groups]\na = [\"x_?\", \"y\"]\n\"b.2\" = \"z\"").unwrap();
    let groups: Vec<_> = config.groups.iter().collect();
    let (a, b) = (vec!["x_?".to_owned(), "y".to_owned()], vec!["z".to_owned()]);
    assert_eq!(groups, [(&"a".to_owned(), &a), (&"b.2".to_owned(), &b)]);
    let error = with_file("[group]\na = [\"x\"]").unwrap_err();
    assert_eq!(error.hints(), ["did you mean `groups`?"]);
}

#[test]
fn models_with_dots_in_their_names_can_have_prices() {
    let config = with_file(
        "[prices.models.\"openai/gpt-4.1\"]\ninput_cost_per_token = 1e-6\noutput_cost_per_token = 2e-6",
    );
    assert!(config.unwrap().prices.models.contains_key("openai/gpt-4.1"));
}
