//! What stands in a file, outside its tests: imports, paths, patterns, macros, types, functions.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, Field, FieldValue, Ident, ImplItem, ImplItemFn,
    Item, ItemEnum, ItemExternCrate, ItemFn, ItemImpl, ItemMod, ItemStruct, ItemTrait, ItemType,
    ItemUnion, ItemUse, LitStr, Local, Macro, Meta, Pat, Path, Signature, StmtMacro, Token,
    TraitItem, TraitItemFn, Type, UseTree, Variant, Visibility,
};

use super::house::{Source, is_for_tests, name};

/// Names as written, and where.
pub struct Written {
    pub module: Vec<String>,
    pub path: Vec<String>,
    pub line: usize,
}

/// An import of a name; of all names, if it is a glob, whose path ends with `*`.
pub struct Import {
    pub name: Option<String>,
    pub written: Written,
}

/// A function, and its lines from `fn` to the last brace.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// What was found in a file.
#[derive(Default)]
pub struct Walk {
    pub file: String,
    pub modules: Vec<Vec<String>>,
    pub imports: Vec<Import>,
    /// Every path of at least two names, and every import.
    pub paths: Vec<Written>,
    /// Paths that something is compared with: patterns, and operands of `==` and `!=`.
    pub compared: Vec<Written>,
    /// The macros that are called, by their last name.
    pub macros: Vec<Written>,
    /// Public types: module and name.
    pub types: Vec<(Vec<String>, String)>,
    pub functions: Vec<Function>,
    at: Vec<String>,
    own: Vec<Vec<String>>,
}

impl Walk {
    /// What stands in this file.
    pub fn through(source: &Source) -> Self {
        let mut walk = Self {
            file: source.file.clone(),
            modules: vec![source.module.clone()],
            at: source.module.clone(),
            ..Self::default()
        };
        if !source.test {
            walk.visit_file(&source.ast);
        }
        walk
    }

    fn written(&self, path: Vec<String>, line: usize) -> Written {
        Written {
            module: self.at.clone(),
            path,
            line,
        }
    }

    fn uses(&mut self, path: Vec<String>, line: usize) {
        let written = self.written(path, line);
        self.paths.push(written);
    }

    fn imports(&mut self, tree: &UseTree, before: &[String], line: usize) {
        let (name, path) = match tree {
            UseTree::Path(tree) => {
                let path = [before, &[name(&tree.ident)]].concat();
                return self.imports(&tree.tree, &path, line);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.imports(tree, before, line);
                }
                return;
            }
            UseTree::Name(tree) if tree.ident == "self" => {
                (before.last().cloned(), before.to_vec())
            }
            UseTree::Name(tree) => {
                let name = name(&tree.ident);
                (Some(name.clone()), [before, &[name]].concat())
            }
            UseTree::Rename(tree) if tree.ident == "self" => {
                (Some(name(&tree.rename)), before.to_vec())
            }
            UseTree::Rename(tree) => (
                Some(name(&tree.rename)),
                [before, &[name(&tree.ident)]].concat(),
            ),
            UseTree::Glob(_) => (None, [before, &["*".to_owned()]].concat()),
        };
        let written = self.written(path.clone(), line);
        self.imports.push(Import { name, written });
        self.uses(path, line);
    }

    /// The paths in tokens: of a macro's call, of its definition, of an attribute.
    fn tokens(&mut self, tokens: &TokenStream) {
        // `$crate` is the crate; other variables are names of a macro's own.
        let dollar =
            |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == '$');
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().filter(|t| !dollar(t)).collect();
        let mut rest = &tokens[..];
        while let Some((token, after)) = rest.split_first() {
            rest = match token {
                TokenTree::Ident(ident) if ident == "use" => match import(rest) {
                    Some((import, after)) => {
                        self.visit_item_use(&import);
                        after
                    }
                    None => after,
                },
                TokenTree::Ident(ident) => self.token_path(ident, after),
                TokenTree::Group(group) => {
                    self.tokens(&group.stream());
                    after
                }
                // Attributes name paths as texts: `with = "crate::json::seconds"`.
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string())
                        && let Ok(path) = text.parse::<Path>()
                    {
                        self.visit_path(&path);
                    }
                    after
                }
                TokenTree::Punct(_) => after,
            };
        }
    }

    /// A path in tokens, of which this is the first name; gives the tokens after it.
    fn token_path<'t>(&mut self, first: &Ident, after: &'t [TokenTree]) -> &'t [TokenTree] {
        let line = first.span().start().line;
        let (mut path, mut rest) = (vec![name(first)], after);
        while let Some(after) = colons(rest) {
            let Some(TokenTree::Ident(next)) = after.first() else {
                break;
            };
            path.push(name(next));
            rest = &after[1..];
        }
        if let Some(TokenTree::Punct(punct)) = rest.first()
            && punct.as_char() == '!'
            && matches!(rest.get(1), Some(TokenTree::Group(_)))
        {
            let written = self.written(path[path.len() - 1..].to_vec(), line);
            self.macros.push(written);
        }
        if path.len() > 1 {
            self.uses(path, line);
        }
        rest
    }

    /// The paths that a macro's arguments are compared with.
    fn compared_in(&mut self, called: &Macro) {
        if called.path.segments.last().is_some_and(|it| {
            it.ident.to_string().ends_with("matches") // `assert_matches` as well
        }) {
            let arguments = |input: ParseStream<'_>| {
                let value: Expr = input.parse()?;
                input.parse::<Token![,]>()?;
                let pattern = Pat::parse_multi_with_leading_vert(input)?;
                input.parse::<TokenStream>()?;
                Ok((value, pattern))
            };
            if let Ok((value, pattern)) = arguments.parse2(called.tokens.clone()) {
                self.visit_expr(&value);
                self.visit_pat(&pattern);
            }
        } else if let Ok(arguments) =
            Punctuated::<Expr, Token![,]>::parse_terminated.parse2(called.tokens.clone())
        {
            for argument in &arguments {
                self.visit_expr(argument);
            }
        } else if let Ok(body) = Block::parse_within.parse2(called.tokens.clone()) {
            for statement in &body {
                self.visit_stmt(statement);
            }
        }
    }

    fn compares(&mut self, path: &Path) {
        let mut names: Vec<String> = path.segments.iter().map(|it| name(&it.ident)).collect();
        if names.len() > 1 {
            if names[0] == "Self"
                && let Some(own) = self.own.last()
            {
                names.splice(..1, own.iter().cloned());
            }
            let written = self.written(names, path.span().start().line);
            self.compared.push(written);
        }
    }

    fn declares(&mut self, visibility: &Visibility, ident: &Ident) {
        if matches!(visibility, Visibility::Public(_)) {
            self.types.push((self.at.clone(), name(ident)));
        }
    }

    fn function(&mut self, signature: &Signature, body: &Block) {
        let line = signature.span().start().line;
        self.functions.push(Function {
            name: name(&signature.ident),
            line,
            lines: body.brace_token.span.close().end().line + 1 - line,
        });
    }
}

/// The rest after `::`.
fn colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(it)) if it.as_char() == ':');
    (colon(0) && colon(1)).then(|| &tokens[2..])
}

/// The import that these tokens begin with, and the tokens after it.
fn import(tokens: &[TokenTree]) -> Option<(ItemUse, &[TokenTree])> {
    let end = tokens
        .iter()
        .position(|token| matches!(token, TokenTree::Punct(it) if it.as_char() == ';'))?;
    let (import, after) = tokens.split_at(end + 1);
    let import = syn::parse2(import.iter().cloned().collect()).ok()?;
    Some((import, after))
}

/// The attributes of the expressions that a statement may be.
fn attributes_of_expr(expr: &Expr) -> &[Attribute] {
    match expr {
        Expr::Block(it) => &it.attrs,
        Expr::Call(it) => &it.attrs,
        Expr::MethodCall(it) => &it.attrs,
        Expr::Macro(it) => &it.attrs,
        Expr::If(it) => &it.attrs,
        Expr::Match(it) => &it.attrs,
        Expr::ForLoop(it) => &it.attrs,
        Expr::Return(it) => &it.attrs,
        Expr::Assign(it) => &it.attrs,
        _ => &[],
    }
}

/// The attributes of an item.
fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// Goes on, but not into what is for tests.
macro_rules! outside_tests {
    ($($visit:ident: $node:ident by $attributes:expr;)*) => {
        $(fn $visit(&mut self, node: &'a $node) {
            let attributes: fn(&$node) -> &[Attribute] = $attributes;
            if !is_for_tests(attributes(node)) {
                visit::$visit(self, node);
            }
        })*
    };
}

impl<'a> Visit<'a> for Walk {
    outside_tests! {
        visit_item: Item by attributes_of;
        visit_local: Local by |it| &it.attrs;
        visit_arm: Arm by |it| &it.attrs;
        visit_field: Field by |it| &it.attrs;
        visit_field_value: FieldValue by |it| &it.attrs;
        visit_variant: Variant by |it| &it.attrs;
        visit_stmt_macro: StmtMacro by |it| &it.attrs;
        visit_expr: Expr by attributes_of_expr;
    }

    fn visit_item_mod(&mut self, node: &'a ItemMod) {
        self.at.push(name(&node.ident));
        self.modules.push(self.at.clone());
        visit::visit_item_mod(self, node);
        self.at.pop();
    }

    fn visit_item_extern_crate(&mut self, node: &'a ItemExternCrate) {
        if node.ident == "self" {
            let line = node.ident.span().start().line;
            let written = self.written(vec!["crate".to_owned()], line);
            let name = node.rename.as_ref().map(|(_, ident)| name(ident));
            self.imports.push(Import { name, written });
        }
    }

    fn visit_item_use(&mut self, node: &'a ItemUse) {
        let line = node.use_token.span.start().line;
        // `::name` is another crate.
        if node.leading_colon.is_none() {
            self.imports(&node.tree, &[], line);
        }
        visit::visit_visibility(self, &node.vis);
    }

    fn visit_path(&mut self, node: &'a Path) {
        if node.leading_colon.is_none() && node.segments.len() > 1 {
            let names = node.segments.iter().map(|it| name(&it.ident)).collect();
            self.uses(names, node.segments[0].ident.span().start().line);
        }
        visit::visit_path(self, node);
    }

    fn visit_pat(&mut self, node: &'a Pat) {
        match node {
            Pat::Path(it) => self.compares(&it.path),
            Pat::TupleStruct(it) => self.compares(&it.path),
            Pat::Struct(it) => self.compares(&it.path),
            _ => {}
        }
        visit::visit_pat(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'a ExprBinary) {
        if matches!(node.op, BinOp::Eq(_) | BinOp::Ne(_)) {
            for side in [&node.left, &node.right] {
                if let Expr::Path(it) = &**side {
                    self.compares(&it.path);
                }
            }
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_macro(&mut self, node: &'a Macro) {
        if let Some(last) = node.path.segments.last() {
            let written = self.written(vec![name(&last.ident)], last.ident.span().start().line);
            self.macros.push(written);
        }
        self.visit_path(&node.path);
        self.tokens(&node.tokens);
        self.compared_in(node);
    }

    fn visit_attribute(&mut self, node: &'a Attribute) {
        self.visit_path(node.path());
        match &node.meta {
            Meta::List(list) => self.tokens(&list.tokens),
            Meta::NameValue(meta) if !node.path().is_ident("doc") => self.visit_expr(&meta.value),
            _ => {}
        }
    }

    fn visit_item_impl(&mut self, node: &'a ItemImpl) {
        let own = match &*node.self_ty {
            Type::Path(it) => it.path.segments.iter().map(|it| name(&it.ident)).collect(),
            _ => Vec::new(),
        };
        self.own.push(own);
        visit::visit_item_impl(self, node);
        self.own.pop();
    }

    fn visit_impl_item(&mut self, node: &'a ImplItem) {
        let attributes = match node {
            ImplItem::Const(it) => &it.attrs,
            ImplItem::Fn(it) => &it.attrs,
            ImplItem::Type(it) => &it.attrs,
            ImplItem::Macro(it) => &it.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, node);
        }
    }

    fn visit_trait_item(&mut self, node: &'a TraitItem) {
        let attributes = match node {
            TraitItem::Const(it) => &it.attrs,
            TraitItem::Fn(it) => &it.attrs,
            TraitItem::Type(it) => &it.attrs,
            TraitItem::Macro(it) => &it.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_trait_item(self, node);
        }
    }

    fn visit_item_fn(&mut self, node: &'a ItemFn) {
        self.function(&node.sig, &node.block);
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'a ImplItemFn) {
        self.function(&node.sig, &node.block);
        visit::visit_impl_item_fn(self, node);
    }

    fn visit_trait_item_fn(&mut self, node: &'a TraitItemFn) {
        if let Some(body) = &node.default {
            self.function(&node.sig, body);
        }
        visit::visit_trait_item_fn(self, node);
    }

    fn visit_item_struct(&mut self, node: &'a ItemStruct) {
        self.declares(&node.vis, &node.ident);
        visit::visit_item_struct(self, node);
    }

    fn visit_item_enum(&mut self, node: &'a ItemEnum) {
        self.declares(&node.vis, &node.ident);
        visit::visit_item_enum(self, node);
    }

    fn visit_item_union(&mut self, node: &'a ItemUnion) {
        self.declares(&node.vis, &node.ident);
        visit::visit_item_union(self, node);
    }

    fn visit_item_type(&mut self, node: &'a ItemType) {
        self.declares(&node.vis, &node.ident);
        visit::visit_item_type(self, node);
    }

    fn visit_item_trait(&mut self, node: &'a ItemTrait) {
        self.declares(&node.vis, &node.ident);
        visit::visit_item_trait(self, node);
    }
}
