use super::*;

/// In the forms that upstream and its forks write them.
const CLI: &str = r#"
    gcp_parser = subparsers.add_parser("gcp")
    gcp_parser.add_argument("--skip-tests", action="store_true")
    # === run command ===
    run_parser = subparsers.add_parser(
        "run",
        help="Run benchmark tasks (all of them)",
    )
    run_parser.add_argument("-n", "--name", help="A \"name\", or 'none'")
    run_parser.add_argument(
        "--eval-concurrency",
        type=int,  # at once
        default=10,
    )
    run_parser.add_argument(
        "--level",
        choices=["low", "high"],
        help=(
            "How much, "
            "e.g. --levle"
        ),
    )
    run_parser.add_argument("--team-no-mcp", action="store_true")
    run_parser.add_argument("--team-no-protocol", action="store_true")
    run_parser.add_argument('--base-url', default=None)
    run_parser.add_argument("--only", nargs="+")
    run_parser.add_argument("-v", "--verbose", action="count")
    group = run_parser.add_mutually_exclusive_group()
    group.add_argument("--no-messaging", action="store_true")
    group.add_argument("--structured-messaging", nargs="?", const="plain")
    eval_parser = subparsers.add_parser("eval")
    eval_parser.add_argument("--force", action="store_true")
    args = parser.parse_args()
"#;

fn beside(ours: &[&str], args: &[&str]) -> Vec<String> {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    RunOptions::read(CLI).mistakes(&args, ours)
}

fn said(cli: &str, args: &[&str]) -> Vec<String> {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    RunOptions::read(cli).mistakes(&args, &["--name", "--no-messaging"])
}

#[test]
fn options_are_those_of_run_only() {
    let options = RunOptions::read(CLI);
    assert!(options.is_whole);
    let names: Vec<&str> = options.names().collect();
    assert_eq!(
        names,
        [
            "-n",
            "--name",
            "--eval-concurrency",
            "--level",
            "--team-no-mcp",
            "--team-no-protocol",
            "--base-url",
            "--only",
            "-v",
            "--verbose",
            "--no-messaging",
            "--structured-messaging",
        ]
    );
}

#[test]
fn what_argparse_takes_is_taken() {
    for args in [
        &["--eval-concurrency", "4", "--team-no-mcp"][..],
        &["--eval-concurrency=4", "--base-url=http://h/?a=b"],
        // A beginning that no other has.
        &["--ev", "-4", "--le=high", "--team-no-m"],
        &["-nx", "-n", "y", "-n=z", "-vv", "-v"],
        &["--base-url", "", "--base-url", "-", "--base-url", "- -x"],
        &["--only", "a", "b", "--base-url", "x"],
    ] {
        assert_eq!(said(CLI, args), [""; 0], "{args:?}");
    }
}

#[test]
fn what_argparse_refuses_is_named_with_what_is_meant() {
    for (args, told) in [
        (
            &["--team-no-mpc"][..],
            "it has no `--team-no-mpc` (did you mean `--team-no-mcp`?)",
        ),
        (
            &["--base_url=sk-hush"],
            "it has no `--base_url` (did you mean `--base-url`?)",
        ),
        // Another command's.
        (&["--skip-tests"], "it has no `--skip-tests`"),
        (&["--zzzzzzzz", "sk-hush"], "it has no `--zzzzzzzz`"),
        (&["-xsk-hush"], "it has no `-x` (did you mean `-n`?)"),
        (
            &["--team-no"],
            "`--team-no` is the beginning of `--team-no-mcp`, `--team-no-protocol`: write one of them in full",
        ),
        (&["--team-no-mcp=yes"], "`--team-no-mcp` takes no value"),
        (
            &["--base-url", "--team-no-mcp"],
            "`--base-url` has no value",
        ),
        (&["--base-url"], "`--base-url` has no value"),
        (
            &["--eval-conc", "many"],
            "`--eval-concurrency` takes a whole number",
        ),
        (&["--level", "medium"], "`--level` takes one of low, high"),
        (
            &["--team-no-mcp", "sk-hush"],
            "word 2 (after `--team-no-mcp`) is no flag and no flag's value",
        ),
        (&["sk-hush"], "word 1 is no flag and no flag's value"),
        (
            &["--structured-messaging"],
            "`--structured-messaging` cannot stand beside `--no-messaging`, which regatta sets for this setting",
        ),
    ] {
        assert_eq!(said(CLI, args), [told], "{args:?}");
    }
}

#[test]
fn of_a_group_one_option_may_be_given_with_one_value_or_none() {
    for args in [&["--structured"][..], &["--structured", "json", "-v"]] {
        assert_eq!(beside(&["--name"], args), [""; 0], "{args:?}");
    }
    assert_eq!(
        beside(&[], &["--structured", "json", "sk-hush", "--no-messaging"]),
        [
            "word 3 (after `--structured-messaging`) is no flag and no flag's value",
            "`--no-messaging` cannot stand beside `--structured-messaging`",
        ]
    );
}

/// A fork's parser may be made in ways that we do not read: its options are not called unknown.
#[test]
fn where_the_parser_is_not_understood_nothing_is_said() {
    for (from, to) in [
        ("args = parser", "add_more(run_parser)\n    args = parser"),
        (
            "args = parser",
            "for name in MORE: run_parser.add_argument(name)\n",
        ),
        ("args = parser", "run_parser.add_argument(*MORE)\n"),
        ("args = parser", "group.title = run_parser.title\n"),
        ("\"run\",\n", "\"run\",\n        parents=[common],\n"),
        ("\"run\",\n", "NAME,\n"),
    ] {
        let cli = CLI.replacen(from, to, 1);
        assert_ne!(cli, CLI);
        assert_eq!(said(&cli, &["--zzzzzzzz"]), [""; 0], "{to}");
    }
    assert!(RunOptions::read("").is_empty());
    assert!(RunOptions::read(CLI).has("--base-url"));
}
