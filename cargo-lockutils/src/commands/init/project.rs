//! The project in which we are, and what is added to its manifest.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use toml::{Table, Value};

/// The package, or the workspace without a package of its own, in whose folder we are.
pub struct Project {
    cargo: PathBuf,
    manifest: PathBuf,
    text: String,
    table: Table,
}

impl Project {
    pub fn find() -> Result<Self> {
        let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let output = Command::new(&cargo)
            .args(["locate-project", "--message-format", "plain"])
            .output()
            .with_context(|| cargo.display().to_string())?;
        ensure!(
            output.status.success(),
            "there is no Cargo.toml here: begin with `cargo new` or `cargo init`"
        );
        let manifest = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let text = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        let table = toml::from_str(&text).with_context(|| manifest.display().to_string())?;
        Ok(Project {
            cargo,
            manifest,
            text,
            table,
        })
    }

    pub fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    /// The project's folder within its repository, unless it is the root of that, or there is none.
    pub fn inside_a_repository(&self) -> Option<&Path> {
        let root = self
            .folder()
            .ancestors()
            .find(|folder| folder.join(".git").exists())?;
        let inside = self.folder().strip_prefix(root).ok()?;
        (inside != Path::new("")).then_some(inside)
    }

    pub fn manifest(&self) -> &Path {
        &self.manifest
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.table.get(*first)?, |value, key| value.get(key))
    }

    /// The name of the package, if there is one.
    pub fn package(&self) -> Option<&str> {
        self.at(&["package", "name"])?.as_str()
    }

    /// The table of the manifest that is ours.
    pub fn our_table(&self) -> &'static str {
        match self.package() {
            Some(_) => "package.metadata.lockutils",
            None => "workspace.metadata.lockutils",
        }
    }

    pub fn is_configured(&self) -> bool {
        let path: Vec<&str> = self.our_table().split('.').collect();
        self.at(&path).is_some()
    }

    /// Adds our table at the end of the manifest.
    pub fn configure(&self, configuration: &str) -> Result<()> {
        // It may have been changed by `cargo add` meanwhile.
        let text = fs::read_to_string(&self.manifest)?;
        let text = format!("{}\n{configuration}", text.trim_end());
        toml::from_str::<Table>(&text).context("the manifest would no longer be TOML")?;
        fs::write(&self.manifest, text)
            .with_context(|| format!("{} cannot be written", self.manifest.display()))
    }

    /// The folder of the workspace from which the project takes `oslo-concurrency`, if it takes it from a path.
    pub fn neighbour(&self) -> Option<PathBuf> {
        let path = self
            .at(&["dependencies", "oslo-concurrency", "path"])?
            .as_str()?;
        // Not resolved: cargo takes a path through a link for another package.
        let library = self.folder().join(path);
        let folder = library.parent().filter(|_| library.file_name().is_some())?;
        let folder = folder.to_owned();
        folder.join("harness/Cargo.toml").exists().then_some(folder)
    }

    pub fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "dev-dependencies"]
            .iter()
            .any(|kind| self.at(&[kind, name]).is_some())
    }

    /// The arguments of `cargo add` for what a Rust worker needs and the project lacks.
    pub fn missing(&self) -> Vec<Vec<String>> {
        let neighbour = self.neighbour();
        let of = |name: &str, folder: &str| {
            let mut arguments = vec!["add".to_owned(), "--quiet".to_owned(), "--dev".to_owned()];
            match &neighbour {
                Some(root) => arguments.extend([
                    "--path".to_owned(),
                    root.join(folder).to_string_lossy().into_owned(),
                ]),
                None => arguments.push(name.to_owned()),
            }
            arguments
        };
        let mut missing = Vec::new();
        if !self.depends_on("oslo-concurrency") {
            missing.push(of("oslo-concurrency", "oslo-concurrency"));
        }
        if !self.depends_on("lockutils-harness") {
            let mut arguments = of("lockutils-harness", "harness");
            arguments.extend(["--features".to_owned(), "foreign".to_owned()]);
            missing.push(arguments);
        }
        missing
    }

    pub fn cargo(&self, arguments: &[String]) -> Result<()> {
        let status = Command::new(&self.cargo)
            .args(arguments)
            .current_dir(self.folder())
            .status()
            .with_context(|| self.cargo.display().to_string())?;
        match status.success() {
            true => Ok(()),
            false => Err(anyhow!("`cargo {}` failed", arguments.join(" "))),
        }
    }

    /// Whether the manifest is still what was read.
    pub fn is_unchanged(&self) -> bool {
        fs::read_to_string(&self.manifest).is_ok_and(|text| text == self.text)
    }
}
