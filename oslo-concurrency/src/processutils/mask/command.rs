//! A command line for display: with its secrets masked, and quoted for a shell.

use super::keys::is_secret;
use super::{MASK, USER_OPTIONS, mask_password, password_of_pair};

/// The masked command line of a program and its arguments. Each argument is masked by itself, so
/// that a secret with spaces or quotes is masked as a whole.
pub(crate) fn mask_command(args: &[String]) -> String {
    let words: Vec<String> = (0..args.len()).map(|at| quote(&mask(args, at))).collect();
    words.join(" ")
}

/// The masked command line of a shell script and its arguments.
pub(crate) fn mask_shell(script: &str, args: &[String]) -> String {
    let script = mask_password(script).into_owned();
    match args {
        [] => script,
        _ => format!("{script} {}", mask_command(args)),
    }
}

/// Quotes arguments as one line for a POSIX shell, which reads each of them as a single word.
///
/// Use it for all text that is not part of the program, with `ssh_execute`, which always goes
/// through a remote shell, and with `shell(true)`.
///
/// ```
/// use oslo_concurrency::processutils::shell_join;
///
/// assert_eq!(shell_join(["rm", "--", "it's; reboot"]), r#"rm -- 'it'\''s; reboot'"#);
/// ```
pub fn shell_join<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> String {
    shell_words::join(args)
}

fn mask(args: &[String], at: usize) -> String {
    let arg = &args[at];
    let before = |back: usize| at.checked_sub(back).map_or("", |at| args[at].as_str());
    let names_it = before(1).starts_with('-') && is_secret(before(1).as_bytes());
    let named_before_option =
        before(1).starts_with('-') && !before(1).contains('=') && is_secret(before(2).as_bytes());
    if names_it || named_before_option {
        return MASK.to_owned();
    }
    let follows_user = USER_OPTIONS.contains(&before(1).as_bytes());
    if let Some(password) = password_of_pair(arg.as_bytes()).filter(|_| follows_user) {
        return format!("{}{MASK}", &arg[..password]);
    }
    match arg.split_once('=') {
        // The value is the rest of the argument, whatever it contains; more text may follow a
        // quoted value.
        Some((name, value))
            if is_secret(name.as_bytes())
                && !value.is_empty()
                && !value.starts_with(['"', '\'']) =>
        {
            format!("{name}={MASK}")
        }
        _ => mask_password(arg).into_owned(),
    }
}

/// Quotes a word if a shell requires it; leaves a mask unquoted.
fn quote(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    match !word.is_empty() && word.replace(MASK, "").bytes().all(is_plain) {
        true => word.to_owned(),
        false => shell_words::quote(word).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(args: &[&str]) -> String {
        mask_command(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_secret_that_is_an_argument_is_masked_as_a_whole() {
        assert_eq!(
            shown(&["x", "--password", "my own \"se'cret\""]),
            "x --password ***"
        );
        assert_eq!(shown(&["x", "--db-password=my own"]), "x --db-password=***");
        assert_eq!(
            shown(&["x", "-n", "node.session.auth.password", "-v", "a b"]),
            "x -n node.session.auth.password -v ***"
        );
        assert_eq!(shown(&["curl", "-u", "me:a b"]), "curl -u me:***");
        assert_eq!(shown(&["docker", "-u", "1000:1000"]), "docker -u 1000:1000");
        assert_eq!(shown(&["x", "--password", "a", "b"]), "x --password *** b");
    }

    #[test]
    fn what_is_shown_can_be_pasted() {
        assert_eq!(
            shown(&["echo", "a b", "it's", "", "$(x)"]),
            r#"echo 'a b' 'it'\''s' '' '$(x)'"#
        );
        assert_eq!(
            shown(&["run", "password=\"secret\"", "something"]),
            "run 'password=\"***\"' something"
        );
    }

    #[test]
    fn a_script_stays_as_it_is_but_for_its_secrets() {
        assert_eq!(
            mask_shell("a --password=b | c", &[]),
            "a --password=*** | c"
        );
        assert_eq!(mask_shell("echo $0", &["x y".to_owned()]), "echo $0 'x y'");
    }
}
