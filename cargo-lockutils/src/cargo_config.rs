//! The parts of cargo's configuration that ours must be compatible with: the files that cargo
//! reads, and `--config` on its command line.
//!
//! Cargo refuses to merge a string with a table or a list, so our value must have the form of the
//! existing one.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Other,
}

/// One table per file and one per `--config`. The last `--config` wins.
pub struct CargoConfig {
    files: Vec<Table>,
    command_line: Vec<Table>,
}

impl CargoConfig {
    /// Reads the configuration that cargo uses in `folder`, and its `--config` arguments.
    pub fn read<'a>(folder: &Path, given: impl Iterator<Item = &'a OsStr>) -> Self {
        let mut files = Vec::new();
        for folder in folder.ancestors() {
            read_folder(&folder.join(".cargo"), &mut files);
        }
        if let Some(home) = home() {
            read_folder(&home, &mut files);
        }
        CargoConfig {
            files,
            command_line: given
                .flat_map(|given| from_command_line(folder, given))
                .collect(),
        }
    }

    /// The form of the value at this path. One string among several values makes the form a string.
    pub fn form(&self, path: &[&str]) -> Option<Form> {
        let values = self.files.iter().chain(&self.command_line);
        let mut form = None;
        for value in values.filter_map(|table| at(table, path)) {
            match value {
                Value::String(_) => return Some(Form::Text),
                _ => form = Some(Form::Other),
            }
        }
        form
    }

    /// Returns `true` if a configuration file sets the value at this path.
    pub fn is_in_files(&self, path: &[&str]) -> bool {
        self.files.iter().any(|table| at(table, path).is_some())
    }

    /// The last value at this path on the command line.
    pub fn on_command_line(&self, path: &[&str]) -> Option<&Value> {
        self.command_line
            .iter()
            .rev()
            .find_map(|table| at(table, path))
    }

    /// Everything that the command line sets below the key, in one table.
    pub fn below_on_command_line(&self, key: &str) -> Table {
        let mut all = Table::new();
        for table in &self.command_line {
            if let Some(Value::Table(below)) = table.get(key) {
                merge(&mut all, below);
            }
        }
        all
    }
}

fn merge(into: &mut Table, from: &Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn home() -> Option<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        _ => Some(env::home_dir()?.join(".cargo")),
    }
}

fn read_folder(folder: &Path, into: &mut Vec<Table>) {
    // Cargo prefers the first of these two.
    if !read_file(&folder.join("config"), into, 0) {
        read_file(&folder.join("config.toml"), into, 0);
    }
}

/// Maximum depth of `include`; deeper files are ignored.
const DEEPEST: usize = 8;

/// Reads one file and its includes. A file that cannot be read or parsed is left to cargo to
/// report.
fn read_file(file: &Path, into: &mut Vec<Table>, depth: usize) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    let Ok(table) = toml::from_str::<Table>(&text) else {
        return true;
    };
    if depth < DEEPEST {
        let folder = file.parent().unwrap_or(Path::new("."));
        for included in includes(&table) {
            read_file(&folder.join(included), into, depth + 1);
        }
    }
    into.push(table);
    true
}

/// The included paths, written `include = "a"`, `["a", "b"]` or `[{ path = "a" }]`.
fn includes(table: &Table) -> Vec<String> {
    let path = |value: &Value| match value {
        Value::String(path) => Some(path.clone()),
        value => Some(value.get("path")?.as_str()?.to_owned()),
    };
    match table.get("include") {
        Some(Value::Array(all)) => all.iter().filter_map(path).collect(),
        Some(one) => path(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The tables of one `--config`: those of a file, or one of a line of TOML.
fn from_command_line(folder: &Path, given: &OsStr) -> Vec<Table> {
    let mut tables = Vec::new();
    let file = folder.join(given);
    if file.is_file() {
        read_file(&file, &mut tables, 0);
    } else if let Some(table) = given.to_str().and_then(|text| toml::from_str(text).ok()) {
        tables.push(table);
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[(&str, &str)], given: &[&str]) -> CargoConfig {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let inner = folder.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        CargoConfig::read(&inner, given.iter().map(OsStr::new))
    }

    #[test]
    fn a_text_anywhere_is_found() {
        let path = ["env", "X"];
        let text = "[env]\nX = 'y'\n";
        let table = "env.X = { value = 'y' }";
        assert_eq!(config(&[], &[]).form(&path), None);
        for files in [
            &[(".cargo/config.toml", text)][..],
            &[("a/.cargo/config", text)],
            &[
                ("a/b/.cargo/config.toml", "include = ['other.toml']"),
                ("a/b/.cargo/other.toml", text),
            ],
            &[
                (".cargo/config.toml", text),
                ("a/b/.cargo/config.toml", table),
            ],
        ] {
            assert_eq!(
                config(files, &[]).form(&path),
                Some(Form::Text),
                "{files:?}"
            );
        }
        assert_eq!(
            config(&[(".cargo/config.toml", table)], &[]).form(&path),
            Some(Form::Other)
        );
        assert_eq!(config(&[], &["env.X='y'"]).form(&path), Some(Form::Text));
    }

    #[test]
    fn the_command_line_adds_tables_and_the_last_wins() {
        let given = [
            "target.t.runner='a'",
            "target.\"cfg(unix)\".runner=['b']",
            "target.t.runner='c'",
        ];
        let config = config(&[], &given);
        let runner = config.on_command_line(&["target", "t", "runner"]);
        assert_eq!(runner, Some(&Value::from("c")));
        assert_eq!(config.below_on_command_line("target").len(), 2);
        assert!(!config.is_in_files(&["target", "t", "runner"]));
    }
}
