//! `report --format html` and `view`: what is in the file, and what is refused. How a page looks is
//! tested in a browser (tests/browser).

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use regatta::model::price::PriceTable;
use regatta::secret::PageMask;
use regatta::store::LogTree;
use regatta::survey::Stand;
use regatta::triage::Rules;
use regatta::view::page::{Page, PageOf};

use crate::report::{judged_at, tree};
use crate::support::terminal::Terminal;
use crate::support::{Place, Ran};

fn page(place: &Place, args: &[&str]) -> Ran {
    let all = [
        &["report", "--cooperbench-dir", "cb", "--format", "html"],
        args,
    ]
    .concat();
    place.run(&all)
}

/// The index of a page.
fn index(page: &str) -> Value {
    let start = "<script type=\"application/json\" id=\"index\">";
    let text = page.split(start).nth(1).expect("an index");
    serde_json::from_str(text.split("</script>").next().unwrap()).unwrap()
}

fn unpacked(text: &str) -> Value {
    let bytes = STANDARD.decode(text).unwrap();
    let text = miniz_oxide::inflate::decompress_to_vec_zlib(&bytes).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A block of a page.
fn block(page: &str, id: &str) -> Value {
    let start = format!("<script type=\"text/plain\" id=\"{id}\">");
    let text = page.split(&start).nth(1).expect("a block");
    unpacked(text.split("</script>").next().unwrap())
}

/// The trial of a pair in an index.
fn trial<'a>(index: &'a Value, pair: &str) -> &'a Value {
    let pairs = index["pairs"].as_array().unwrap();
    let at = pairs.iter().position(|it| it["name"] == pair).unwrap();
    let trials = index["trials"].as_array().unwrap();
    trials.iter().find(|it| it["pair"] == at).unwrap()
}

#[test]
fn a_page_has_what_the_report_has() {
    let place = tree();
    let page = page(&place, &[]).code(0).stdout;
    assert!(page.starts_with("<!doctype html>"));
    let index = index(&page);
    let report = place.run(&["report", "--cooperbench-dir", "cb", "--format", "json"]);
    let report: Value = serde_json::from_str(&report.code(0).stdout).unwrap();
    for run in report["runs"].as_array().unwrap() {
        let name = &run["run"];
        let runs = index["runs"].as_array().unwrap();
        let at = runs.iter().position(|it| it["name"] == *name).unwrap();
        let trials = index["trials"].as_array().unwrap().iter();
        let of_run: Vec<_> = trials.filter(|it| it["run"] == at).collect();
        for line in run["lines"].as_array().unwrap() {
            let pairs = index["pairs"].as_array().unwrap();
            let found = of_run
                .iter()
                .find(|it| {
                    pairs[usize::try_from(it["pair"].as_u64().unwrap()).unwrap()]["name"]
                        == line["pair"]
                })
                .unwrap();
            assert_eq!(found["outcome"], line["outcome"], "{line}");
            assert_eq!(found["cost"], line["cost"], "{line}");
        }
    }
}

#[test]
fn half_written_trials_and_unknown_programs_are_in_it() {
    let place = Place::new();
    let pair = |name: &str| format!("cb/logs/odd-solo/solo/a_task/1/{name}");
    let result = json!({"run_id": "x", "agent_framework": "nobodys", "model": "m",
        "started_at": "2026-01-01T10:00:00", "ended_at": "2026-01-01T10:01:00",
        "agent": {"status": "Submitted", "cost": 1.0, "steps": 1}});
    place.write(&format!("{}/result.json", pair("f1_f2")), "{\"run_id\": ");
    place.write(
        &format!("{}/result.json", pair("f1_f3")),
        result.to_string(),
    );
    place.write(
        &format!("{}/solo_traj.json", pair("f1_f3")),
        "{\"messages\": [{",
    );
    place.write(
        &format!("{}/result.json", pair("f1_f4")),
        result.to_string(),
    );
    place.write(
        &format!("{}/solo_traj.json", pair("f1_f4")),
        json!({"songs": ["la la la"]}).to_string(),
    );
    let page = page(&place, &[]).code(0).stdout;
    let index = index(&page);
    for (name, outcome) in [
        ("f1_f2", "unreadable"),
        ("f1_f3", "unjudged"),
        ("f1_f4", "unjudged"),
    ] {
        let trial = trial(&index, &format!("a_task/1/{name}"));
        assert_eq!(trial["outcome"], outcome);
        assert!(trial["block"].is_string(), "{trial}");
    }
    let odd = block(
        &page,
        trial(&index, "a_task/1/f1_f4")["block"].as_str().unwrap(),
    );
    assert!(odd["trial"].to_string().contains("la la la"), "{odd}");
    let torn = block(
        &page,
        trial(&index, "a_task/1/f1_f3")["block"].as_str().unwrap(),
    );
    assert!(torn["patches"][0]["missing"].as_bool().unwrap(), "{torn}");
}

/// Somebody removes a run, a trial or a file while the page is written.
#[test]
fn what_is_removed_while_a_page_is_written_leaves_a_page_without_it() {
    for removed in ["", "solo/a_task/1/f1_f2", "solo/a_task/1/f1_f2/eval.json"] {
        let place = Place::new();
        let pairs = [("a_task/1/f1_f2", true), ("a_task/1/f1_f3", true)];
        judged_at(&place, "cb/logs/x-solo", "solo", &pairs);
        let run = LogTree::at(place.join("cb/logs")).run(&"x-solo".parse().unwrap());
        let stand = Stand::read(&run, &Rules::shipped(), &PriceTable::embedded()).unwrap();
        let gone = run.path().join(removed);
        if gone.is_dir() {
            std::fs::remove_dir_all(gone).unwrap();
        } else {
            std::fs::remove_file(gone).unwrap();
        }
        let mut written = String::new();
        let of = PageOf {
            title: "t".to_owned(),
            dataset: None,
            mask: PageMask::default(),
            bundle: None,
        };
        let mut page = Page::begin(of, |text| {
            written.push_str(text);
            Ok(())
        })
        .unwrap();
        let rows = page.add(&run, stand, false).unwrap();
        assert_eq!(rows.len(), 2, "{removed}");
        drop(page);
        assert!(written.contains("id=\"b1\""), "{removed}");
    }
}

#[test]
fn keys_are_masked_wherever_they_stand() {
    let place = Place::new();
    let pair = "cb/logs/odd-solo/solo/a_task/1/f1_f2";
    let key = "sk-owl-0123456789abcdef";
    let result = json!({"run_id": "x", "agent_framework": "mini_swe_agent", "model": "m",
        "started_at": "2026-01-01T10:00:00", "ended_at": "2026-01-01T10:01:00",
        "agent": {"status": "Error", "cost": 1.0, "steps": 1, "error": format!("401 for {key}")}});
    place.write(&format!("{pair}/result.json"), result.to_string());
    let said = format!("I saw {key}, and OTHER_API_KEY=owl-secret-value-77 too.");
    place.write(
        &format!("{pair}/solo_traj.json"),
        json!({"messages": [{"role": "assistant", "content": said}]}).to_string(),
    );
    place.write(
        &format!("{pair}/solo.patch"),
        format!("diff --git a/x b/x\n+{key}\n"),
    );
    let mut command = place.regatta(&["report", "--cooperbench-dir", "cb", "--format", "html"]);
    command.env("OWL_API_KEY", key);
    let page = Ran::of(&command.output().unwrap()).code(0).stdout;
    let index = index(&page);
    let block = block(
        &page,
        trial(&index, "a_task/1/f1_f2")["block"].as_str().unwrap(),
    );
    assert!(block.to_string().contains("I saw ****"), "{block}");
    for text in [index.to_string(), block.to_string()] {
        assert!(
            !text.contains(key) && !text.contains("owl-secret-value-77"),
            "{text}"
        );
    }
}

#[test]
fn a_bundle_has_each_trial_in_a_file_of_its_own() {
    let place = tree();
    page(&place, &["--bundle", "site"]).code(0).says("wrote");
    let page_text = place.read("site/index.html");
    let index = index(&page_text);
    assert_eq!(index["blocks"], "blocks/");
    let id = trial(&index, "harbor_task/1/f1_f2")["block"]
        .as_str()
        .unwrap();
    let block = unpacked(&place.read(&format!("site/blocks/{id}")));
    assert_eq!(block["trial"]["run"], "x-solo");
    assert!(!page_text.contains(&format!("id=\"{id}\"")));
    // A page must not be mixed with another.
    page(&place, &["--bundle", "site"])
        .code(2)
        .says("is there already")
        .says("name a directory that is not there");
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_what_was_there() {
    let place = tree();
    place.write("here/file", "x");
    page(&place, &["-o", "here"])
        .code(2)
        .says("cannot write here");
    page(&place, &["-o", "nowhere/page.html"])
        .code(2)
        .says("nowhere");
    page(&place, &["--bundle", "here"])
        .code(2)
        .says("is there already");
    assert_eq!(place.read("here/file"), "x");
    let args = ["report", "--cooperbench-dir", "cb", "--bundle", "b"];
    place.run(&args).code(2).says("--format html --bundle DIR");
    let args = [
        "report",
        "--cooperbench-dir",
        "cb",
        "--format",
        "html",
        "--by",
        "arm",
    ];
    place.run(&args).code(2);
}

#[test]
fn a_page_shows_runs_that_cannot_be_pooled_and_says_why() {
    let place = tree();
    place.write("regatta.toml", "[groups]\nowls = [\"owl-*\"]\n");
    let index = index(&page(&place, &[]).code(0).stdout);
    let notes = index["notes"].to_string();
    assert!(notes.contains("[groups] owls: no run fits"), "{notes}");
    assert!(!index["trials"].as_array().unwrap().is_empty());
    assert!(!index["arms"].as_array().unwrap().is_empty());
}

#[test]
fn a_page_is_not_written_to_a_terminal() {
    let place = tree();
    let command = place.regatta(&["report", "--cooperbench-dir", "cb", "--format", "html"]);
    let terminal = Terminal::start(&place, &command, 80, 24);
    let (code, screen, _) = terminal.end();
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("-o report.html"), "{screen}");
}

#[test]
fn a_port_that_is_taken_is_told_of() {
    let place = tree();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    place
        .run(&["view", "--cooperbench-dir", "cb", "--port", &port])
        .code(2)
        .says(&format!("cannot serve on port {port}"))
        .says("--port 0");
}

#[test]
fn only_the_user_can_read_the_token() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = tree();
    let mut command = place.regatta(&["view", "--cooperbench-dir", "cb", "--port", "0"]);
    command.env("XDG_CACHE_HOME", place.join("cache"));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    while !line.contains("http://127.0.0.1:") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let token = place.join("cache").join("view-token");
    let found = std::fs::read_to_string(&token).unwrap();
    assert!(line.contains(&found), "{line}");
    let mode = std::fs::metadata(&token).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
