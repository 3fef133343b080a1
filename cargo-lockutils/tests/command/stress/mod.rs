//! `stress` on locks with known behaviour, on workers and wrappers that misbehave, and interrupted.

mod helpers;
mod interrupted;
mod not_tried;
mod reports;
mod seldom;
mod tokens;
mod verdicts;
mod worker_check;
mod workers;
mod wrappers;

use std::process::Output;

use crate::project::{Project, stderr, stdout};

/// The output of `stress` for a worker that is this shell script.
pub fn stress(script: &str, options: &[&str]) -> (Project, Output) {
    let project = Project::new();
    project.write("p/worker.sh", script);
    let output = project.run(&[&["stress"], options, &["--", "sh", "worker.sh"]].concat());
    (project, output)
}

/// A worker whose three verbs are these shell commands.
pub fn worker(acquire: &str, attempt: &str, release: &str) -> String {
    format!(
        "lock=$LOCKUTILS_DIR/$LOCKUTILS_NAME; attempt() {{ {attempt}; }}\necho ready\n\
         while read -r slot verb rest; do case $verb in\n\
         acquire) {acquire}; echo \"$slot acquired\";;\n\
         try) if attempt; then echo \"$slot acquired\"; else echo \"$slot busy\"; fi;;\n\
         release) {release}; echo \"$slot released\";;\n\
         *) echo \"$slot unsupported\";; esac; done\n"
    )
}

pub const SPIN: &str = "until attempt; do sleep 0.001; done";

pub fn verdict_is(output: &Output, status: i32, words: &[&str]) {
    let (out, err) = (stdout(output), stderr(output));
    for word in words {
        assert!(
            out.contains(word) || err.contains(word),
            "no `{word}` in: {out}{err}"
        );
    }
    assert_eq!(output.status.code(), Some(status), "{out}{err}");
    assert!(!err.contains("panicked"), "{err}");
}

pub const QUICK: [&str; 4] = ["--scenario", "contend", "--duration", "500ms"];
