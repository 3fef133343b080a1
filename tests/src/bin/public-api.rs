//! Writes `docs/reference/api-PACKAGE.txt`: every public item of the libraries, one a line, so that
//! a change of the API shows in a diff.
//!
//! With `--check` it writes nothing, and fails if a listing is out of date. It reads rustdoc's
//! JSON, an unstable format: the crate `public-api` supports that of the workspace's toolchain, or
//! fails with a message.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use lockutils_tests::upstream::workspace;

const PACKAGES: [&str; 4] = [
    "oslo-concurrency",
    "oslo-concurrency-macros",
    "oslo-coordination",
    "lockutils-harness",
];

/// Writes the listing of each library's public API
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail if a listing is not up to date
    #[arg(long)]
    check: bool,
}

/// Set if this program stands in for rustdoc.
const STANDS_IN: &str = "LOCKUTILS_STANDS_IN_FOR_RUSTDOC";

fn main() -> Result<ExitCode> {
    if std::env::var_os(STANDS_IN).is_some() {
        return rustdoc();
    }
    let arguments = Arguments::parse();
    let mut stale = false;
    for package in PACKAGES {
        let listing = listing(package).with_context(|| format!("the API of {package}"))?;
        let path = workspace().join(format!("docs/reference/api-{package}.txt"));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        if before == listing {
            println!("{package}: {} items, up to date", listing.lines().count());
        } else if arguments.check {
            stale = true;
            println!("{package}: the public API is not what docs/reference/api-{package}.txt says");
            print_difference(&before, &listing);
        } else {
            std::fs::write(&path, &listing).with_context(|| format!("{path:?}"))?;
            println!("{package}: {} items, written", listing.lines().count());
        }
    }
    if stale {
        println!("if that is meant: ci/public-api, and commit the listing");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Every public item with all features, sorted by path.
fn listing(package: &str) -> Result<String> {
    let json = rustdoc_json(package)?;
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .context("another toolchain may need another version of the crate public-api")?;
    let mut listing = String::new();
    for item in api.items().map(|item| item.to_string()) {
        if !is_a_matter_of_course(&item) {
            listing += &item;
            listing.push('\n');
        }
    }
    Ok(listing)
}

/// Returns `true` for automatic implementations that no user relies on; `Send` and `Sync` stay.
fn is_a_matter_of_course(item: &str) -> bool {
    let traits = [
        "Freeze",
        "Unpin",
        "UnsafeUnpin",
        "UnwindSafe",
        "RefUnwindSafe",
    ];
    item.starts_with("impl")
        && traits
            .iter()
            .any(|name| item.contains(&format!("::{name} for ")))
}

fn rustdoc_json(package: &str) -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let status = Command::new(env!("CARGO"))
        .args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "-p",
            package,
        ])
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .current_dir(workspace())
        .env("RUSTDOC", &exe)
        .env(STANDS_IN, "1")
        .status()
        .context("cargo cannot be run")?;
    ensure!(status.success(), "cargo rustdoc failed: {status}");
    // This program lies in target/PROFILE.
    let target = exe.ancestors().nth(2).context("a target folder")?;
    Ok(target.join(format!("doc/{}.json", package.replace('-', "_"))))
}

/// Runs rustdoc with its unstable options. If cargo set RUSTC_BOOTSTRAP for all it starts, it would
/// build the dependencies once more.
fn rustdoc() -> Result<ExitCode> {
    let status = Command::new("rustdoc")
        .args(std::env::args_os().skip(1))
        .env_remove("RUSTDOC")
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .context("rustdoc cannot be run")?;
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn print_difference(before: &str, now: &str) {
    for gone in before
        .lines()
        .filter(|line| !now.lines().any(|l| l == *line))
    {
        println!("  - {gone}");
    }
    for new in now
        .lines()
        .filter(|line| !before.lines().any(|l| l == *line))
    {
        println!("  + {new}");
    }
}
