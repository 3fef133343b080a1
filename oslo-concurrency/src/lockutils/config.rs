//! The configuration: the lock path, and whether external locks are in use.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::ini::{BadReference, Ini, Value};
use super::scope;
use super::setting::Setting;
use crate::once::OnceBox;
use crate::sys;

/// The environment variable that names the lock path; the same as oslo.concurrency's.
const VARIABLE: &CStr = c"OSLO_LOCK_PATH";

/// The section of this crate's options.
const SECTION: &str = "oslo_concurrency";

static DEFAULT: Setting = Setting::new();
static FROM_INI: Setting = Setting::new();
static DISABLED: AtomicBool = AtomicBool::new(false);
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// A number that changes with the configuration.
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Ordering::Acquire)
}

fn changed() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}

fn set(setting: &'static Setting, path: Option<PathBuf>) {
    setting.set(path);
    changed();
}

/// Sets this process's directory for lock files.
///
/// The lock path is the first of these that is set: the `lock_path` of the call, the [scope](scope)
/// of a test fixture, this default, the ini file, and the environment variable `OSLO_LOCK_PATH`,
/// which is read once, on first use. Two calls under different lock paths do not exclude each
/// other, so set it before the first lock is acquired.
///
/// In oslo.concurrency, this sets only the option's default, so the ini file overrides it there.
pub fn set_defaults(lock_path: impl Into<PathBuf>) {
    set(&DEFAULT, Some(lock_path.into()));
}

/// The directory for lock files that applies to this thread, if one is set; see [`set_defaults`]
/// for the precedence.
pub fn get_lock_path() -> Option<PathBuf> {
    with_lock_path(None, |path| path.map(Path::to_owned))
}

/// Reduces external locks to locks between threads, like oslo's option `disable_process_locking`.
pub fn set_disable_process_locking(disabled: bool) {
    DISABLED.store(disabled, Ordering::Release);
    changed();
}

pub(crate) fn process_locking_disabled() -> bool {
    DISABLED.load(Ordering::Acquire)
}

/// Calls `with` on the current lock path.
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
        with(
            DEFAULT
                .get()
                .or_else(|| FROM_INI.get())
                .or_else(from_environment),
        )
    })
}

fn from_environment() -> Option<&'static Path> {
    static PATH: OnceBox<Option<PathBuf>> = OnceBox::new();
    PATH.get_or_make(|| {
        sys::environment_variable(VARIABLE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    })
    .as_deref()
}

/// The reason why an ini file was rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path:?} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error from the operating system.
        source: io::Error,
    },
    /// A line is not valid in an ini file; oslo.config rejects the same files.
    #[error("{path:?}, line {line}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The problem with the line.
        reason: &'static str,
    },
    /// A value refers to an option (`$state_path`) that the file does not set.
    #[error(
        "{path:?}, line {line}: {option} refers to ${name}, which this file does not set and whose \
         default only the service itself knows: set {name} in [DEFAULT], or write {option} \
         without it"
    )]
    NotSet {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The option.
        option: &'static str,
        /// The option it refers to.
        name: String,
    },
    /// A value refers to itself.
    #[error(
        "{path:?}, line {line}: {option} leads back to ${name}; write one of them without the other"
    )]
    Circular {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The option.
        option: &'static str,
        /// The reference that closes the cycle.
        name: String,
    },
    /// A value is not valid for its option.
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
        /// The accepted values.
        expected: &'static str,
    },
}

/// Reads `lock_path` and `disable_process_locking` from the section `[oslo_concurrency]` of a
/// service's configuration file, such as nova.conf.
///
/// The file is read as oslo.config reads it: `#` and `;` begin comments, an indented line continues
/// a value, the last of several values wins, and `$name` or `${name}` stands for the value of
/// another option, in the same section or in `[DEFAULT]`. The defaults that a Python service
/// defines for such options are not known here. An empty lock path counts as not set. If several
/// files are read in turn, later ones override earlier ones, as with several `--config-file`
/// options.
///
/// If the file is not valid, nothing is changed.
///
/// # Errors
/// Returns a [`ConfigError`] that names file and line.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// # let directory = tempfile::tempdir()?;
/// # let nova_conf = directory.path().join("nova.conf");
/// std::fs::write(
///     &nova_conf,
///     "[DEFAULT]\nstate_path = /var/lib/nova\n\
///      [oslo_concurrency]\nlock_path = $state_path/tmp\n",
/// )?;
/// lockutils::configure_from_ini(&nova_conf)?;
/// assert_eq!(lockutils::get_lock_path().unwrap().to_str(), Some("/var/lib/nova/tmp"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn configure_from_ini(path: impl AsRef<Path>) -> Result<(), ConfigError> {
    let path = path.as_ref();
    let ini = read(path)?;
    let lock_path =
        option(&ini, path, SECTION, "lock_path")?.map(|value| PathBuf::from(value.text));
    let disabled = match option(&ini, path, SECTION, "disable_process_locking")? {
        None => None,
        Some(value) => Some(parse_bool(&value.text).ok_or_else(|| ConfigError::Value {
            path: path.to_owned(),
            line: value.line,
            option: "disable_process_locking",
            value: value.text.clone(),
            expected: "one of true, false, yes, no, on, off, 1, 0",
        })?),
    };
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

/// The value of an option in a configuration file, for `oslo-coordination`.
///
/// # Errors
/// The same as [`configure_from_ini`].
pub fn ini_option(
    path: &Path,
    section: &str,
    name: &'static str,
) -> Result<Option<String>, ConfigError> {
    let value = option(&read(path)?, path, section, name)?;
    Ok(value.map(|value| value.text))
}

fn read(path: &Path) -> Result<Ini, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ini::parse(&text).map_err(|bad| ConfigError::Syntax {
        path: path.to_owned(),
        line: bad.line,
        reason: bad.reason,
    })
}

/// An option with its references resolved.
fn option(
    ini: &Ini,
    path: &Path,
    section: &str,
    option: &'static str,
) -> Result<Option<Value>, ConfigError> {
    let path = path.to_owned();
    match ini.get(section, option).transpose() {
        Ok(value) => Ok(value),
        Err((line, BadReference::NotSet(name))) => Err(ConfigError::NotSet {
            path,
            line,
            option,
            name,
        }),
        Err((line, BadReference::Circular(name))) => Err(ConfigError::Circular {
            path,
            line,
            option,
            name,
        }),
        Err((line, BadReference::TooMany)) => Err(ConfigError::Value {
            path,
            line,
            option,
            value: ini
                .value(section, option)
                .map_or_else(String::new, |value| value.text.clone()),
            expected: "a value that leads to at most 100 references",
        }),
    }
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
    fn booleans_are_those_of_oslo_config() {
        assert_eq!(
            (parse_bool("Yes"), parse_bool("0"), parse_bool("maybe")),
            (Some(true), Some(false), None)
        );
    }
}
