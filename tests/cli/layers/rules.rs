//! What holds in the house, each rule with what breaks it.

use std::collections::{BTreeMap, BTreeSet};

use super::circles::{Needs, circles};
use super::house::House;
use super::scopes::Scopes;
use super::walk::{Walk, Written};

/// The longest file of `src`, in lines.
const LINES_OF_A_FILE: usize = 500;
/// The longest function, from `fn` to its last brace.
const LINES_OF_A_FUNCTION: usize = 80;

/// What is true of every kind of backend is asked of these types; their rooms alone tell the kinds
/// apart.
const KINDS: [&str; 2] = ["Backend", "BackendKind"];
const ROOMS_OF_KINDS: [&str; 2] = ["sandbox", "host"];
/// And who answers what others ask of a kind.
const WHERE_KINDS_ARE_ASKED: [&str; 2] = ["bench", "backend"];

const PRINTS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// Arrows that go down, and yet must not be: who, and whom it may not use.
const STRICTER: [(&str, &str); 2] = [("runner", "report"), ("guest", "sandbox")];

/// The rules of the house.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// A room uses lower floors only; leaves may use each other; the root declares modules, and the
    /// program uses `cli`.
    Floors,
    /// What the floors would allow: see `STRICTER`.
    Stricter,
    /// Only `cli::ui` prints.
    Printing,
    /// Kinds of backends are told apart by `sandbox` and `host`.
    BackendKinds,
    /// No two public types have one name.
    TypeNames,
    /// No two files need each other, be it through others.
    Circles,
    FileLength,
    FunctionLength,
}

impl Rule {
    pub const ALL: [Self; 8] = [
        Self::Floors,
        Self::Stricter,
        Self::Printing,
        Self::BackendKinds,
        Self::TypeNames,
        Self::Circles,
        Self::FileLength,
        Self::FunctionLength,
    ];
}

/// A house, looked through.
pub struct Inspection<'a> {
    rows: &'a [&'a [&'a str]],
    house: &'a House,
    walks: Vec<Walk>,
    scopes: Scopes,
}

impl<'a> Inspection<'a> {
    /// Of this house, whose rooms stand on these floors, the highest first.
    pub fn of(house: &'a House, rows: &'a [&'a [&'a str]]) -> Self {
        let walks: Vec<Walk> = house.sources.iter().map(Walk::through).collect();
        let scopes = Scopes::of(&walks);
        Self {
            rows,
            house,
            walks,
            scopes,
        }
    }

    /// What breaks this rule.
    pub fn against(&self, rule: Rule) -> Vec<String> {
        let mut wrong = match rule {
            Rule::Floors => {
                let mut wrong = self.upward();
                wrong.extend(self.in_the_root());
                wrong
            }
            Rule::Stricter => self
                .arrows(|from, to| STRICTER.contains(&(from, to)) || from == "main" && to != "cli"),
            Rule::Printing => self.printing(),
            Rule::BackendKinds => self.kinds(),
            Rule::TypeNames => self.names(),
            Rule::Circles => self.circles(),
            Rule::FileLength => self.long_files(),
            Rule::FunctionLength => self.long_functions(),
        };
        wrong.sort();
        wrong.dedup();
        wrong
    }

    fn floor(&self, room: &str) -> usize {
        let row = self.rows.iter().position(|row| row.contains(&room));
        row.unwrap_or_else(|| panic!("{room} is on no floor"))
    }

    /// Whether the floors forbid that one room uses another.
    fn is_upward(&self, from: &str, to: &str) -> bool {
        let (from, to) = (self.floor(from), self.floor(to));
        to < from || to == from && from != self.rows.len() - 1
    }

    fn upward(&self) -> Vec<String> {
        self.arrows(|from, to| from != "main" && self.is_upward(from, to))
    }

    /// The uses of one room by another of which this is true.
    fn arrows(&self, wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for (walk, written) in self.each(|walk| &walk.paths) {
            let Some(from) = written.module.first() else {
                continue;
            };
            for to in self.scopes.resolve(&written.module, &written.path).rooms {
                if to != *from && wrong(from, &to) {
                    let path = written.path.join("::");
                    found.push(format!("{}:{} uses {to}: {path}", walk.file, written.line));
                }
            }
        }
        found
    }

    fn circles(&self) -> Vec<String> {
        let files: BTreeSet<&[String]> = self.house.sources.iter().map(|it| &*it.module).collect();
        let file_of = |module: &[String]| {
            let mut ends = (0..=module.len()).rev();
            ends.find_map(|end| files.get(&module[..end]))
                .map(|it| it.to_vec())
        };
        let mut needs = Needs::new();
        for (_, written) in self.each(|walk| &walk.paths) {
            let from = file_of(&written.module);
            let meant = self.scopes.resolve(&written.module, &written.path).found;
            for to in meant.iter().map(|name| file_of(name)) {
                let (Some(from), Some(to)) = (&from, to) else {
                    continue;
                };
                if !from.starts_with(&to) && !to.starts_with(from) {
                    needs.entry(from.clone()).or_default().insert(to);
                }
            }
        }
        let circles = circles(&needs).into_iter();
        circles.map(|circle| circle.join(", ")).collect()
    }

    fn each(&self, of: fn(&Walk) -> &Vec<Written>) -> impl Iterator<Item = (&Walk, &Written)> {
        let each = move |walk| of(walk).iter().map(move |written| (walk, written));
        self.walks.iter().flat_map(each)
    }

    /// The root declares modules, so that no name of it stands for a room.
    fn in_the_root(&self) -> Vec<String> {
        let root = self.house.sources.iter().filter(|it| it.module.is_empty());
        let items = root.flat_map(|source| &source.ast.items);
        let other =
            items.filter(|item| !matches!(item, syn::Item::Mod(it) if it.content.is_none()));
        other
            .map(|_| "lib.rs has more than modules".to_owned())
            .collect()
    }

    fn printing(&self) -> Vec<String> {
        self.each(|walk| &walk.macros)
            .filter(|(_, called)| PRINTS.contains(&called.path[0].as_str()))
            .filter(|(_, called)| {
                !called
                    .module
                    .starts_with(&["cli".to_owned(), "ui".to_owned()])
            })
            .map(|(walk, called)| format!("{}:{}: {}!", walk.file, called.line, called.path[0]))
            .collect()
    }

    fn kinds(&self) -> Vec<String> {
        let elsewhere = |written: &Written| {
            let room = written.module.first();
            let is_where_they_are_asked = written.module == WHERE_KINDS_ARE_ASKED;
            !is_where_they_are_asked
                && !room.is_some_and(|room| ROOMS_OF_KINDS.contains(&room.as_str()))
        };
        // A variant that is imported can be told apart without its type's name.
        let imports = self.walks.iter();
        let imports =
            imports.flat_map(|walk| walk.imports.iter().map(move |it| (walk, &it.written)));
        self.each(|walk| &walk.compared)
            .chain(imports)
            .filter(|(_, written)| elsewhere(written) && self.is_kind(written))
            .map(|(walk, written)| {
                format!(
                    "{}:{}: {}",
                    walk.file,
                    written.line,
                    written.path.join("::")
                )
            })
            .collect()
    }

    /// Whether this names a variant of a kind: the name before its last is one of `KINDS`, or stands
    /// for one.
    fn is_kind(&self, written: &Written) -> bool {
        let Some((_, before)) = written.path.split_last() else {
            return false;
        };
        let of_kind =
            |names: &[String]| names.last().is_some_and(|it| KINDS.contains(&it.as_str()));
        let found = self.scopes.resolve(&written.module, before).found;
        of_kind(before) || found.iter().any(|names| of_kind(names))
    }

    /// Names of several public types, with their places.
    fn names(&self) -> Vec<String> {
        let mut places: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (module, name) in self.walks.iter().flat_map(|walk| &walk.types) {
            places.entry(name).or_default().insert(module.join("::"));
        }
        let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
        shared
            .map(|(name, places)| {
                let places: Vec<String> = places.into_iter().collect();
                format!("{name}: {}", places.join(", "))
            })
            .collect()
    }

    fn long_files(&self) -> Vec<String> {
        let lengths = self
            .house
            .texts
            .iter()
            .map(|(file, text)| (file, text.lines().count()));
        lengths
            .filter(|(_, lines)| *lines > LINES_OF_A_FILE)
            .map(|(file, lines)| format!("{file}: {lines} lines"))
            .collect()
    }

    fn long_functions(&self) -> Vec<String> {
        let mut long = Vec::new();
        for walk in &self.walks {
            for it in &walk.functions {
                if it.lines > LINES_OF_A_FUNCTION {
                    let (file, line) = (&walk.file, it.line);
                    long.push(format!("{file}:{line}: {} has {} lines", it.name, it.lines));
                }
            }
        }
        long
    }
}
