//! Arguments for upstream's CLI that are passed on as they are: what Regatta sets itself is refused.

use super::keys::Mistake;

const KEY: &str = "upstream.args";

/// An option of upstream's `run` that Regatta sets itself.
struct Own {
    short: Option<char>,
    long: &'static str,
    /// What says the same here.
    here: &'static str,
}

const fn option(short: char, long: &'static str, here: &'static str) -> Own {
    Own {
        short: Some(short),
        long,
        here,
    }
}

const fn long(long: &'static str, here: &'static str) -> Own {
    let short = None;
    Own { short, long, here }
}

/// Each with the key or the flag to use in its place.
const OWN: [Own; 20] = [
    option('n', "--name", "`name` in [experiment], or --name"),
    option('s', "--subset", "`subset` in [experiment], or --subset"),
    option('r', "--repo", "--repo"),
    option('t', "--task", "--task"),
    option('f', "--features", "--pair"),
    option(
        'm',
        "--model",
        "`model` in [experiment] or the arm, or --model",
    ),
    option(
        'a',
        "--agent",
        "`agent` in [experiment] or the arm, or --agent",
    ),
    option(
        'c',
        "--concurrency",
        "`concurrency` in [experiment] or the arm, or --concurrency",
    ),
    option('h', "--help", "nothing: it prints a help and runs no pair"),
    long(
        "--setting",
        "`settings` in [experiment] or the arm's `setting`, or --setting",
    ),
    long("--redis", "`redis_url` in [upstream], or --redis-url"),
    long("--git", "`git` in [experiment] or the arm, or --git"),
    long("--no-messaging", "the setting coop-nocomm"),
    long(
        "--no-auto-eval",
        "nothing: it is always given; `after_run` in [evaluation], or --eval, judges",
    ),
    long(
        "--backend",
        "`backend` in [experiment] or the arm, or --backend",
    ),
    long(
        "--agent-config",
        "`agent_config` in [upstream] or the arm, or --agent-config",
    ),
    long(
        "--dataset-dir",
        "`dataset_dir` in [upstream], or --dataset-dir",
    ),
    long("--log-dir", "`logs_dir` in [upstream], or --logs-dir"),
    long("--force", "--force"),
    long(
        "--auth-token",
        "the variable ANTHROPIC_AUTH_TOKEN: a key never stands in a file",
    ),
];

/// What of the arguments may not be there.
pub(super) fn mistakes(args: &[String]) -> Vec<Mistake> {
    let refused = args.iter().filter_map(|arg| {
        let (shown, own) = of_ours(arg)?;
        let why = match own {
            Some(own) => format!("has `{shown}`, which regatta sets itself: use {}", own.here),
            None => format!("has `{shown}`, after which upstream reads no options"),
        };
        Some((KEY, why))
    });
    refused.collect()
}

/// The option of ours that an argument is, as it may be shown: without a value, which may be a key.
fn of_ours(arg: &str) -> Option<(&str, Option<&'static Own>)> {
    if arg == "--" {
        return Some((arg, None));
    }
    if arg.starts_with("--") {
        let name = arg.split('=').next().unwrap_or(arg);
        // Upstream takes every beginning of an option's name that no other has.
        let own = OWN.iter().find(|own| own.long.starts_with(name))?;
        return Some((name, Some(own)));
    }
    // A value may be joined to it, as in `-c8` and `-c=8`.
    let short = arg.strip_prefix('-')?.chars().next()?;
    let own = OWN.iter().find(|own| own.short == Some(short))?;
    let end = 1 + short.len_utf8();
    Some((&arg[..end], Some(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(args: &[&str]) -> Vec<String> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        mistakes(&args).into_iter().map(|(_, why)| why).collect()
    }

    #[test]
    fn flags_that_regatta_does_not_set_are_passed_on() {
        let args = [
            "--team-no-task-list",
            "--eval-concurrency",
            "4",
            "--base-url=http://127.0.0.1:1",
            "-x",
            "-1",
            "-",
            "",
        ];
        assert_eq!(said(&args), [""; 0]);
    }

    #[test]
    fn what_regatta_sets_is_refused_in_every_form_that_upstream_takes() {
        for (args, shown, here) in [
            (&["-n", "x"][..], "-n", "`name` in [experiment]"),
            (&["-sflash"], "-s", "`subset` in [experiment]"),
            (&["-r", "x"], "-r", "--repo"),
            (&["-t7"], "-t", "--task"),
            (&["-f", "1,2"], "-f", "--pair"),
            (&["-m=x"], "-m", "`model` in [experiment]"),
            (&["-a", "codex"], "-a", "`agent` in [experiment]"),
            (&["-c8"], "-c", "`concurrency` in [experiment]"),
            (&["-h"], "-h", "nothing: it prints a help"),
            (
                &["--setting=solo"],
                "--setting",
                "`settings` in [experiment]",
            ),
            (&["--sett", "solo"], "--sett", "`settings` in [experiment]"),
            (&["--redis", "x"], "--redis", "`redis_url` in [upstream]"),
            (&["--git"], "--git", "`git` in [experiment]"),
            (
                &["--no-messaging"],
                "--no-messaging",
                "the setting coop-nocomm",
            ),
            (
                &["--no-auto-eval"],
                "--no-auto-eval",
                "nothing: it is always given",
            ),
            (
                &["--backend", "gcp"],
                "--backend",
                "`backend` in [experiment]",
            ),
            (
                &["--agent-config=x"],
                "--agent-config",
                "`agent_config` in [upstream]",
            ),
            (
                &["--dataset-dir", "x"],
                "--dataset-dir",
                "`dataset_dir` in [upstream]",
            ),
            (&["--log-d=x"], "--log-d", "`logs_dir` in [upstream]"),
            (&["--force"], "--force", "--force"),
        ] {
            let told = said(args);
            let begin = format!("has `{shown}`, which regatta sets itself: use {here}");
            assert!(
                told.len() == 1 && told[0].starts_with(&begin),
                "{args:?} {told:?}"
            );
        }
        assert_eq!(
            said(&["--"]),
            ["has `--`, after which upstream reads no options"]
        );
    }

    #[test]
    fn a_key_is_refused_and_not_shown() {
        for args in [&["--auth-token=sk-1"][..], &["--auth-token", "sk-1"]] {
            let told = said(args).join("; ");
            assert!(
                told.contains("ANTHROPIC_AUTH_TOKEN") && !told.contains("sk-1"),
                "{told}"
            );
        }
    }
}
