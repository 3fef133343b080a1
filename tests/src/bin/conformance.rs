//! Prints a table of the guarantees that our lock and locks of other crates keep, followed by the
//! evidence of each violation.

use std::path::Path;

use lockutils_harness::testing::conformance::{Guarantee, Lock, Oslo, examine};
use lockutils_harness::testing::finding::{Finding, Unknown};
use lockutils_tests::peers::{FdLock, FileGuard, Fslock, Named, StdFile};

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path();
    let columns = [
        tried("ours", at, &|d| Oslo::new(d)),
        tried("ours, fair", at, &|d| Oslo::fair(d)),
        tried("fslock 0.2.1", at, &|d| Fslock::new(d)),
        tried("fd-lock 4.0.4", at, &|d| FdLock::new(d)),
        tried("named-lock 0.4.1", at, &|d| Named::new(d)),
        tried("file-guard 0.2.0", at, &|d| FileGuard::new(d)),
        tried("std File::lock", at, &|d| StdFile::new(d)),
    ];
    print!("| guarantee |");
    for (name, _) in &columns {
        print!(" {name} |");
    }
    println!("\n|---|{}", "---|".repeat(columns.len()));
    for (row, guarantee) in Guarantee::ALL.iter().enumerate() {
        print!("| {} |", guarantee.word());
        for (_, verdicts) in &columns {
            print!(" {} |", word(&verdicts[row].1));
        }
        println!();
    }
    println!();
    for (name, verdicts) in &columns {
        for (guarantee, verdict) in verdicts
            .iter()
            .filter(|(_, verdict)| needs_evidence(verdict))
        {
            let story = verdict.to_string();
            let story: Vec<&str> = story.lines().map(str::trim).collect();
            let story = story.join("; ").replace("   ", " ");
            println!("* {name}, {}: {story}", guarantee.word());
        }
    }
    Ok(())
}

type Tried = (&'static str, Vec<(Guarantee, Finding)>);

fn tried<L: Lock>(
    name: &'static str,
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Tried {
    (name, examine(&directory.join(name), make))
}

fn word(verdict: &Finding) -> &'static str {
    match verdict {
        Finding::Held => "kept",
        Finding::Violated(_) => "**broken**",
        Finding::NotKnown(Unknown::Unsupported(_)) => "not offered",
        Finding::NotKnown(Unknown::NotPromised) => "not promised",
        Finding::NotKnown(_) => "not known",
    }
}

fn needs_evidence(verdict: &Finding) -> bool {
    match verdict {
        Finding::Held => false,
        Finding::Violated(_) => true,
        Finding::NotKnown(why) => !matches!(why, Unknown::Unsupported(_) | Unknown::NotPromised),
    }
}
