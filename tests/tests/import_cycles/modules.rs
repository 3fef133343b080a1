//! The modules of a crate and their imports, parsed from the source with `syn`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Item, ItemUse, Meta, UseTree, Visibility};

/// Path of a module or item from the crate's root: `["stress", "judge"]`.
pub type ModulePath = Vec<String>;

/// One source file.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    children: BTreeSet<String>,
    /// Names that `use` brings into the module, which `super::NAME` reaches from its children.
    names: BTreeMap<String, ModulePath>,
    /// Modules whose names are all brought in.
    globs: Vec<ModulePath>,
    /// Items that the module defines.
    items: BTreeSet<String>,
    /// Paths that its code mentions.
    mentions: BTreeSet<ModulePath>,
}

/// All files of a crate that are compiled without `cfg(test)`.
#[derive(Debug)]
pub struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

/// An import of one file by another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// Place of the importing file in the tree of folders.
    pub from: ModulePath,
    /// Place of the file that defines the imported item.
    pub to: ModulePath,
    /// The importing file.
    pub file: PathBuf,
    /// The resolved path, such as `crate::stress::judge::Judge`.
    pub path: String,
}

impl Crate {
    /// Reads a crate, following `mod` items from its root.
    ///
    /// # Panics
    /// Panics if a file cannot be read or is not Rust.
    pub fn read(root: &Path) -> Self {
        let mut krate = Crate {
            modules: BTreeMap::new(),
        };
        krate.read_file(root, Vec::new());
        krate
    }

    fn read_file(&mut self, file: &Path, path: ModulePath) {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for item in &parsed.items {
            if let Item::Mod(child) = item
                && !only_for_tests(&child.attrs)
                && child.content.is_none()
            {
                module.children.insert(child.ident.to_string());
            }
        }
        let mut folders = Vec::new();
        collect(&parsed.items, &path, &mut module, &mut folders);
        self.modules.insert(path.clone(), module);
        for (name, attributes) in folders {
            let mut child = path.clone();
            child.push(name.clone());
            self.read_file(&file_of(file, &path, &name, &attributes), child);
        }
    }

    /// Every import of one file by another, re-exports resolved to where the item is defined.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut imports = BTreeSet::new();
        for (path, module) in &self.modules {
            for mention in &module.mentions {
                let Some(target) = self.resolve(mention, 0) else {
                    continue;
                };
                if &target == path {
                    continue;
                }
                imports.insert(Import {
                    from: self.place(path),
                    to: self.place(&target),
                    file: module.file.clone(),
                    path: format!("crate::{}", mention.join("::")),
                });
            }
        }
        imports
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.modules.values().map(|module| module.file.as_path())
    }

    /// The module that defines the target of a path.
    fn resolve(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let length = (0..=path.len())
            .rev()
            .find(|length| self.modules.contains_key(&path[..*length]))?;
        let (module_path, rest) = path.split_at(length);
        let module = &self.modules[module_path];
        let Some(name) = rest.first() else {
            return Some(module_path.to_vec());
        };
        // `use` may be circular; the compiler rejects the cases that matter.
        if depth < 8 && !module.items.contains(name) {
            if let Some(target) = module.names.get(name) {
                let target: Vec<String> = target.iter().chain(&rest[1..]).cloned().collect();
                return self.resolve(&target, depth + 1);
            }
            for glob in &module.globs {
                let target: Vec<String> = glob.iter().chain(rest).cloned().collect();
                if let Some(found) = self.resolve(&target, depth + 1)
                    && self.modules[&found].items.contains(name)
                {
                    return Some(found);
                }
            }
        }
        Some(module_path.to_vec())
    }

    /// The place of a file among its neighbours. A module with children is in their folder.
    fn place(&self, path: &[String]) -> ModulePath {
        let module = &self.modules[path];
        let mut place = path.to_vec();
        if !module.children.is_empty() || path.is_empty() {
            let name = module.file.file_name().expect("a file has a name");
            place.push(name.to_string_lossy().into_owned());
        }
        place
    }
}

/// The file of `mod name;`, by the rules of the reference ("Module source filenames").
fn file_of(parent: &Path, path: &[String], name: &str, attributes: &[Attribute]) -> PathBuf {
    let folder = parent.parent().expect("a file is in a folder");
    for attribute in attributes {
        if let Meta::NameValue(meta) = &attribute.meta
            && meta.path.is_ident("path")
            && let syn::Expr::Lit(value) = &meta.value
            && let syn::Lit::Str(file) = &value.lit
        {
            return folder.join(file.value());
        }
    }
    let owns_its_folder = path.is_empty() || parent.ends_with("mod.rs");
    let folder = if owns_its_folder {
        folder.to_owned()
    } else {
        folder.join(path.last().expect("not the root"))
    };
    let file = folder.join(format!("{name}.rs"));
    if file.exists() {
        file
    } else {
        folder.join(name).join("mod.rs")
    }
}

/// Reads items of the module at `path`; modules in files of their own are put into `folders`.
fn collect(
    items: &[Item],
    path: &[String],
    module: &mut Module,
    folders: &mut Vec<(String, Vec<Attribute>)>,
) {
    for item in items {
        match item {
            Item::Mod(inner) if only_for_tests(&inner.attrs) => {}
            Item::Mod(inner) => match &inner.content {
                None => folders.push((inner.ident.to_string(), inner.attrs.clone())),
                Some((_, items)) => {
                    let mut inner_path = path.to_vec();
                    inner_path.push(inner.ident.to_string());
                    collect(items, &inner_path, module, &mut Vec::new());
                }
            },
            Item::Use(item) if !only_for_tests(&item.attrs) => collect_use(item, path, module),
            Item::Use(_) => {}
            other => {
                let (attributes, name) = described(other);
                if only_for_tests(attributes) {
                    continue;
                }
                module.items.extend(name);
                collect_mentions(other.to_token_stream(), path, module);
            }
        }
    }
}

fn collect_use(item: &ItemUse, path: &[String], module: &mut Module) {
    let mut leaves = Vec::new();
    flatten(&item.tree, &mut Vec::new(), &mut leaves);
    for (segments, name) in leaves {
        let Some(target) = absolute(&segments, path, &module.children) else {
            continue;
        };
        match name {
            Some(name) => {
                module.names.insert(name, target.clone());
            }
            None => module.globs.push(target.clone()),
        }
        let passes_on = !matches!(item.vis, Visibility::Inherited) && target.starts_with(path);
        if !passes_on {
            module.mentions.insert(target);
        }
    }
}

/// The paths of a `use`, each with its local name; a glob has none.
fn flatten(
    tree: &UseTree,
    before: &mut Vec<String>,
    leaves: &mut Vec<(Vec<String>, Option<String>)>,
) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, leaves);
            }
        }
        UseTree::Glob(_) => leaves.push((before.clone(), None)),
        UseTree::Name(name) if name.ident == "self" => {
            leaves.push((before.clone(), before.last().cloned()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            let mut path = before.clone();
            path.push(name.clone());
            leaves.push((path, Some(name)));
        }
        UseTree::Rename(rename) => {
            let mut path = before.clone();
            if rename.ident != "self" {
                path.push(rename.ident.to_string());
            }
            leaves.push((path, Some(rename.rename.to_string())));
        }
    }
}

/// Paths in code: `crate::a::b`, `super::a`, `self::a`, and `child::a` of a child module.
fn collect_mentions(tokens: TokenStream, path: &[String], module: &mut Module) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colons = |at: usize| {
        let colon =
            |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
        colon(tokens.get(at)) && colon(tokens.get(at + 1))
    };
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => collect_mentions(group.stream(), path, module),
            TokenTree::Ident(first) if first == "use" => {
                let rest = &tokens[at..];
                let is_end = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ';');
                let end = rest
                    .iter()
                    .position(is_end)
                    .map_or(rest.len(), |end| end + 1);
                let item: TokenStream = rest[..end].iter().cloned().collect();
                // `use` is also a word of `impl Trait + use<'a>`.
                if let Ok(item) = syn::parse2::<ItemUse>(item) {
                    collect_use(&item, path, module);
                    at += end - 1;
                }
            }
            TokenTree::Ident(first) => {
                let is_dollar =
                    |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == '$');
                let goes_on = at >= 2 && is_colons(at - 2);
                let is_macros = at >= 1 && is_dollar(&tokens[at - 1]);
                let begins = !goes_on && !is_macros;
                let mut segments = vec![first.to_string()];
                while is_colons(at + 1) {
                    let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else {
                        break;
                    };
                    segments.push(next.to_string());
                    at += 3;
                }
                if begins
                    && segments.len() > 1
                    && let Some(target) = absolute(&segments, path, &module.children)
                {
                    module.mentions.insert(target);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// A path from the crate's root, or `None` for one that leads to another crate.
fn absolute(
    segments: &[String],
    path: &[String],
    children: &BTreeSet<String>,
) -> Option<ModulePath> {
    let mut base = path.to_vec();
    let mut rest = segments;
    match rest.first().map(String::as_str)? {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        first if children.contains(first) => {}
        _ => return None,
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// Attributes and name of an item; a macro's call and an `impl` have no name.
fn described(item: &Item) -> (&[Attribute], Option<String>) {
    let (attributes, name) = match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        _ => return (&[], None),
    };
    (attributes, name.map(ToString::to_string))
}

/// Returns `true` for `#[cfg(test)]`.
fn only_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}
