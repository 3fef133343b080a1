//! The tests that a source file and its modules define.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Ident, Item, ItemMod};

/// The paths of the tests in a target whose first file is `root`.
///
/// # Errors
/// Returns an error if a file cannot be read or is not Rust.
pub fn tests_of(root: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let folder = root.parent().unwrap_or(Path::new(""));
    read(root, folder, "", &mut found)?;
    Ok(found)
}

/// Reads one file, whose modules are in `folder`.
fn read(file: &Path, folder: &Path, prefix: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{file:?}"))?;
    let parsed = syn::parse_file(&text).with_context(|| format!("{file:?}"))?;
    collect(&parsed.items, folder, prefix, found)
}

fn collect(
    items: &[Item],
    folder: &Path,
    prefix: &str,
    found: &mut BTreeSet<String>,
) -> Result<()> {
    let makers: Vec<_> = items.iter().filter_map(maker_of_tests).collect();
    for item in items {
        match item {
            Item::Macro(call) if makers.iter().any(|maker| call.mac.path.is_ident(*maker)) => {
                for name in first_words(call.mac.tokens.clone()) {
                    found.insert(format!("{prefix}{name}"));
                }
            }
            Item::Fn(function) if is_test(&function.attrs) => {
                found.insert(format!("{prefix}{}", function.sig.ident));
            }
            Item::Mod(module) => collect_module(module, folder, prefix, found)?,
            // `proptest!` and similar macros, which contain functions with attributes.
            Item::Macro(call) => {
                for name in tests_in_macro(call.mac.tokens.clone()) {
                    found.insert(format!("{prefix}{name}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn collect_module(
    module: &ItemMod,
    folder: &Path,
    prefix: &str,
    found: &mut BTreeSet<String>,
) -> Result<()> {
    let name = module.ident.to_string();
    let prefix = format!("{prefix}{name}::");
    let inner = folder.join(&name);
    if let Some((_, items)) = &module.content {
        return collect(items, &inner, &prefix, found);
    }
    let candidates = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
    let Some(file) = candidates.iter().find(|file| file.is_file()) else {
        bail!("module {name} is in none of {candidates:?}");
    };
    read(file, &inner, &prefix, found)
}

/// Returns `true` for `#[test]`, `#[tokio::test]` and `#[rstest]` without `#[ignore]`.
fn is_test(attributes: &[Attribute]) -> bool {
    let last = |attribute: &Attribute| {
        let segment = attribute.path().segments.last();
        segment.map(|segment| segment.ident.to_string())
    };
    let names: Vec<_> = attributes.iter().filter_map(last).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    (has("test") || has("rstest")) && !has("ignore")
}

fn tests_in_macro(tokens: TokenStream) -> Vec<String> {
    let (mut names, mut is_test, mut is_name) = (Vec::new(), false, false);
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "test" => is_test = true,
            TokenTree::Ident(ident) if is_name => {
                names.push(ident.to_string());
                (is_test, is_name) = (false, false);
            }
            TokenTree::Ident(ident) if ident == "fn" => is_name = is_test,
            _ => {}
        }
    }
    names
}

/// The name of a `macro_rules!` whose calls define tests: `#[test] fn $name`.
fn maker_of_tests(item: &Item) -> Option<&Ident> {
    let Item::Macro(definition) = item else {
        return None;
    };
    let name = definition.ident.as_ref()?;
    makes_tests(definition.mac.tokens.clone()).then_some(name)
}

fn makes_tests(tokens: TokenStream) -> bool {
    let (mut is_test, mut is_name) = (false, false);
    tokens.into_iter().any(|token| {
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "test" => is_test = true,
            TokenTree::Group(group) => return makes_tests(group.stream()),
            TokenTree::Punct(dollar) if is_name && dollar.as_char() == '$' => return true,
            TokenTree::Ident(ident) => is_name = is_test && ident == "fn",
            _ => {}
        }
        false
    })
}

/// In a call of such a macro, names come first, or after a comma or semicolon.
fn first_words(tokens: TokenStream) -> Vec<String> {
    let (mut names, mut is_first) = (Vec::new(), true);
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if is_first => names.push(ident.to_string()),
            _ => {}
        }
        is_first = matches!(&token, TokenTree::Punct(mark) if [',', ';'].contains(&mark.as_char()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_macros_make_count_and_ignored_ones_do_not() {
        let tests = |text: &str| {
            let mut found = BTreeSet::new();
            let items = syn::parse_str::<syn::File>(text).unwrap().items;
            collect(&items, Path::new(""), "", &mut found).unwrap();
            found.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(
            tests(
                "#[test] fn a() {} #[test] #[ignore] fn b() {} fn c() {} \
             mod m { #[rstest] fn d() {} }"
            ),
            ["a", "m::d"]
        );
        assert_eq!(
            tests("proptest! { #![c] #[test] fn e(x in 0..1) {} fn f() {} #[test] fn g() {} }"),
            ["e", "g"]
        );
        assert_eq!(
            tests(
                "macro_rules! each { ($($name:ident: $n:expr;)*) => {$(#[test] fn $name() {})*} }
                 each! { a: X, 1; b: Y, 2; } other! { c: X; }"
            ),
            ["a", "b"]
        );
    }
}
