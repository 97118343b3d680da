//! What a path means where it stands: through imports, aliases, globs and re-exports.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::{Walk, Written};

type Names = Vec<String>;

/// What a module names.
#[derive(Default)]
pub struct Scope {
    pub children: BTreeSet<String>,
    /// Names and what they stand for, as written.
    pub aliases: Vec<(String, Names)>,
    /// Modules all of whose names are here too, as written.
    pub globs: Vec<Names>,
}

/// The modules of a crate by their paths, with what each names.
#[derive(Default)]
pub struct Scopes {
    modules: BTreeMap<Names, Scope>,
}

/// One question: what was found, and what of the scopes was gone through for it. An alias is not
/// asked for its own meaning: `use serde_json::json` does not begin with itself.
#[derive(Default)]
struct Asked {
    gone_through: BTreeSet<(Names, usize, String)>,
    rooms: BTreeSet<String>,
    found: BTreeSet<Names>,
}

impl Asked {
    /// Whether this import was not yet gone through for this name.
    fn goes_through(&mut self, module: &[String], import: usize, name: &str) -> bool {
        let step = (module.to_vec(), import, name.to_owned());
        self.gone_through.insert(step)
    }
}

/// What a path means.
pub struct Meaning {
    /// The rooms that it goes through.
    pub rooms: BTreeSet<String>,
    /// What it names, from the crate's root; nothing if that is another crate's, or local.
    pub found: BTreeSet<Names>,
}

impl Scopes {
    pub fn of(walks: &[Walk]) -> Self {
        let mut scopes = Self::default();
        for walk in walks {
            for module in &walk.modules {
                scopes.declare(module);
            }
            for import in &walk.imports {
                let Written { module, path, .. } = &import.written;
                let scope = scopes.modules.entry(module.clone()).or_default();
                match &import.name {
                    Some(name) => scope.aliases.push((name.clone(), path.clone())),
                    None => scope.globs.push(path[..path.len() - 1].to_vec()),
                }
            }
        }
        scopes
    }

    fn declare(&mut self, module: &[String]) {
        self.modules.entry(module.to_vec()).or_default();
        // The root file of the program is a crate of its own.
        if let Some((name, parent)) = module.split_last()
            && module != ["main"]
        {
            let parent = self.modules.entry(parent.to_vec()).or_default();
            parent.children.insert(name.clone());
        }
    }

    pub fn resolve(&self, module: &[String], path: &[String]) -> Meaning {
        let mut asked = Asked::default();
        self.written(module, path, &mut asked);
        Meaning {
            rooms: asked.rooms,
            found: asked.found,
        }
    }

    /// A path as it is written in a module.
    fn written(&self, module: &[String], path: &[String], asked: &mut Asked) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        match first.as_str() {
            "crate" => self.below(&[], rest, asked),
            "self" => self.below(module, rest, asked),
            "super" => self.below(parent(module), rest, asked),
            _ => {
                let known = self.named(module, path, asked);
                if !known && first == env!("CARGO_PKG_NAME") {
                    self.below(&[], rest, asked);
                }
            }
        }
    }

    /// A path from a module on.
    fn below(&self, module: &[String], path: &[String], asked: &mut Asked) {
        asked.rooms.extend(module.first().cloned());
        let Some((first, rest)) = path.split_first() else {
            asked.found.insert(module.to_vec());
            return;
        };
        match first.as_str() {
            "self" => self.below(module, rest, asked),
            "super" => self.below(parent(module), rest, asked),
            _ => {
                if !self.named(module, path, asked) {
                    asked.found.insert([module, path].concat());
                }
            }
        }
    }

    /// A path that begins with a name of this module; whether there is one.
    fn named(&self, module: &[String], path: &[String], asked: &mut Asked) -> bool {
        let Some(scope) = self.modules.get(module) else {
            return false;
        };
        let (name, rest) = path.split_first().expect("a path has a first name");
        let mut known = false;
        if scope.children.contains(name) {
            known = true;
            self.below(&[module, &path[..1]].concat(), rest, asked);
        }
        for (at, (alias, meant)) in scope.aliases.iter().enumerate() {
            if alias == name && asked.goes_through(module, at, name) {
                known = true;
                self.written(module, &[meant, rest].concat(), asked);
            }
        }
        for (at, glob) in scope.globs.iter().enumerate() {
            if !asked.goes_through(module, scope.aliases.len() + at, name) {
                continue;
            }
            let mut from = Asked {
                gone_through: asked.gone_through.clone(),
                ..Asked::default()
            };
            self.written(module, glob, &mut from);
            for from in from.found {
                if from != module && self.named(&from, path, asked) {
                    known = true;
                    asked.rooms.extend(from.first().cloned());
                }
            }
        }
        known
    }
}

fn parent(module: &[String]) -> &[String] {
    module.split_last().map_or(&[], |(_, parent)| parent)
}
