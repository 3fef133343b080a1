//! A worker that is an example target of the package in the current folder.

use std::env;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

/// Builds the example and returns the path of the program. Cargo reports on standard error.
pub fn build(name: &str) -> Result<String> {
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(&cargo);
    command
        .args([
            "build",
            "--message-format",
            "json-render-diagnostics",
            "--example",
            name,
        ])
        .stdout(Stdio::piped());
    for (variable, _) in env::vars_os() {
        let variable = variable.to_string_lossy();
        // `cargo run`, which the alias uses to call us, describes our own package in these.
        if variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*variable);
        }
    }
    let mut child = command
        .spawn()
        .with_context(|| cargo.display().to_string())?;
    let output = child
        .stdout
        .take()
        .context("cargo has no standard output")?;
    let mut program = None;
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) =
            message.context("cannot read the output of cargo")?
            && artifact.target.name == name
            && artifact.target.is_example()
        {
            program = artifact.executable;
        }
    }
    if !child.wait()?.success() {
        bail!("`cargo build --example {name}` failed");
    }
    program
        .map(String::from)
        .with_context(|| format!("`cargo build --example {name}` built no program"))
}
