//! The table of `ls`, fitted to the terminal.

use std::fmt::Write;
use std::time::Duration;

use clap::builder::styling::Style;

use crate::lock_scan::{Role, Scan, User};
use crate::output::{printable, shorten};

/// Width without a terminal.
const WIDTH: usize = 80;
/// Width of the columns before the command: indent, role, pid, lock and age, two blanks apart.
const BEFORE_COMMAND: usize = 2 + 8 + 2 + 7 + 2 + 15 + 2 + 4 + 2;
/// Maximum number of unused files to name without `--all`.
const NAMED: usize = 3;

const FILE: Style = Style::new().bold();

/// The width of the terminal on standard output, or 80.
pub fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(WIDTH, |(width, _)| usize::from(width.0).max(60))
}

pub fn of(scan: &Scan, all: bool, width: usize) -> String {
    let (unused, used): (Vec<_>, Vec<_>) =
        scan.files.iter().partition(|(_, users)| users.is_empty());
    let mut text = String::new();
    if !used.is_empty() {
        line(
            &mut text,
            "WHO",
            "PID",
            "LOCK",
            "AGE",
            "COMMAND OF THE PROCESS",
        );
    }
    let command_width = width.saturating_sub(BEFORE_COMMAND + 1);
    for (file, users) in &used {
        let _ = writeln!(text, "{FILE}{}{FILE:#}", printable(&file.to_string_lossy()));
        for user in *users {
            row(&mut text, user, command_width);
        }
    }
    let (others, locks): (Vec<_>, Vec<_>) = unused
        .into_iter()
        .partition(|(file, _)| scan.other_files.contains_key(*file));
    let names: Vec<String> = locks
        .iter()
        .map(|(file, _)| printable(&file.to_string_lossy()))
        .collect();
    if all {
        for name in &names {
            let _ = writeln!(text, "{FILE}{name}{FILE:#}\n  unused");
        }
        for (file, _) in others {
            let (name, why) = (printable(&file.to_string_lossy()), scan.other_files[file]);
            let _ = writeln!(
                text,
                "{FILE}{name}{FILE:#}\n  unused; not a lock file ({why})"
            );
        }
    } else {
        text += &summary(&names, used.is_empty());
        match others.len() {
            0 => {}
            1 => text += "1 other file is not a lock file\n",
            n => {
                let _ = writeln!(text, "{n} other files are not lock files");
            }
        }
    }
    text
}

fn row(text: &mut String, user: &User, command_width: usize) {
    let (who, lock) = match user.role {
        Role::Holds(lock) => ("holds", lock.to_string()),
        Role::Waits(lock) => ("waits", lock.to_string()),
        Role::HasOpen => ("has open", "-".into()),
    };
    let (pid, age, command) = match &user.process {
        Some(process) => (
            process.pid.to_string(),
            process.age.map_or("?".into(), short),
            shorten(&printable(&process.command), command_width),
        ),
        None => ("?".into(), "?".into(), "(visible only to root)".into()),
    };
    line(text, who, &pid, &lock, &age, &command);
}

fn line(text: &mut String, who: &str, pid: &str, lock: &str, age: &str, command: &str) {
    let _ = writeln!(
        text,
        "  {who:<8}  {pid:>7}  {lock:<15}  {age:>4}  {command}"
    );
}

fn summary(unused: &[String], nothing_used: bool) -> String {
    let but = if nothing_used { "" } else { "also " };
    match unused {
        [] if nothing_used => "no lock files\n".into(),
        [] => String::new(),
        [one] => format!("{but}1 unused lock file: {one}\n"),
        names if names.len() <= NAMED => {
            let count = names.len();
            format!("{but}{count} unused lock files: {}\n", names.join(", "))
        }
        names => {
            let count = names.len();
            format!("{but}{count} unused lock files; --all lists them\n")
        }
    }
}

/// The age in at most four characters: 12s, 3m, 5h, 2d.
fn short(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock_scan::{FileLock, LockKind, LockMode, Process};

    #[test]
    fn the_widest_row_has_eighty_columns() {
        let process = Process {
            pid: 4_194_304,
            command: "x".repeat(200),
            age: Some(Duration::from_secs(86_400 * 365)),
        };
        let lock = FileLock {
            kind: LockKind::Posix,
            mode: LockMode::Exclusive,
        };
        let user = |role| User {
            role,
            process: Some(process.clone()),
        };
        let users = vec![user(Role::Waits(lock)), user(Role::HasOpen)];
        let scan = Scan {
            files: [("a".into(), users), ("b".into(), vec![])].into(),
            other_files: Default::default(),
            hidden: 0,
        };
        let table = of(&scan, false, 80);
        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert_eq!(*widths.iter().max().unwrap(), 80, "{table}");
        assert!(table.ends_with("also 1 unused lock file: b\n"));
        assert!(table.contains("365d"));
    }
}
