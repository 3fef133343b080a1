//! The project in the current folder, and the additions to its manifest.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use toml::{Table, Value};

use crate::cargo_run;
use crate::settings::Workspace;

/// The package of the current folder, or a workspace without a root package.
pub struct Project {
    cargo: PathBuf,
    manifest: PathBuf,
    text: String,
    table: Table,
    /// The folder of the workspace, and its manifest.
    root: PathBuf,
    root_table: Table,
}

/// Source of the project's library, and so of the harness and the command.
pub enum Source {
    Registry,
    /// The workspace of the library.
    Path(PathBuf),
    /// A URL, and options such as `--branch main`.
    Git(String, Vec<String>),
}

impl Project {
    pub fn find() -> Result<Self> {
        let cargo = cargo_run::cargo();
        let manifest = locate(&cargo, &[])?;
        let root = locate(&cargo, &["--workspace"]).unwrap_or_else(|_| manifest.clone());
        let read = |file: &Path| -> Result<(String, Table)> {
            let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
            let table = toml::from_str(&text).with_context(|| file.display().to_string())?;
            Ok((text, table))
        };
        let (text, table) = read(&manifest)?;
        let (_, root_table) = read(&root)?;
        Ok(Project {
            cargo,
            manifest,
            text,
            table,
            root: root.parent().unwrap_or(Path::new(".")).to_owned(),
            root_table,
        })
    }

    pub fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    /// The folder of the workspace, where the locks of all members are tested.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder in which a CI service reads its files: the root of the repository, or else of the
    /// workspace.
    pub fn repository(&self) -> &Path {
        self.root
            .ancestors()
            .find(|folder| folder.join(".git").exists())
            .unwrap_or(&self.root)
    }

    /// The packages of the workspace with their folders, for a message.
    pub fn packages(&self) -> Vec<String> {
        let workspace = Workspace::here(&self.cargo);
        let packages = workspace.map_or_else(|_| Vec::new(), |workspace| workspace.folders());
        packages
            .into_iter()
            .map(|folder| relative(&self.root, &folder).display().to_string())
            .collect()
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

    /// The name of our table in the manifest.
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

    /// Appends our table to the manifest.
    pub fn configure(&self, configuration: &str) -> Result<()> {
        // `cargo add` may have changed it meanwhile.
        let text = fs::read_to_string(&self.manifest)?;
        let text = format!("{}\n{configuration}", text.trim_end());
        toml::from_str::<Table>(&text).context(
            "with the new table, the manifest would not be \
             valid TOML",
        )?;
        fs::write(&self.manifest, text)
            .with_context(|| format!("cannot write {}", self.manifest.display()))
    }

    /// The source of `oslo-concurrency`.
    pub fn source(&self) -> Source {
        let own = ["dependencies", "dev-dependencies"]
            .iter()
            .find_map(|kind| self.at(&[kind, "oslo-concurrency"]));
        let (value, folder) = match own {
            Some(value) if value.get("workspace") == Some(&Value::from(true)) => {
                let inherited = self
                    .root_table
                    .get("workspace")
                    .and_then(|table| table.get("dependencies")?.get("oslo-concurrency"));
                (inherited, &*self.root)
            }
            own => (own, self.folder()),
        };
        let text = |key: &str| Some(value?.get(key)?.as_str()?.to_owned());
        if let Some(url) = text("git") {
            let reference = ["branch", "tag", "rev"].iter().find_map(|key| {
                let name = text(key)?;
                Some(vec![format!("--{key}"), name])
            });
            return Source::Git(url, reference.unwrap_or_default());
        }
        // Links stay unresolved: to cargo, a path through a link is another package.
        let library = text("path").map(|path| folder.join(path));
        let neighbour = library.as_deref().and_then(|library| {
            let folder = library.parent().filter(|_| library.file_name().is_some())?;
            let is_whole = folder.join("harness/Cargo.toml").exists();
            is_whole.then(|| folder.to_owned())
        });
        neighbour.map_or(Source::Registry, Source::Path)
    }

    pub fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "dev-dependencies"]
            .iter()
            .any(|kind| self.at(&[kind, name]).is_some())
    }

    /// The arguments of `cargo add` for the missing dependencies of a Rust worker.
    pub fn missing(&self) -> Vec<Vec<String>> {
        let source = self.source();
        let of = |name: &str, folder: &str| {
            let mut arguments = vec!["add".to_owned(), "--quiet".to_owned(), "--dev".to_owned()];
            match &source {
                Source::Path(root) => arguments.extend([
                    "--path".to_owned(),
                    root.join(folder).to_string_lossy().into_owned(),
                ]),
                Source::Git(url, reference) => {
                    arguments.extend([name.to_owned(), "--git".to_owned(), url.clone()]);
                    arguments.extend(reference.iter().cloned());
                }
                Source::Registry => arguments.push(name.to_owned()),
            }
            arguments
        };
        let mut missing = Vec::new();
        if !self.depends_on("oslo-concurrency") {
            missing.push(of("oslo-concurrency", "oslo-concurrency"));
        }
        if !self.depends_on("lockutils-harness") {
            let mut arguments = of("lockutils-harness", "harness");
            arguments.extend(["--features".to_owned(), "protocol".to_owned()]);
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

    /// Returns `true` if the manifest is still as it was read.
    pub fn is_unchanged(&self) -> bool {
        fs::read_to_string(&self.manifest).is_ok_and(|text| text == self.text)
    }
}

fn locate(cargo: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let output = Command::new(cargo)
        .args(["locate-project", "--message-format", "plain"])
        .args(arguments)
        .output()
        .with_context(|| cargo.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() || !said.contains("could not find `Cargo.toml`"),
        "no Cargo.toml in this directory or any parent directory: create a package first, with \
         `cargo new` or `cargo init`"
    );
    ensure!(
        output.status.success(),
        "cargo cannot read this project:\n{}",
        crate::output::lines(said.trim())
    );
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

/// The relative path from a folder to a path, both absolute.
pub fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    match way.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => way,
    }
}
