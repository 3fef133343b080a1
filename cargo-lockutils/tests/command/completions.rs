//! Completion scripts in their shells, and man pages.

use std::fs;
use std::process::{Command, Output};

use crate::project::{Project, stderr, stdout};

fn script(project: &Project, shell: &str) -> String {
    let script = stdout(&project.run(&["completions", shell]));
    for internal in [
        "test-runner",
        "builtin-worker",
        "wrapper-worker",
        "guardian",
    ] {
        assert!(!script.contains(internal), "{shell} offers {internal}");
    }
    script
}

/// Runs a shell; `.ci/run` installs those that are needed.
fn shell(shell: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(shell);
    command
        .args(arguments)
        .env("TERM", "dumb")
        .env_remove("ZDOTDIR");
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{shell}, which .ci/run installs: {error}"))
}

/// (typed words, one of the offered completions)
const TYPED: [(&str, &str); 4] = [
    ("cargo-lockutils str", "stress"),
    ("cargo-lockutils stress --dur", "--duration"),
    ("cargo-lockutils test --iso", "--isolate"),
    ("cargo-lockutils test --isolate b", "binary"),
];

#[test]
fn bash_completes_subcommands_options_and_values() {
    let project = Project::new();
    project.write("script", &script(&project, "bash"));
    let file = project.folder().join("../script");
    for (line, offered) in TYPED {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let driver = format!(
            "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT={}; \
             function=$(complete -p cargo-lockutils | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
             $function cargo-lockutils \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display(),
            words.join(" "),
            words.len() - 1,
            line.len(),
        );
        let output = shell("bash", &["--norc", "-c", &driver]);
        let printed = stdout(&output);
        assert!(
            printed.lines().any(|word| word == offered),
            "{line}: {printed}{}",
            stderr(&output)
        );
    }
}

#[test]
fn fish_completes_subcommands_options_and_values() {
    let project = Project::new();
    project.write("script", &script(&project, "fish"));
    let file = project.folder().join("../script");
    for (line, offered) in TYPED {
        let driver = format!("source '{}'; complete -C '{line}'", file.display());
        let output = shell("fish", &["--no-config", "-c", &driver]);
        let printed = stdout(&output);
        let words = printed.lines().filter_map(|line| line.split('\t').next());
        assert!(
            words.into_iter().any(|word| word == offered),
            "{line}: {printed}{}",
            stderr(&output)
        );
    }
}

/// Zsh completes only in its line editor, so it runs on a terminal of its own, and the additions of
/// its completion system are recorded.
#[test]
fn zsh_completes_subcommands_options_and_values() {
    let project = Project::new();
    project.write("functions/_cargo-lockutils", &script(&project, "zsh"));
    let functions = project.folder().join("../functions");
    for (line, offered) in TYPED {
        let file = project.temporary().join("offered");
        project.write(
            "inner.zsh",
            &format!(
                "fpath=('{functions}' $fpath)\nautoload -Uz compinit\ncompinit -u -d '{dump}'\n\
                 compadd() {{ local -a added; builtin compadd -O added \"$@\"; \
                 print -rl -- \"${{added[@]}}\" >> '{file}'; builtin compadd \"$@\" }}\n\
                 finish() {{ print -r -- finished >> '{file}'; exit }}\nzle -N finish\n\
                 bindkey '^X' finish\nPS1='ready> '\n",
                functions = functions.display(),
                dump = project.temporary().join("dump").display(),
                file = file.display(),
            ),
        );
        let inner = project.folder().join("../inner.zsh");
        let driver = format!(
            "zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z 'source {}; print loa''ded'; \
             typeset text; while zpty -r z text; do [[ $text == *loaded* ]] && break; done; \
             zpty -w -n z $'{line}\\t\\x18'; while zpty -r z text; do :; done; zpty -d z",
            inner.display()
        );
        let _ = fs::remove_file(&file);
        let output = shell("zsh", &["-f", "-c", &driver]);
        let printed = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            printed.lines().any(|word| word == offered),
            "{line}: {printed}{}{}",
            stdout(&output),
            stderr(&output)
        );
    }
}

/// Every page that a page mentions exists.
#[test]
fn man_pages_are_written_for_every_subcommand() {
    let project = Project::new();
    let folder = project.temporary().join("man");
    let output = project.run(&["man", "--all", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = fs::read_to_string(folder.join("cargo-lockutils.1")).unwrap();
    assert_eq!(first.trim_end(), stdout(&project.run(&["man"])).trim_end());
    let mut named = 0;
    for part in first.replace("\\-", "-").split("cargo-lockutils-").skip(1) {
        let Some((name, _)) = part.split_once("(1)") else {
            continue;
        };
        let name = name.replace("\\fR", "");
        let page = folder.join(format!("cargo-lockutils-{name}.1"));
        let text = fs::read_to_string(&page).unwrap_or_else(|_| panic!("no page of {name}"));
        assert!(text.contains(".SH SYNOPSIS"), "{name}");
        named += 1;
    }
    assert!(named >= 12, "{first}");
    assert!(
        folder.join("cargo-lockutils-stress.1").exists()
            && !folder.join("cargo-lockutils-guardian.1").exists()
    );
}
