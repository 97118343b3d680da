//! The checker fails on each forbidden arrow, however it is written, and lets the others be.

use std::collections::BTreeMap;

use super::ROWS;
use super::house::House;
use super::rules::{Inspection, Rule};

/// A crate with every room, each a file `ROOM/mod.rs` with a module `deep`, and these files.
fn house(files: &[(&str, String)]) -> House {
    let rooms = ROWS.concat();
    let mut texts = BTreeMap::new();
    let root = rooms.iter().map(|room| format!("pub mod {room};\n"));
    texts.insert("lib.rs".to_owned(), root.collect::<Vec<_>>().concat());
    for room in rooms {
        texts.insert(format!("{room}/mod.rs"), "pub mod deep;".to_owned());
        texts.insert(format!("{room}/deep.rs"), String::new());
    }
    for (file, text) in files {
        texts.insert((*file).to_owned(), text.clone());
    }
    House::of(texts)
}

fn against(rule: Rule, files: &[(&str, String)]) -> Vec<String> {
    Inspection::of(&house(files), &ROWS).against(rule)
}

/// Ways in which the file `HERE/deep.rs` uses the room `THERE`.
const ARROWS: [(&str, &str); 44] = [
    ("an import", "use crate::THERE::deep::Thing;"),
    ("a group", "use crate::{THERE::Thing, std::x};"),
    (
        "a group in a group",
        "use crate::{error::{self, Error}, THERE::{deep::{Thing, other}}};",
    ),
    ("the room itself in a group", "use crate::{THERE};"),
    ("self in a group", "use crate::THERE::{self};"),
    ("by super", "use super::super::THERE::Thing;"),
    (
        "by super in a group",
        "use super::super::{THERE::{deep, Thing}};",
    ),
    (
        "by self and super",
        "use self::super::super::THERE as other;",
    ),
    ("a glob", "use crate::THERE::*;"),
    ("a re-export", "pub(crate) use crate::THERE::Thing;"),
    ("a raw name", "use crate::r#THERE::Thing;"),
    (
        "an alias of the crate",
        "use crate as all; use all::THERE::Thing;",
    ),
    (
        "an alias of the crate in a path",
        "use crate as all; fn f() { all::THERE::go(); }",
    ),
    (
        "an alias of the crate in a group",
        "use crate::{self as all}; type T = all::THERE::Thing;",
    ),
    (
        "an alias by super",
        "use super::super as all; fn f() -> all::THERE::Thing { todo() }",
    ),
    (
        "an alias of the room",
        "use crate::THERE as other; fn f() { other::go(); }",
    ),
    (
        "an alias of an alias",
        "use crate as one; use one as two; fn f() { two::THERE::go(); }",
    ),
    (
        "a glob of the crate",
        "use crate::*; fn f() { THERE::go(); }",
    ),
    (
        "a glob by super",
        "use super::super::*; fn f() { THERE::deep::go(); }",
    ),
    (
        "the crate by its own name",
        "extern crate self as own; use own::THERE::Thing;",
    ),
    (
        "a path in an expression",
        "fn f() { let x = 1 + crate::THERE::go(); }",
    ),
    (
        "a path in a type",
        "struct S { field: Vec<Option<crate::THERE::Thing>> }",
    ),
    (
        "a path in a bound",
        "fn f<T: crate::THERE::Does>(it: impl Fn(T) -> u8) {}",
    ),
    (
        "a path in a where",
        "impl<T> S<T> where T: crate::THERE::Does {}",
    ),
    ("an implementation", "impl crate::THERE::Does for S {}"),
    (
        "a qualified path",
        "fn f() { <u8 as super::super::THERE::Does>::go(); }",
    ),
    (
        "a type's argument",
        "fn f() { go::<crate::THERE::Thing>(); }",
    ),
    (
        "a pattern",
        "fn f(x: u8) { match x { crate::THERE::LIMIT => {} _ => {} } }",
    ),
    (
        "a constant's value",
        "const C: u8 = super::super::THERE::LIMIT;",
    ),
    ("a visibility", "pub(in crate::THERE) fn f() {}"),
    (
        "a macro's argument",
        "fn f() { go!(\"{}\", crate::THERE::go()); }",
    ),
    (
        "deep in a macro's argument",
        "go! { a { b [ c ( crate::THERE::go ) ] } }",
    ),
    (
        "a group in a macro",
        "go! { use crate::{error, THERE::Thing}; }",
    ),
    (
        "an alias in a macro",
        "go! { use crate as all; fn f() { all::THERE::go() } }",
    ),
    (
        "a macro's definition",
        "macro_rules! go { ($a:expr) => { $crate::THERE::go($a) }; }",
    ),
    ("a macro of the room", "fn f() { crate::THERE::go!(); }"),
    ("a derive", "#[derive(crate::THERE::Does)] struct S;"),
    (
        "an attribute's tokens",
        "#[command(name = crate::THERE::NAME)] struct S;",
    ),
    (
        "an attribute's text",
        "#[serde(with = \"crate::THERE::deep\")] struct S;",
    ),
    (
        "a nested module",
        "mod a { mod b { use super::super::super::super::THERE::Thing; } }",
    ),
    (
        "an alias above a nested module",
        "use crate as all; mod a { use super::all::THERE::Thing; }",
    ),
    (
        "a glob above a nested module",
        "use crate as all; mod a { use super::*; use all::THERE::Thing; }",
    ),
    (
        "a function's import",
        "fn f() { use crate::{THERE as other}; mod g { fn h() { super::other::go(); } } }",
    ),
    (
        "not only in tests",
        "#[cfg(any(test, unix))] use crate::THERE::Thing;",
    ),
];

/// Ways in which tests use it, and what only looks like a use.
const NO_ARROWS: [(&str, &str); 20] = [
    (
        "a module of tests",
        "#[cfg(test)] mod tests { use crate::THERE::Thing; }",
    ),
    (
        "an import of tests",
        "#[cfg(test)] use crate::{THERE::Thing};",
    ),
    ("a test", "#[test] fn f() { crate::THERE::go(); }"),
    (
        "a test of tokio's",
        "#[tokio::test(flavor = \"x\")] async fn f() { crate::THERE::go(); }",
    ),
    (
        "tests on one system",
        "#[cfg(all(test, unix))] mod tests { use super::super::super::THERE; }",
    ),
    (
        "either kind of tests",
        "#[cfg(any(test, all(test, unix)))] fn f() { crate::THERE::go(); }",
    ),
    (
        "a method for tests",
        "impl S { #[cfg(test)] fn f() { crate::THERE::go(); } }",
    ),
    (
        "a method of a trait for tests",
        "trait S { #[cfg(test)] fn f() { crate::THERE::go(); } }",
    ),
    (
        "a field for tests",
        "struct S { #[cfg(test)] it: crate::THERE::Thing }",
    ),
    (
        "a variant for tests",
        "enum S { #[cfg(test)] It(crate::THERE::Thing) }",
    ),
    (
        "a statement for tests",
        "fn f() { #[cfg(test)] let it = crate::THERE::go(); }",
    ),
    (
        "a block for tests",
        "fn f() { #[cfg(test)] { crate::THERE::go(); } }",
    ),
    (
        "a call for tests",
        "fn f() { #[cfg(test)] crate::THERE::go(); }",
    ),
    (
        "a macro for tests",
        "fn f() { #[cfg(test)] go!(crate::THERE::go()); }",
    ),
    (
        "an arm for tests",
        "fn f() { match 1 { #[cfg(test)] 1 => crate::THERE::go(), _ => {} } }",
    ),
    (
        "a comment",
        "// crate::THERE::go()\n/* use crate::THERE; */ fn f() {}",
    ),
    (
        "a comment of documentation",
        "/// See [`crate::THERE::Thing`].\nfn f() {}",
    ),
    ("a text", "const C: &str = \"crate::THERE::Thing\";"),
    (
        "another crate",
        "use ::THERE::Thing; fn f() { ::THERE::go(); }",
    ),
    (
        "a value of that name",
        "fn f(THERE: u8) { let x = THERE + 1; self::go(THERE); }",
    ),
];

fn deep(room: &str) -> String {
    format!("{room}/deep.rs")
}

/// The pairs of floors, each by its first rooms that are two.
fn floors() -> impl Iterator<Item = (usize, usize, &'static str, &'static str)> {
    let of = |high: usize, low: usize| {
        let other = ROWS[low].iter().find(|room| **room != ROWS[high][0])?;
        Some((high, low, ROWS[high][0], *other))
    };
    (0..ROWS.len()).flat_map(move |high| (high..ROWS.len()).filter_map(move |low| of(high, low)))
}

#[test]
fn each_upward_arrow_is_found_in_each_form() {
    for (high, low, upper, lower) in floors() {
        for (how, text) in ARROWS {
            let up = text.replace("THERE", upper);
            let wrong = against(Rule::Floors, &[(&deep(lower), up)]);
            let leaves = high == low && low == ROWS.len() - 1;
            assert_eq!(
                wrong.is_empty(),
                leaves,
                "{how}: {lower} uses {upper}: {wrong:?}"
            );
            let word = format!("{lower}/deep.rs:1 uses {upper}: ");
            assert!(
                wrong.iter().all(|it| it.starts_with(&word)),
                "{how}: {wrong:?}"
            );

            let down = text.replace("THERE", lower);
            let wrong = against(Rule::Floors, &[(&deep(upper), down)]);
            assert_eq!(
                wrong.is_empty(),
                high < low || leaves,
                "{how}: {upper} uses {lower}: {wrong:?}"
            );
        }
    }
}

#[test]
fn every_room_is_held() {
    for (high, row) in ROWS.iter().enumerate() {
        for (low, other) in ROWS.iter().enumerate() {
            for (from, to) in row
                .iter()
                .flat_map(|from| other.iter().map(move |to| (from, to)))
            {
                let use_it = format!("use crate::{to}::deep::Thing;");
                let wrong = against(Rule::Floors, &[(&deep(from), use_it)]);
                let may = from == to || high < low || high == low && low == ROWS.len() - 1;
                assert_eq!(wrong.is_empty(), may, "{from} uses {to}");
            }
        }
    }
}

#[test]
fn what_is_there_in_tests_only_is_no_arrow_and_neither_are_words() {
    for (how, text) in NO_ARROWS {
        let text = text.replace("THERE", "cli");
        let wrong = against(Rule::Floors, &[(&deep("files"), text)]);
        assert!(wrong.is_empty(), "{how}: {wrong:?}");
    }
}

/// Through a room that is lower, a name of its own for a higher one.
#[test]
fn a_name_for_the_crate_in_another_room_hides_nothing() {
    let files = [
        (
            "text/mod.rs",
            "pub mod deep; pub use crate as all;".to_owned(),
        ),
        (
            "store/deep.rs",
            "use crate::text::all::runner::Thing;".to_owned(),
        ),
    ];
    let wrong = against(Rule::Floors, &files);
    assert_eq!(
        wrong,
        ["store/deep.rs:1 uses runner: crate::text::all::runner::Thing"]
    );
}

#[test]
fn files_of_tests_are_let_be_and_other_files_are_not() {
    let import = "use crate::cli::Thing;".to_owned();
    for (declared, own, held) in [
        ("#[cfg(test)] mod tests;", "", false),
        ("mod tests;", "", true),
        ("mod tests;", "#![cfg(test)]\n", false),
        ("#[cfg(any(test, unix))] mod tests;", "", true),
    ] {
        let files = [
            ("files/deep.rs", declared.to_owned()),
            ("files/deep/tests.rs", format!("{own}mod more;")),
            ("files/deep/tests/more.rs", import.clone()),
        ];
        assert!(house(&files).astray().is_empty());
        let wrong = against(Rule::Floors, &files);
        assert_eq!(!wrong.is_empty(), held, "{declared} {own}: {wrong:?}");
    }
}

#[test]
fn a_file_belongs_to_the_room_that_declares_it() {
    for (room, declares, file) in [
        (
            "files/deep.rs",
            "#[path = \"../cli/odd.rs\"] mod odd;",
            "cli/odd.rs",
        ),
        (
            "files/mod.rs",
            "pub mod deep; mod a { #[path = \"odd.rs\"] mod odd; }",
            "files/a/odd.rs",
        ),
        (
            "files/deep.rs",
            "mod a { #[path = \"odd.rs\"] mod odd; }",
            "files/deep/a/odd.rs",
        ),
        (
            "files/deep.rs",
            "mod a { mod odd; }",
            "files/deep/a/odd/mod.rs",
        ),
    ] {
        let files = [
            (room, declares.to_owned()),
            (file, "use crate::cli::Thing;".to_owned()),
        ];
        assert!(house(&files).astray().is_empty(), "{file}");
        let wrong = against(Rule::Floors, &files);
        assert_eq!(wrong, [format!("{file}:1 uses cli: crate::cli::Thing")]);
    }
    let stray = house(&[("files/stray.rs", String::new())]);
    assert_eq!(stray.astray(), ["files/stray.rs"]);
}

#[test]
fn the_root_declares_modules_only() {
    let rooms = ROWS.concat();
    let rooms: Vec<String> = rooms.iter().map(|room| format!("mod {room};")).collect();
    let rooms = rooms.concat();
    for other in [
        "pub use cli::Thing;",
        "use crate as all;",
        "mod x {}",
        "pub fn f() {}",
    ] {
        let wrong = against(Rule::Floors, &[("lib.rs", format!("{rooms}{other}"))]);
        assert_eq!(wrong, ["lib.rs has more than modules"], "{other}");
    }
}

#[test]
fn stricter_arrows_are_found() {
    for (file, text, holds) in [
        ("runner/deep.rs", "use crate::{report::Thing};", false),
        ("runner/deep.rs", "use crate::{survey::Thing};", true),
        ("guest/deep.rs", "use crate::sandbox::Thing;", false),
        ("main.rs", "fn main() { regatta::cli::main() }", true),
        ("main.rs", "fn main() { regatta::runner::main() }", false),
        ("main.rs", "use regatta::{cli, runner as other};", false),
    ] {
        let wrong = against(Rule::Stricter, &[(file, text.to_owned())]);
        assert_eq!(wrong.is_empty(), holds, "{file}: {text}: {wrong:?}");
    }
}

#[test]
fn only_the_ui_prints() {
    for (text, holds) in [
        ("fn f() { println!(\"\"); }", false),
        ("fn f() { std::print!(); }", false),
        ("fn f() { anstream::eprintln!(); }", false),
        ("fn f() { go!(a { eprint!(\"\") }); }", false),
        ("macro_rules! say { () => { dbg!(1) } }", false),
        ("fn f() { writeln!(f, \"println!()\"); }", true),
        ("#[cfg(test)] fn f() { println!(); }", true),
        ("fn f() { let print = 1; if print != 2 {} }", true),
    ] {
        for (file, may) in [
            ("runner/deep.rs", false),
            ("cli/deep.rs", false),
            ("cli/ui.rs", true),
        ] {
            let files = [
                ("cli/mod.rs", "mod deep; mod ui;".to_owned()),
                ("cli/ui.rs", String::new()),
                (file, text.to_owned()),
            ];
            let wrong = against(Rule::Printing, &files);
            assert_eq!(wrong.is_empty(), holds || may, "{file}: {text}: {wrong:?}");
        }
    }
}

#[test]
fn only_two_rooms_tell_kinds_of_backends_apart() {
    for (text, holds) in [
        (
            "fn f() { match x { Backend::Docker(_) => 1, _ => 2 } }",
            false,
        ),
        (
            "fn f() { match x { (1, Some(&Backend::Docker { .. })) => 1, _ => 2 } }",
            false,
        ),
        (
            "fn f() { if let crate::sandbox::Backend::Docker(it) = x {} }",
            false,
        ),
        (
            "fn f() { let Backend::Docker(it) = x else { return }; }",
            false,
        ),
        ("fn f() { while let Some(BackendKind::Fake) = x {} }", false),
        (
            "fn f() { matches!(x.backend, A | BackendKind::Process if y) }",
            false,
        ),
        ("fn f() { assert!(matches!(x, Backend::Fake(_))) }", false),
        ("fn f() { go!(if let Backend::Fake(it) = x { it }) }", false),
        ("fn f() { x == BackendKind::Fake }", false),
        ("fn f() { BackendKind::Fake != x }", false),
        (
            "use crate::sandbox::Backend as B; fn f() { if let B::Docker(_) = x {} }",
            false,
        ),
        (
            "use crate::sandbox::Backend::Docker; fn f() { if let Docker(_) = x {} }",
            false,
        ),
        ("use crate::sandbox::Backend::*;", false),
        (
            "impl Backend { fn f(&self) { match self { Self::Docker => 1, _ => 2 } } }",
            false,
        ),
        (
            "impl Other { fn f(&self) { match self { Self::Docker => 1, _ => 2 } } }",
            true,
        ),
        (
            "fn f() { match x { Engine::Native(_) => 1, _ => 2 } }",
            true,
        ),
        ("fn f() -> BackendKind { BackendKind::Docker }", true),
        ("fn f(x: &Backend) -> bool { x.has_images() }", true),
        (
            "#[cfg(test)] mod tests { fn f() { x == BackendKind::Fake } }",
            true,
        ),
    ] {
        for (room, may) in [("engine", false), ("sandbox", true), ("host", true)] {
            let files = [
                ("sandbox/mod.rs", "pub enum Backend { Docker }".to_owned()),
                (&*deep(room), text.to_owned()),
            ];
            // The room of the enum has the file as well.
            let files = match room {
                "sandbox" => vec![(
                    "sandbox/mod.rs",
                    format!("pub enum Backend {{ Docker }} {text}"),
                )],
                _ => files.to_vec(),
            };
            let wrong = against(Rule::BackendKinds, &files);
            assert_eq!(wrong.is_empty(), holds || may, "{room}: {text}: {wrong:?}");
        }
    }
}

#[test]
fn two_public_types_of_one_name_are_found() {
    let files = [
        (
            "runner/deep.rs",
            "pub struct Same; pub enum Other {} struct Own;".to_owned(),
        ),
        (
            "report/deep.rs",
            "pub trait Same {} pub(crate) struct Other; pub struct Own;".to_owned(),
        ),
        (
            "files/deep.rs",
            "pub mod a { pub type Same = u8; } #[cfg(test)] pub struct Other;".to_owned(),
        ),
    ];
    assert_eq!(
        against(Rule::TypeNames, &files),
        ["Same: files::deep::a, report::deep, runner::deep"]
    );
}

#[test]
fn files_that_need_each_other_are_found() {
    let of = |one: &str, two: &str, three: &str| {
        let modules = "pub mod deep; mod one; mod two; mod three;".to_owned();
        let files = [
            ("report/mod.rs", modules),
            ("report/one.rs", one.to_owned()),
            ("report/two.rs", two.to_owned()),
            ("report/three.rs", three.to_owned()),
        ];
        against(Rule::Circles, &files)
    };
    let (uses_one, uses_two) = ("use super::one::A;", "use crate::report::{two::B};");
    let uses_three = "fn f() { super::three::go() }";
    assert!(of("", uses_one, uses_two).is_empty());
    assert!(of("use super::Outer;", uses_one, "").is_empty());
    let both = ["report::one, report::two"];
    assert_eq!(of(uses_two, uses_one, ""), both);
    let all = ["report::one, report::three, report::two"];
    assert_eq!(of(uses_three, uses_one, uses_two), all);
    let in_tests = format!("#[cfg(test)] mod tests {{ {uses_three} }}");
    assert!(of(&in_tests, uses_one, uses_two).is_empty());
}

#[test]
fn long_files_and_functions_are_found() {
    let file = |lines: usize| "\n".repeat(lines);
    let of = |lines| against(Rule::FileLength, &[("files/deep.rs", file(lines))]);
    assert!(of(500).is_empty());
    assert_eq!(of(501), ["files/deep.rs: 501 lines"]);

    let body = |lines: usize| format!("{{{}}}", "\n".repeat(lines - 1));
    for (before, after) in [
        ("/// Long.\n#[inline]\nfn f() ", ""),
        ("impl S {\n\npub async fn f() ", "}"),
        ("trait T {\n\nfn f() ", "}"),
    ] {
        let of = |lines| {
            let text = format!("{before}{}{after}", body(lines));
            against(Rule::FunctionLength, &[("files/deep.rs", text)])
        };
        assert!(of(80).is_empty(), "{before}");
        assert_eq!(of(81), ["files/deep.rs:3: f has 81 lines"]);
    }
}
