//! Prints which guarantees our lock and those of other crates keep, as a table; the evidence of each that is not kept follows.

use std::path::Path;

use lockutils_harness::conformance::{Guarantee, Lock, Oslo, examine};
use lockutils_harness::verdict::{Unknown, Verdict};
use lockutils_tests::peers::{FdLock, FileGuard, Fslock, Named, StdFile};

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut evidence = Vec::new();
    print!("| lock |");
    for guarantee in Guarantee::ALL {
        print!(" {} |", guarantee.word());
    }
    println!("\n|---|{}", "---|".repeat(Guarantee::ALL.len()));
    let at = directory.path();
    row("oslo-concurrency", at, &|d| Oslo::new(d), &mut evidence);
    row(
        "oslo-concurrency, fair",
        at,
        &|d| Oslo::fair(d),
        &mut evidence,
    );
    row("fslock 0.2.1", at, &|d| Fslock::new(d), &mut evidence);
    row("fd-lock 4.0.4", at, &|d| FdLock::new(d), &mut evidence);
    row("named-lock 0.4.1", at, &|d| Named::new(d), &mut evidence);
    row(
        "file-guard 0.2.0",
        at,
        &|d| FileGuard::new(d),
        &mut evidence,
    );
    row("std File::lock", at, &|d| StdFile::new(d), &mut evidence);
    println!();
    for line in evidence {
        println!("* {line}");
    }
    Ok(())
}

fn row<L: Lock>(
    name: &str,
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
    evidence: &mut Vec<String>,
) {
    print!("| {name} |");
    for (guarantee, verdict) in examine(&directory.join(name), make) {
        let word = match &verdict {
            Verdict::Held => "kept",
            Verdict::Violated(_) => "**broken**",
            Verdict::NotKnown(Unknown::Unsupported(_)) => "not offered",
            Verdict::NotKnown(_) => "not known",
        };
        print!(" {word} |");
        if !verdict.is_held() {
            let story = verdict.to_string();
            let story: Vec<&str> = story.lines().map(str::trim).collect();
            evidence.push(format!(
                "{name}, {}: {}",
                guarantee.word(),
                story.join("; ")
            ));
        }
    }
    println!();
}
