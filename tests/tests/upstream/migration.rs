//! `docs/how-to/migrate-from-python.md` compared with the installed Python packages and our own
//! API.

use std::fs;
use std::process::Command;
use std::thread;

use lockutils_tests::python;
use lockutils_tests::upstream::migration::{self, Row, is_in_api};
use lockutils_tests::upstream::workspace;
use oslo_concurrency::lockutils::{self, scope::LockPathScope};

use crate::{image_store, lines_of};

fn page() -> String {
    fs::read_to_string(migration::path()).expect("the page")
}

fn rows() -> Vec<Row> {
    migration::rows(&page())
}

#[test]
fn every_public_python_name_is_on_the_page() {
    let rows = rows();
    let names = lines_of("public_names.py", &[]);
    assert!(names.len() > 200, "{names:#?}");
    let missing: Vec<_> = names
        .iter()
        .filter(|line| {
            let (module, name) = line.split_once(' ').expect("MODULE NAME");
            !rows.iter().any(|row| {
                row.modules.iter().any(|known| known == module)
                    && row.python.iter().any(|known| known == name)
                    && row.says_something
            })
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_page_names_nothing_that_python_does_not_have() {
    let names = lines_of("public_names.py", &[]);
    let unknown: Vec<_> = rows()
        .into_iter()
        .flat_map(|row| {
            let modules = row.modules;
            row.python
                .into_iter()
                .filter(|_| !modules.is_empty())
                .map(|name| (modules.clone(), name))
                .collect::<Vec<_>>()
        })
        .filter(|(modules, name)| {
            !modules
                .iter()
                .any(|module| names.contains(&format!("{module} {name}")))
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// The listings are compared with the sources by `ci/public-api --check`.
#[test]
fn every_rust_name_on_the_page_is_in_our_api() {
    let api: String = ["oslo-concurrency", "lockutils-harness"]
        .map(|package| {
            let file = workspace().join(format!("docs/reference/api-{package}.txt"));
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"))
        })
        .concat();
    let ours = [
        "lockutils::",
        "processutils::",
        "watchdog::",
        "lockutils_harness::",
    ];
    let names: Vec<_> = rows()
        .into_iter()
        .flat_map(|row| row.rust)
        .filter(|name| ours.iter().any(|module| name.starts_with(module)))
        .collect();
    assert!(names.len() > 100, "{names:#?}");
    let missing: Vec<_> = names.iter().filter(|name| !is_in_api(&api, name)).collect();
    assert!(
        missing.is_empty(),
        "to list the API anew: ci/public-api; not in it: {missing:#?}"
    );
}

/// The first block of this language on the page.
fn example(language: &str) -> String {
    let page = page();
    let block = page.split(&format!("```{language}\n")).nth(1);
    let block = block.and_then(|rest| rest.split("```").next());
    block.expect("an example").to_owned()
}

#[test]
fn the_python_example_runs() {
    let directory = tempfile::tempdir().unwrap();
    let images = directory.path().join("images");
    fs::create_dir(&images).unwrap();
    let calls = format!("\nstore({images:?}, 'a', b'pixels')\nprint(clean({images:?}))\n");
    let output = Command::new(python::interpreter())
        .args(["-I", "-c", &(example("python") + &calls)])
        .env("OSLO_LOCK_PATH", directory.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{printed}");
    assert!(directory.path().join("images-cache").exists());
}

#[test]
fn the_rust_example_runs_and_is_the_one_on_the_page() {
    assert_eq!(example("rust"), include_str!("image_store.rs"));
    let directory = tempfile::tempdir().unwrap();
    let _scope = LockPathScope::enter(directory.path());
    let images = directory.path().join("images");
    fs::create_dir(&images).unwrap();
    image_store::store(&images, "a", b"pixels").unwrap();
    let held = lockutils::lock("cache")
        .prefix("images")
        .external(true)
        .acquire();
    let meanwhile = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let _scope = LockPathScope::enter(directory.path());
            image_store::clean(&images)
        });
        other.join().unwrap()
    });
    assert_eq!(meanwhile.unwrap(), None);
    drop(held.unwrap());
    assert_eq!(image_store::clean(&images).unwrap(), Some(1));
    assert!(directory.path().join("images-cache").exists());
}
