//! Where the lock files are.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use super::scope;

/// The environment variable that names the lock path; the same as oslo.concurrency's.
const VARIABLE: &str = "OSLO_LOCK_PATH";

static DEFAULT: RwLock<Option<PathBuf>> = RwLock::new(None);
static FROM_INI: RwLock<Option<PathBuf>> = RwLock::new(None);
static DISABLED: AtomicBool = AtomicBool::new(false);
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Changes whenever the configuration does.
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::Acquire)
}

fn changed() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}

fn set(setting: &RwLock<Option<PathBuf>>, path: Option<PathBuf>) {
    *setting.write().unwrap_or_else(PoisonError::into_inner) = path;
    changed();
}

/// Sets the directory of the lock files for this process.
///
/// The order is: the `lock_path` of the call, the [scope](scope) of a test fixture, this, the ini file, and the environment variable
/// `OSLO_LOCK_PATH`, which is read once, when it is first needed. Two calls under different lock paths do not exclude each
/// other: set it before the first lock is taken.
pub fn set_defaults(lock_path: impl Into<PathBuf>) {
    set(&DEFAULT, Some(lock_path.into()));
}

/// The directory of the lock files as this thread sees it, if one is set; see [`set_defaults`] for the order.
pub fn get_lock_path() -> Option<PathBuf> {
    with_lock_path(None, |path| path.map(Path::to_owned))
}

/// Turns external locks into locks between threads only, as oslo's option `disable_process_locking`.
pub fn set_disable_process_locking(disabled: bool) {
    DISABLED.store(disabled, Ordering::Release);
    changed();
}

pub(crate) fn process_locking_disabled() -> bool {
    DISABLED.load(Ordering::Acquire)
}

/// Calls `with` on the lock path that is in force.
pub(crate) fn with_lock_path<T>(
    of_the_call: Option<&Path>,
    with: impl FnOnce(Option<&Path>) -> T,
) -> T {
    if of_the_call.is_some_and(|path| !path.as_os_str().is_empty()) {
        return with(of_the_call);
    }
    scope::current(|scoped| {
        if scoped.is_some() {
            return with(scoped);
        }
        for setting in [&DEFAULT, &FROM_INI] {
            let path = setting.read().unwrap_or_else(PoisonError::into_inner);
            if path.is_some() {
                return with(path.as_deref());
            }
        }
        with(from_environment())
    })
}

fn from_environment() -> Option<&'static Path> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| {
        env::var_os(VARIABLE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    })
    .as_deref()
}

/// Why an ini file was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path:?} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A value is not what its option takes.
    #[error("{path:?}, line {line}: {option} = {value:?} is not {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

/// Takes `lock_path` and `disable_process_locking` from the section `[oslo_concurrency]` of a service's ini file.
///
/// Nothing is changed unless the whole section is valid. Other sections and options are passed over.
///
/// # Errors
/// [`ConfigError`].
pub fn configure_from_ini(path: impl AsRef<Path>) -> Result<(), ConfigError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut lock_path = None;
    let mut disabled = None;
    for (line, option, value) in options_of_section(&text, "oslo_concurrency") {
        match option {
            "lock_path" => lock_path = Some(PathBuf::from(value)),
            "disable_process_locking" => {
                disabled = Some(parse_bool(value).ok_or_else(|| ConfigError::Value {
                    path: path.to_owned(),
                    line,
                    option: "disable_process_locking",
                    value: value.to_owned(),
                    expected: "one of true, false, yes, no, on, off, 1, 0",
                })?);
            }
            _ => {}
        }
    }
    if lock_path.is_some() {
        set(
            &FROM_INI,
            lock_path.filter(|path| !path.as_os_str().is_empty()),
        );
    }
    if let Some(disabled) = disabled {
        set_disable_process_locking(disabled);
    }
    Ok(())
}

fn options_of_section<'t>(
    text: &'t str,
    section: &str,
) -> impl Iterator<Item = (usize, &'t str, &'t str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            inside = name.trim() == section;
            return None;
        }
        if !inside || line.starts_with(['#', ';']) {
            return None;
        }
        let (option, value) = line.split_once(['=', ':'])?;
        Some((number + 1, option.trim(), value.trim()))
    })
}

fn parse_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_options_of_one_section() {
        let text = "[DEFAULT]\nlock_path = /no\n# c\n[oslo_concurrency]\n;x = y\nlock_path = /var/lock # not a comment\n\
                    disable_process_locking: False\n[other]\nlock_path=/no\n";
        let options: Vec<_> = options_of_section(text, "oslo_concurrency").collect();
        assert_eq!(
            options,
            [
                (6, "lock_path", "/var/lock # not a comment"),
                (7, "disable_process_locking", "False")
            ]
        );
        assert_eq!(
            (parse_bool("Yes"), parse_bool("0"), parse_bool("maybe")),
            (Some(true), Some(false), None)
        );
    }
}
