//! Arguments, directory, environment and root.

use oslo_concurrency::processutils::{Error, execute, shell_join};
use proptest::prelude::*;

const NASTY: [&str; 10] = [
    "a; echo injected",
    "$(echo injected)",
    "`echo injected`",
    "a\nb",
    "it's",
    "\"",
    "*",
    "",
    "-n",
    "\\ $HOME && | > /tmp/x",
];

/// The arguments that the program received.
fn seen(args: &[&str]) -> Vec<String> {
    let output = execute(["/usr/bin/env", "printf", "%s\\0"])
        .args(args)
        .run()
        .unwrap();
    let mut args: Vec<String> = output.stdout.split('\0').map(str::to_owned).collect();
    args.pop();
    args
}

#[test]
fn no_shell_reads_an_argument() {
    assert_eq!(seen(&NASTY), NASTY);
}

#[test]
fn a_shell_reads_its_script_and_no_further_argument() {
    let output = execute(["printf '%s\\0' \"$@\"", "sh"])
        .args(NASTY)
        .shell(true)
        .run()
        .unwrap();
    assert_eq!(
        output.stdout.split_terminator('\0').collect::<Vec<_>>(),
        NASTY
    );
    let output = execute(["echo a; echo b | tr b c"])
        .shell(true)
        .run()
        .unwrap();
    assert_eq!(output.stdout, "a\nc\n");
}

#[test]
fn joined_arguments_are_arguments_to_a_shell() {
    let line = shell_join(["printf", "%s\\0"].into_iter().chain(NASTY));
    let output = execute([line]).shell(true).run().unwrap();
    assert_eq!(
        output.stdout.split_terminator('\0').collect::<Vec<_>>(),
        NASTY
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_they_are_arguments_arrive_as_they_are(
        args in proptest::collection::vec("[^\0]{0,20}", 1..5),
    ) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        prop_assert_eq!(seen(&args), args);
    }
}

#[test]
fn a_nul_is_refused() {
    for execution in [
        execute(["echo", "a\0b"]),
        execute(["echo"]).env_variables([("A", "b\0")]),
        execute(["echo"]).env_variables([("A=B", "c")]),
        execute(["echo"]).attempts(0),
        execute::<&str>([]),
    ] {
        let error = execution.run().unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    }
}

#[test]
fn it_runs_in_the_directory_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let output = execute(["pwd", "-P"]).cwd(&path).run().unwrap();
    assert_eq!(output.stdout.trim_end(), path.to_str().unwrap());

    let missing = path.join("missing");
    let error = execute(["pwd"]).cwd(&missing).run().unwrap_err();
    assert!(
        error.to_string().contains("missing\" does not exist"),
        "{error}"
    );
}

#[test]
fn a_given_environment_is_the_whole_environment() {
    let variables = [("SUPER_UNIQUE_VAR", "The answer is 42")];
    let output = execute(["/usr/bin/env"])
        .env_variables(variables)
        .run()
        .unwrap();
    assert_eq!(output.stdout, "SUPER_UNIQUE_VAR=The answer is 42\n");
    let output = execute(["/usr/bin/env"]).run().unwrap();
    assert!(output.stdout.contains("PATH="), "without one it has ours");
}

#[test]
fn a_program_is_looked_for_in_the_path_of_its_environment() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", directory.path().join("only-here")).unwrap();
    let output = execute(["only-here", "-c", "echo found"])
        .env_variables([("PATH", directory.path())])
        .run()
        .unwrap();
    assert_eq!(output.stdout, "found\n");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = execute(["/missing_path/program", "--password", "x y"])
        .run()
        .unwrap_err();
    let Error::Start { source, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("`/missing_path/program --password ***` cannot be started"),
        "{error}"
    );
}

#[test]
fn root_needs_a_helper_unless_we_are_root() {
    let as_root = || execute(["echo", "hello"]).run_as_root(true);
    let behind_helper = as_root()
        .root_helper("echo 'helped by' x")
        .run()
        .unwrap()
        .stdout;
    if nix::unistd::geteuid().is_root() {
        assert_eq!(as_root().run().unwrap().stdout, "hello\n");
        assert_eq!(behind_helper, "hello\n");
    } else {
        assert!(matches!(
            as_root().run(),
            Err(Error::NoRootWrapSpecified { .. })
        ));
        assert_eq!(behind_helper, "helped by x echo hello\n");
    }
}

#[test]
fn as_another_user_the_helper_runs_the_command() {
    // The branch of `root_needs_a_helper_unless_we_are_root` that does not run as root, in a thread
    // that gives up root.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let run = std::thread::spawn(|| {
        // SAFETY: a plain system call. Unlike the function of libc, it changes only this thread,
        // which ends soon.
        let given_away = unsafe { nix::libc::syscall(nix::libc::SYS_setresuid, -1, 65534, -1) };
        assert_eq!(given_away, 0);
        let command = || execute(["echo", "a b"]).run_as_root(true);
        (
            command().run(),
            command().root_helper("echo helped").run(),
            execute(["echo x; id -u"])
                .shell(true)
                .run_as_root(true)
                .root_helper("echo y;")
                .run(),
        )
    });
    let (without, with, in_shell) = run.join().unwrap();
    assert!(
        matches!(without, Err(Error::NoRootWrapSpecified { .. })),
        "{without:?}"
    );
    assert_eq!(with.unwrap().stdout, "helped echo a b\n");
    assert!(in_shell.unwrap().stdout.starts_with("y\nx\n"));
}
