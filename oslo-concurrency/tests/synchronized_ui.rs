//! Uses that `#[synchronized]` rejects, and its messages with the remedy.

#[test]
fn refusals_say_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/synchronized_ui/*.rs");
    if cfg!(feature = "tokio") {
        cases.compile_fail("tests/synchronized_ui/with_tokio/*.rs");
    } else {
        cases.compile_fail("tests/synchronized_ui/without_tokio/*.rs");
    }
}
