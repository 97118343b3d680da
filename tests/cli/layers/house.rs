//! The modules of a crate: read from its files as the compiler reads them, from `mod` to `mod`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, Token};

/// A file, and where in the tree of modules it stands.
pub struct Source {
    /// Its path under `src`.
    pub file: String,
    /// Its module's names, from the crate's root; empty for the root itself.
    pub module: Vec<String>,
    pub ast: syn::File,
    /// It is there in tests only.
    pub test: bool,
}

/// The files of a crate by their paths under `src`, and what they say.
pub struct House {
    pub texts: BTreeMap<String, String>,
    pub sources: Vec<Source>,
}

impl House {
    /// The crate in this directory.
    pub fn at(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        let mut dirs = vec![src.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|ext| ext == "rs") {
                    let inside = path.strip_prefix(src).unwrap().display().to_string();
                    texts.insert(inside, fs::read_to_string(path).unwrap());
                }
            }
        }
        Self::of(texts)
    }

    /// A crate of these files.
    pub fn of(texts: BTreeMap<String, String>) -> Self {
        let mut house = Self {
            texts,
            sources: Vec::new(),
        };
        house.load("lib.rs", Vec::new(), false);
        if house.texts.contains_key("main.rs") {
            house.load("main.rs", vec!["main".to_owned()], false);
        }
        house
    }

    /// The files that no module leads to.
    pub fn astray(&self) -> Vec<&str> {
        let reached: BTreeSet<&str> = self.sources.iter().map(|it| it.file.as_str()).collect();
        let files = self.texts.keys().map(String::as_str);
        files.filter(|file| !reached.contains(file)).collect()
    }

    fn load(&mut self, file: &str, module: Vec<String>, test: bool) {
        let code = self.texts.get(file);
        let code = code.unwrap_or_else(|| panic!("{file} of module {module:?} is missing"));
        let ast = syn::parse_file(code).unwrap_or_else(|error| panic!("{file}: {error}"));
        let test = test || is_for_tests(&ast.attrs);
        let mut further = Vec::new();
        self.children(&ast.items, file, &[], &module, test, &mut further);
        self.sources.push(Source {
            file: file.to_owned(),
            module,
            ast,
            test,
        });
        for (file, module, test) in further {
            self.load(&file, module, test);
        }
    }

    /// The files that these items of a file name as modules; `inline` are the modules around them.
    fn children(
        &self,
        items: &[Item],
        file: &str,
        inline: &[String],
        module: &[String],
        test: bool,
        found: &mut Vec<(String, Vec<String>, bool)>,
    ) {
        for item in items {
            let Item::Mod(item) = item else { continue };
            let name = name(&item.ident);
            let test = test || is_for_tests(&item.attrs);
            let below = [module, std::slice::from_ref(&name)].concat();
            if let Some((_, items)) = &item.content {
                let inline = [inline, &[name]].concat();
                self.children(items, file, &inline, &below, test, found);
            } else {
                found.push((self.file_of(item, file, inline, &name), below, test));
            }
        }
    }

    /// Where the compiler looks for the module that this file declares.
    fn file_of(&self, item: &ItemMod, file: &str, inline: &[String], name: &str) -> String {
        let beside = Path::new(file).parent().unwrap();
        let own = Path::new(file).file_stem().unwrap();
        let is_root = ["lib", "main", "mod"].iter().any(|root| own == *root);
        let below = if is_root {
            beside.to_owned()
        } else {
            beside.join(own)
        };
        let inside: PathBuf = inline.iter().collect();
        if let Some(path) = path_attribute(&item.attrs) {
            let from = if inline.is_empty() {
                beside.to_owned()
            } else {
                below.join(inside)
            };
            return plain(&from.join(path));
        }
        let dir = below.join(inside);
        let files = [
            plain(&dir.join(format!("{name}.rs"))),
            plain(&dir.join(name).join("mod.rs")),
        ];
        let there = files.iter().find(|file| self.texts.contains_key(*file));
        there
            .unwrap_or_else(|| panic!("{file}: there is neither of {files:?}"))
            .clone()
    }
}

/// A path without `..`.
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain.display().to_string()
}

/// The text of `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let path = attributes.iter().find(|it| it.path().is_ident("path"))?;
    let Meta::NameValue(meta) = &path.meta else {
        return None;
    };
    match &meta.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

/// A name without the `r#` that keeps it from being a keyword.
pub fn name(ident: &impl ToString) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// Whether what has these attributes is there in tests only.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute
                .parse_args::<Meta>()
                .is_ok_and(|meta| means_test(&meta));
        }
        // `#[test]`, `#[tokio::test]`.
        path.segments.last().is_some_and(|it| it.ident == "test")
    })
}

/// Whether a condition holds in tests only: one of what `all` lists does, or each of what `any` does.
fn means_test(meta: &Meta) -> bool {
    let Meta::List(list) = meta else {
        return meta.path().is_ident("test");
    };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    if list.path.is_ident("all") {
        parts.iter().any(means_test)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(means_test)
    }
}
