//! YAML files, parsed and validated by the usual packages.

use std::path::Path;
use std::process::Command;

use lockutils_tests::command::text;
use lockutils_tests::python;
use serde_json::Value;

const PACKAGES: [&str; 1] = ["check-jsonschema==0.39.0"];

const LOAD: &str = "
import json, sys
from ruamel.yaml import YAML
print(json.dumps(list(YAML(typ='safe', pure=True).load_all(open(sys.argv[1])))))
";

/// The documents of a file.
pub fn documents(file: &Path) -> Vec<Value> {
    let output = Command::new(python::environment(&PACKAGES))
        .args(["-c", LOAD])
        .arg(file)
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", text(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The complaints of check-jsonschema about a file, by a schema that it includes, such as
/// `vendor.github-actions`.
pub fn complaints(file: &Path, schema: &str) -> Option<String> {
    let output = Command::new(python::environment(&PACKAGES))
        .args(["-m", "check_jsonschema", "--builtin-schema", schema])
        .arg(file)
        .output()
        .expect("python runs");
    (!output.status.success()).then(|| text(&output))
}

pub fn is_valid(file: &Path, schema: &str) {
    if let Some(complaints) = complaints(file, schema) {
        panic!("{}: {complaints}", file.display());
    }
}
