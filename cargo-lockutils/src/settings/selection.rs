//! The packages that `-p`, `--workspace` and `--exclude` select, by cargo's rules.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, Package};

use crate::cargo_options::Arguments;

/// The arguments that select packages.
#[derive(Debug, Default)]
pub struct Selection {
    packages: Vec<String>,
    workspace: bool,
    exclude: Vec<String>,
}

impl Selection {
    pub fn of(arguments: &Arguments<'_>) -> Self {
        let all = |values: &mut dyn Iterator<Item = &OsStr>| {
            values
                .map(|value| value.to_string_lossy().into_owned())
                .collect()
        };
        Selection {
            packages: all(&mut arguments.values("package")),
            workspace: arguments.has("workspace") || arguments.has("all"),
            exclude: all(&mut arguments.values("exclude")),
        }
    }

    /// The selected packages of the workspace.
    pub fn packages<'a>(&self, metadata: &'a Metadata, cargo: &Path) -> Result<Vec<&'a Package>> {
        let all = metadata.workspace_packages();
        if self.workspace {
            let excluded = |package: &Package| {
                self.exclude
                    .iter()
                    .any(|pattern| is_named(pattern, package))
            };
            return Ok(all
                .into_iter()
                .filter(|package| !excluded(package))
                .collect());
        }
        if self.packages.is_empty() {
            return Ok(match metadata.workspace_default_members.is_available() {
                true => metadata.workspace_default_packages(),
                false => all,
            });
        }
        let mut selected = Vec::new();
        for spec in &self.packages {
            if is_identifier(spec) {
                let id = identifier(cargo, spec, metadata)?;
                selected.extend(all.iter().copied().filter(|package| package.id.repr == id));
            } else {
                selected.extend(
                    all.iter()
                        .copied()
                        .filter(|package| is_named(spec, package)),
                );
            }
        }
        Ok(selected)
    }
}

/// Returns `true` for a package ID with a URL, such as `path+file:///…#name@1.0`.
fn is_identifier(spec: &str) -> bool {
    spec.contains("://") || spec.contains('#')
}

fn identifier(cargo: &Path, spec: &str, metadata: &Metadata) -> Result<String> {
    let output = Command::new(cargo)
        .args(["pkgid", "--manifest-path"])
        .arg(metadata.workspace_root.join("Cargo.toml"))
        .arg(spec)
        .output()
        .with_context(|| cargo.display().to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns `true` if `spec` names the package: `name`, `name@version`, `name:version` or a pattern
/// with `*`, `?` and `[…]`.
fn is_named(spec: &str, package: &Package) -> bool {
    let (name, version) = match spec.split_once(['@', ':']) {
        Some((name, version)) => (name, Some(version)),
        None => (spec, None),
    };
    let of_this_version = version.is_none_or(|version| {
        let own = package.version.to_string();
        own == version || own.starts_with(&format!("{version}."))
    });
    of_this_version && matches(name.as_bytes(), package.name.as_bytes())
}

/// Returns `true` if the text matches the pattern, by the rules of a shell.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| matches(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
        (Some((b'[', rest)), Some((first, text))) => {
            let Some(end) = rest.iter().skip(1).position(|&byte| byte == b']') else {
                return false;
            };
            let (set, rest) = (&rest[..=end], &rest[end + 2..]);
            let (set, negated) = match set.strip_prefix(b"!") {
                Some(set) => (set, true),
                None => (set, false),
            };
            is_in_set(set, *first) != negated && matches(rest, text)
        }
        (Some((byte, rest)), Some((first, text))) => byte == first && matches(rest, text),
        _ => false,
    }
}

/// Returns `true` if the set, of single characters and ranges such as `a-z`, contains the byte.
fn is_in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [from, b'-', to, rest @ ..] => (*from..=*to).contains(&byte) || is_in_set(rest, byte),
        [one, rest @ ..] => *one == byte || is_in_set(rest, byte),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, right) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*b*", "abc", true),
            ("?b", "ab", true),
            ("?", "", false),
            ("x[a-c]", "xb", true),
            ("x[!a-c]", "xb", false),
            ("x[ab]y", "xby", true),
            ("x[", "x[", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, right, "{pattern} {text}");
        }
    }
}
