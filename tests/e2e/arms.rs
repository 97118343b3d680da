//! Four arms and three repeats over the fixture, killed at work and gone on with.

use crate::lab::{Lab, Version};
use crate::support::begun_in_order;

/// Its third arm has a model, an endpoint and a variable for its key of its own.
fn arms(base: &str) -> String {
    format!(
        r#"
[[arm]]
name = "lone"
setting = "solo"
[[arm]]
name = "talk"
setting = "coop-comm"
[[arm]]
name = "heron"
setting = "coop-nocomm"
model = "openai/heron-3"
api_base = "{base}/v1"
api_key_env = "HERON_KEY"
[[arm]]
name = "slow"
setting = "coop-nocomm"
task_timeout = "20m"
[prices.models."openai/heron-3"]
input_cost_per_token = 1e-06
output_cost_per_token = 1e-06
"#
    )
}

fn killed_in_the_second_repeat(version: Version) {
    let mut lab = Lab::new(version);
    lab.env.push(("HERON_KEY".to_owned(), "x-heron".to_owned()));
    lab.configure(&arms(&lab.base()));
    let study = |repeats: &str| {
        let line = format!("run --smoke 1 --no-progress --repeats {repeats}");
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let args = study("3");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let once = study("1");
    let once: Vec<&str> = once.iter().map(String::as_str).collect();
    lab.run(&once).code(0);
    // The second repeat of the third arm is at work when everything is killed.
    lab.fault("hold when=heron-3");
    let run = lab.start(&args);
    lab.wait_for_requests("heron-3", 1);
    run.signal("-KILL");
    run.wait();
    lab.fault("");
    lab.run(&args).code(0);

    let name = |arm: &str, repeat: u32| match repeat {
        1 => format!("t-{arm}"),
        _ => format!("t-{arm}-r{repeat}"),
    };
    let order: Vec<String> = (1..=3)
        .flat_map(|repeat| ["lone", "talk", "heron", "slow"].map(|arm| name(arm, repeat)))
        .collect();
    let begun = begun_in_order(&lab.place.join("cb/logs"), &order);
    assert_eq!(begun[begun.len() - 12..], order, "{begun:?}");
    let mut spent = 0.0;
    for run in &order {
        let ledger = lab.place.lines(run, "ledger");
        let submitted = ledger.iter().filter(|it| it["status"] == "Submitted");
        assert_eq!(submitted.count(), 1, "{run}: {ledger:#?}");
        if *run != name("heron", 2) {
            assert_eq!(ledger.len(), 1, "{run}: {ledger:#?}");
        }
        spent += ledger
            .iter()
            .filter_map(|it| it["cost"].as_f64())
            .sum::<f64>();
        let manifest = format!("cb/logs/{run}/regatta/manifest.json");
        let model = lab.place.json(&manifest)["model"].clone();
        assert_eq!(model == "openai/heron-3", run.contains("heron"), "{run}");
        assert!(lab.left_over(run).is_empty(), "{run}");
    }
    // The budget is that of all of them, whichever arm is asked for.
    let budget = format!("{:.6}", spent * 0.999);
    let fourth = study("4");
    let fourth: Vec<&str> = fourth.iter().map(String::as_str).collect();
    let fourth = [&fourth[..], &["--arm", "lone", "--budget", &budget]].concat();
    lab.run(&fourth).code(4);
    assert!(lab.place.lines("t-lone-r4", "ledger").is_empty());
}

#[test]
#[ignore = "needs Docker, Redis and upstream; `just e2e` runs it"]
fn a_study_on_upstream_that_is_killed_goes_on() {
    killed_in_the_second_repeat(Version::V29);
}

#[test]
#[ignore = "needs Docker; `just e2e` runs it"]
fn a_study_on_the_native_engine_that_is_killed_goes_on() {
    killed_in_the_second_repeat(Version::Native);
}
