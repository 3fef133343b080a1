//! No file or folder of a crate imports another that imports it back.
//!
//! The cycles from before this rule are listed, import by import, in `known.txt`. That list only
//! shrinks: an import that is not listed fails, and so does a listed one that is gone. References
//! without a path, such as method calls, are not detected.

mod graph;
mod modules;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lockutils_tests::command::workspace;

use crate::graph::{Edge, cycles, edges};
use crate::modules::{Crate, Import};

/// The root files of the workspace's libraries and programs, each with the name of its folder.
fn roots() -> Vec<(String, PathBuf)> {
    let mut roots = Vec::new();
    for entry in fs::read_dir(workspace()).expect("the workspace is read") {
        let folder = entry.expect("an entry").path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for root in ["src/lib.rs", "src/main.rs"] {
            let root = folder.join(root);
            if root.exists() {
                roots.push((name.clone(), root));
            }
        }
    }
    roots.sort();
    roots
}

fn known() -> BTreeSet<String> {
    include_str!("known.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn causes(imports: &[&Import]) -> String {
    let mut text = String::new();
    for import in imports {
        let file = import
            .file
            .strip_prefix(workspace())
            .unwrap_or(&import.file);
        write!(text, "\n    {} uses {}", file.display(), import.path).unwrap();
    }
    text
}

#[test]
fn imports_go_one_way() {
    let mut known = known();
    let mut new = Vec::new();
    for (name, root) in roots() {
        let imports = Crate::read(&root).imports();
        let edges = edges(&name, &imports);
        let (cyclic, cycles) = cycles(&edges);
        for cycle in &cycles {
            println!("cycle in {cycle}");
        }
        for edge in &cyclic {
            if !known.remove(&edge.to_string()) {
                new.push(format!("{edge}{}", causes(&edges[edge])));
            }
        }
    }
    assert!(
        new.is_empty(),
        "these imports close a cycle; move what both sides need into a module below both:\n{}",
        new.join("\n")
    );
    assert!(
        known.is_empty(),
        "these imports are part of no cycle any more; remove them from known.txt:\n{known:#?}"
    );
}

/// The crates are read completely, so that no cycle is missed.
#[test]
fn every_file_of_the_crates_is_read() {
    let mut read = BTreeSet::new();
    let mut there = BTreeSet::new();
    for (_, root) in roots() {
        read.extend(Crate::read(&root).files().map(Path::to_owned));
        find_files(root.parent().unwrap(), &mut there);
    }
    let missed: Vec<_> = there.difference(&read).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(!there.is_empty());
}

/// The files of a library or program: no tests, no other programs, no templates.
fn find_files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "bin" && name != "templates" {
                find_files(&path, found);
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
            found.insert(path);
        }
    }
}

/// A crate of these files.
fn crate_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Crate) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let krate = Crate::read(&folder.path().join("lib.rs"));
    (folder, krate)
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let (_folder, krate) = crate_of(files);
    let imports = krate.imports();
    let (edges, _) = cycles(&edges("it", &imports));
    edges.iter().map(Edge::to_string).collect()
}

#[test]
fn two_files_that_import_each_other_are_found() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; use crate::c::C; pub struct A;"),
        (
            "b.rs",
            "pub struct B; fn f() -> Option<super::a::A> { None }",
        ),
        (
            "c.rs",
            "pub struct C; #[cfg(test)] mod tests { use crate::a::A; }",
        ),
    ];
    assert_eq!(found(&files), ["it: a -> b", "it: b -> a"]);
}

#[test]
fn folders_that_import_each_other_through_different_files_are_found() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a/mod.rs", "mod x; mod y; pub use y::Y;"),
        ("a/x.rs", "use crate::{b::z::{self}, c::C};"),
        ("a/y.rs", "pub struct Y;"),
        ("b/mod.rs", "pub mod z;"),
        ("b/z.rs", "pub struct Z;"),
        (
            "c.rs",
            "pub struct C; fn f() { use crate::a::{Y}; let _ = Y; }",
        ),
    ];
    assert_eq!(found(&files), ["it: a -> c", "it: c -> a"]);
}

#[test]
fn a_folder_that_passes_on_what_its_files_define_is_no_cycle() {
    let passed_on = [
        ("lib.rs", "mod a; pub use a::One;"),
        (
            "a/mod.rs",
            "mod one; mod two; pub use one::One; pub(crate) use two::*;",
        ),
        ("a/one.rs", "pub struct One;"),
        ("a/two.rs", "use super::One; pub struct Two(One);"),
    ];
    assert!(found(&passed_on).is_empty(), "{:?}", found(&passed_on));
    let defined_above = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod one; pub struct Above; fn f() { one::g() }"),
        ("a/one.rs", "use super::Above; pub fn g() {}"),
    ];
    assert_eq!(
        found(&defined_above),
        ["it/a: a.rs -> one", "it/a: one -> a.rs"]
    );
}

#[test]
fn macros_attributes_and_other_crates_do_not_mislead() {
    let files = [
        ("lib.rs", "mod std; mod a;"),
        (
            "std.rs",
            "pub struct S; fn f() { ::core::mem::drop(x.a::<u8>()); }",
        ),
        (
            "a.rs",
            "use std::fs; #[doc = \"crate::std::S\"] fn f() -> impl Sized + use<> { }",
        ),
    ];
    assert!(found(&files).is_empty(), "{:?}", found(&files));
}
