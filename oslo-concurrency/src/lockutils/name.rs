//! The file name of a lock.

use std::borrow::Cow;
use std::path::{Component, Path};

use super::Error;
use crate::files::TURNSTILE_SUFFIX;
use crate::sys::{LONGEST_FILE_NAME, SEPARATORS, problem_with_file_name};

/// The path of lock `name` with `prefix` below the lock path, the same as in oslo.concurrency: `/`
/// in the name becomes `_` (on Windows `\` too), and `-` joins the prefix unless it ends in one. A
/// prefix with `/` is a directory and a prefix.
pub(crate) fn file_name<'a>(prefix: Option<&str>, name: &'a str) -> Result<Cow<'a, str>, Error> {
    let invalid = |reason| Error::InvalidName {
        name: name.to_owned(),
        reason,
    };
    if name.contains('\0') || prefix.is_some_and(|prefix| prefix.contains('\0')) {
        return Err(invalid(
            "a file name cannot contain a NUL character; remove it",
        ));
    }
    let mut file = if name.contains(SEPARATORS) {
        Cow::Owned(name.replace(SEPARATORS, "_"))
    } else {
        Cow::Borrowed(name)
    };
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        if Path::new(prefix).components().any(|part| {
            matches!(
                part,
                Component::Prefix(_) | Component::RootDir | Component::ParentDir
            )
        }) {
            return Err(invalid(
                "its prefix leads out of the lock path; use one without `..` and without a leading \
                 `/`",
            ));
        }
        let joint = if prefix.ends_with('-') { "" } else { "-" };
        file = Cow::Owned(format!("{prefix}{joint}{file}"));
    }
    match file.rsplit(SEPARATORS).next().unwrap_or_default() {
        "" => Err(invalid("an external lock needs a non-empty name")),
        "." | ".." => Err(invalid("it is a directory; choose another name")),
        last if last.len() > LONGEST_FILE_NAME => Err(invalid(
            "its file name has more than 255 bytes; choose a shorter name",
        )),
        last if last.starts_with('.') && last.ends_with(TURNSTILE_SUFFIX) => Err(invalid(
            "names of the form `.NAME.turnstile` belong to fair locks; choose another",
        )),
        _ => match file.split(SEPARATORS).find_map(problem_with_file_name) {
            Some(problem) => Err(invalid(problem)),
            None => Ok(file),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_oslo() {
        assert_eq!(file_name(None, "image-7").unwrap(), "image-7");
        assert_eq!(file_name(None, "a/b/c").unwrap(), "a_b_c");
        assert_eq!(file_name(Some("myapp"), "db").unwrap(), "myapp-db");
        assert_eq!(file_name(Some("myapp-"), "db").unwrap(), "myapp-db");
        assert_eq!(file_name(Some(""), "db").unwrap(), "db");
        assert_eq!(file_name(Some("my/app"), "d/b").unwrap(), "my/app-d_b");
    }

    #[test]
    fn refuses_what_is_no_file_name() {
        for (prefix, name) in [
            (None, ""),
            (None, "."),
            (None, ".."),
            (None, "a\0b"),
            (Some("a\0"), "b"),
            (Some("/a"), "b"),
            (Some("../a"), "b"),
            (Some("a/.."), "b"),
            (Some(".x"), "b.turnstile"),
            (None, ".x.turnstile"),
        ] {
            assert!(
                matches!(file_name(prefix, name), Err(Error::InvalidName { .. })),
                "{prefix:?} {name:?}"
            );
        }
        assert!(file_name(None, &"x".repeat(255)).is_ok());
        assert!(file_name(None, &"x".repeat(256)).is_err());
    }
}
