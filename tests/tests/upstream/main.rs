//! The list of oslo.concurrency's and fasteners' tests is complete and correct, and so are the
//! pages about the counterparts of their API.

mod coverage;
mod image_store;
mod migration;

use std::path::Path;
use std::process::Command;

use lockutils_tests::python;

/// The output of a script of `tests/python/`, line by line, with the Python that has
/// oslo.concurrency.
fn lines_of(script: &str, arguments: &[&str]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(script);
    let output = Command::new(python::interpreter())
        .arg("-I")
        .arg(&script)
        .args(arguments)
        .output()
        .expect("Python runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script:?}: {printed}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines.lines().map(str::to_owned).collect()
}
