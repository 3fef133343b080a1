//! Retries after a failure.

use std::fs;
use std::time::{Duration, Instant};

use oslo_concurrency::processutils::{Error, execute};

/// Appends each run to the file `$1`, or a complaint if its input is not `foo`.
const NOTE: &str = r#"[ "$(cat)" = foo ] && echo run >> "$1" || echo "no input" >> "$1""#;

fn runs(file: &std::path::Path) -> Vec<String> {
    let notes = fs::read_to_string(file).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

#[test]
fn each_attempt_gets_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes");
    let result = execute(["sh", "-c", &format!("{NOTE}; exit 1"), "sh"])
        .arg(&file)
        .attempts(10)
        .delay_on_retry(false)
        .process_input("foo")
        .run();
    assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
    assert_eq!(runs(&file), ["run"; 10]);
}

#[test]
fn success_ends_the_attempts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("notes");
    let script = format!(r#"{NOTE}; [ "$(wc -l < "$1")" = 2 ]"#);
    execute(["sh", "-c", &script, "sh"])
        .arg(&file)
        .attempts(5)
        .delay_on_retry(false)
        .process_input("foo")
        .run()
        .unwrap();
    assert_eq!(runs(&file), ["run"; 2]);
}

#[test]
fn a_program_that_cannot_be_started_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("comes-later");
    let late = program.clone();
    let comes = std::thread::spawn(move || {
        let made = late.with_extension("new");
        fs::copy("/bin/true", &made).unwrap();
        fs::rename(made, late).unwrap();
    });
    execute([&program])
        .attempts(60_000)
        .delay_on_retry(Duration::from_millis(1))
        .run()
        .unwrap();
    comes.join().unwrap();
}

#[test]
fn a_delay_lies_between_attempts_and_not_after_the_last() {
    let delay = Duration::from_millis(150);
    let began = Instant::now();
    execute(["false"])
        .attempts(3)
        .delay_on_retry(delay)
        .run()
        .unwrap_err();
    assert!(began.elapsed() >= 2 * delay);
    let began = Instant::now();
    execute(["false"])
        .attempts(1)
        .delay_on_retry(Duration::from_secs(3600))
        .run()
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(3600));
}

#[test]
fn the_random_delay_is_at_least_a_fifth_of_a_second() {
    let began = Instant::now();
    execute(["false"]).attempts(2).run().unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(200));
}
