//! Commands that require root.

use std::ffi::OsString;

/// Puts a helper such as `sudo` or `nova-rootwrap /etc/nova/rootwrap.conf` before the command. The
/// helper is split like a shell command line. In a shell script, its text is put before the script.
pub(super) fn behind_helper(
    helper: &str,
    mut command: Vec<OsString>,
    shell: bool,
) -> Result<Vec<OsString>, String> {
    if shell {
        if let Some(script) = command.first_mut() {
            let mut prefixed = OsString::from(helper);
            prefixed.push(" ");
            prefixed.push(&script);
            *script = prefixed;
        }
        return Ok(command);
    }
    let words = shell_words::split(helper)
        .map_err(|_| format!("{helper:?} has a quote that is not closed"))?;
    Ok(words
        .into_iter()
        .map(OsString::from)
        .chain(command)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(helper: &str, command: &[&str], shell: bool) -> Result<Vec<OsString>, String> {
        behind_helper(helper, command.iter().map(OsString::from).collect(), shell)
    }

    #[test]
    fn the_helper_is_split_into_words_and_the_command_is_not() {
        let command = behind("rootwrap '/etc/my conf'", &["ls", "a b; c"], false).unwrap();
        assert_eq!(command, ["rootwrap", "/etc/my conf", "ls", "a b; c"]);
        assert!(
            behind("sudo 'x", &["ls"], false)
                .unwrap_err()
                .contains("not closed")
        );
    }

    #[test]
    fn a_script_is_put_behind_the_text_of_the_helper() {
        let command = behind("sudo -n", &["ls | wc", "x"], true).unwrap();
        assert_eq!(command, ["sudo -n ls | wc", "x"]);
    }
}
