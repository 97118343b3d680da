//! Arguments for upstream's CLI that are passed on as they are: what Regatta sets itself is refused.

/// An option of upstream's `run` that Regatta sets itself.
struct Own {
    short: Option<char>,
    long: &'static str,
    instead: Instead,
}

/// What to do in place of such an argument.
enum Instead {
    /// Use this key or flag, which says the same here.
    Use(&'static str),
    /// Leave it out, for this reason.
    LeaveOut(&'static str),
}
use Instead::{LeaveOut, Use};

const fn option(short: char, long: &'static str, instead: Instead) -> Own {
    Own {
        short: Some(short),
        long,
        instead,
    }
}

const fn long(long: &'static str, instead: Instead) -> Own {
    let short = None;
    Own {
        short,
        long,
        instead,
    }
}

/// Each with the key or the flag to use in its place.
const OWN: [Own; 20] = [
    option('n', "--name", Use("`name` in [experiment], or --name")),
    option(
        's',
        "--subset",
        Use("`subset` in [experiment], or --subset"),
    ),
    option('r', "--repo", Use("--repo")),
    option('t', "--task", Use("--task")),
    option('f', "--features", Use("--pair")),
    option(
        'm',
        "--model",
        Use("`model` in [experiment] or the arm, or --model"),
    ),
    option(
        'a',
        "--agent",
        Use("`agent` in [experiment] or the arm, or --agent"),
    ),
    option(
        'c',
        "--concurrency",
        Use("`concurrency` in [experiment] or the arm, or --concurrency"),
    ),
    option(
        'h',
        "--help",
        LeaveOut("as it prints a help and runs no pair"),
    ),
    long(
        "--setting",
        Use("`settings` in [experiment] or the arm's `setting`, or --setting"),
    ),
    long("--redis", Use("`redis_url` in [upstream], or --redis-url")),
    long("--git", Use("`git` in [experiment] or the arm, or --git")),
    long("--no-messaging", Use("the setting coop-nocomm")),
    long(
        "--no-auto-eval",
        LeaveOut("as it is always given; `after_run` in [evaluation], or --eval, judges"),
    ),
    long(
        "--backend",
        Use("`backend` in [experiment] or the arm, or --backend"),
    ),
    long(
        "--agent-config",
        Use("`agent_config` in [upstream] or the arm, or --agent-config"),
    ),
    long(
        "--dataset-dir",
        Use("`dataset_dir` in [upstream], or --dataset-dir"),
    ),
    long("--log-dir", Use("`logs_dir` in [upstream], or --logs-dir")),
    long("--force", Use("--force")),
    long(
        "--auth-token",
        LeaveOut(
            "as a key never stands in a file, and cooperbench reads the variable ANTHROPIC_AUTH_TOKEN",
        ),
    ),
];

/// What of the arguments may not be there, and why.
pub(super) fn mistakes(args: &[String]) -> Vec<String> {
    let refused = args.iter().filter_map(|arg| {
        let (shown, own) = of_ours(arg)?;
        let why = match own {
            Some(Own {
                instead: Use(here), ..
            }) => format!("has `{shown}`, which regatta sets itself: use {here}"),
            Some(Own {
                instead: LeaveOut(why),
                ..
            }) => format!("has `{shown}`: leave it out, {why}"),
            None => format!("has `{shown}`, after which upstream reads no options"),
        };
        Some(why)
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
        mistakes(&args)
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
        for (arg, why) in [
            (
                "-h",
                "has `-h`: leave it out, as it prints a help and runs no pair",
            ),
            (
                "--no-auto",
                "has `--no-auto`: leave it out, as it is always given; `after_run` in [evaluation], or --eval, judges",
            ),
        ] {
            assert_eq!(said(&[arg]), [why]);
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
