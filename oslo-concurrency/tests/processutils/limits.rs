//! Limits, as the kernel reports them for the child.

use nix::sys::resource::{Resource, getrlimit};
use oslo_concurrency::processutils::{Error, ProcessExecutionError, ProcessLimits, execute};

/// A little less than the hard limit, or `default` if there is none: every user may set it.
fn below(resource: Resource, default: u64) -> u64 {
    let (_, hard) = getrlimit(resource).unwrap();
    match hard {
        ProcessLimits::UNLIMITED | 0 => default.min(hard),
        hard => hard - 1,
    }
}

/// The soft and the hard limit of a child with these limits.
fn reported(limits: ProcessLimits, name: &str) -> [String; 2] {
    let report = execute(["cat", "/proc/self/limits"])
        .prlimit(limits)
        .run()
        .unwrap()
        .stdout;
    let line = report
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    [words[0].to_owned(), words[1].to_owned()]
}

macro_rules! each_limit {
    ($($field:ident: $resource:ident, $default:expr, $name:literal;)*) => {$(
        #[test]
        fn $field() {
            let value = below(Resource::$resource, $default);
            let limits = ProcessLimits { $field: Some(value), ..Default::default() };
            assert_eq!(reported(limits, $name), [value.to_string(), value.to_string()]);
            let without = reported(ProcessLimits::default(), $name);
            assert_ne!(without[1], value.to_string(), "without it there is another");
        }
    )*};
}

each_limit! {
    address_space: RLIMIT_AS, 1 << 30, "Max address space";
    core_file_size: RLIMIT_CORE, 1023, "Max core file size";
    cpu_time: RLIMIT_CPU, 1023, "Max cpu time";
    data_size: RLIMIT_DATA, 1 << 30, "Max data size";
    file_size: RLIMIT_FSIZE, 1023, "Max file size";
    memory_locked: RLIMIT_MEMLOCK, 1 << 16, "Max locked memory";
    number_files: RLIMIT_NOFILE, 1023, "Max open files";
    number_processes: RLIMIT_NPROC, 65535, "Max processes";
    resident_set_size: RLIMIT_RSS, 1 << 30, "Max resident set";
    stack_size: RLIMIT_STACK, 1 << 23, "Max stack size";
}

#[test]
fn all_at_once_and_without_a_wrapper() {
    let limits = ProcessLimits {
        address_space: Some(1 << 30),
        number_files: Some(32),
        cpu_time: Some(60),
        ..Default::default()
    };
    let output = execute([
        "sh",
        "-c",
        "ulimit -v; ulimit -n; ulimit -t; readlink /proc/$$/exe; echo $PPID",
    ])
    .prlimit(limits)
    .run()
    .unwrap();
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines[..3], ["1048576", "32", "60"]);
    assert_eq!(
        lines[4],
        std::process::id().to_string(),
        "we are its parent"
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn a_limit_bites() {
    let directory = tempfile::tempdir().unwrap();
    let limits = ProcessLimits {
        file_size: Some(1000),
        ..Default::default()
    };
    let result = execute(["dd", "if=/dev/zero", "bs=2000", "count=1"])
        .arg(format!("of={}", directory.path().join("large").display()))
        .prlimit(limits)
        .run();
    match result {
        // dd writes as much as fits, and is then killed, or gets an error if the signal is ignored.
        Err(Error::Failed(ProcessExecutionError {
            exit_code: Some(code),
            ..
        })) => assert!(code == -nix::libc::SIGXFSZ || code == 1),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        std::fs::metadata(directory.path().join("large"))
            .unwrap()
            .len(),
        1000
    );
}

#[test]
fn a_limit_that_cannot_be_set_is_named_and_nothing_runs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ran");
    // More than the kernel permits to any user.
    let limits = ProcessLimits {
        number_files: Some(u64::MAX - 1),
        ..Default::default()
    };
    let error = execute(["touch"])
        .arg(&file)
        .prlimit(limits)
        .run()
        .unwrap_err();
    let Error::Limit {
        limit,
        value,
        source,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*limit, *value), ("number_files", u64::MAX - 1));
    assert_eq!(source.raw_os_error(), Some(nix::libc::EPERM));
    assert!(
        error.to_string().contains("number_files cannot be set to"),
        "{error}"
    );
    assert!(!file.exists());
}

#[test]
fn a_missing_program_is_told_as_without_limits() {
    let limits = ProcessLimits {
        number_files: Some(64),
        ..Default::default()
    };
    let error = execute(["/missing_path/program"])
        .prlimit(limits)
        .run()
        .unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
}

#[test]
fn a_program_of_the_path_is_found_with_limits() {
    let limits = ProcessLimits {
        address_space: Some(1 << 30),
        ..Default::default()
    };
    execute(["true"])
        .env_variables([("PATH", "/usr/bin:/bin")])
        .prlimit(limits)
        .run()
        .unwrap();
}
