//! What `#[synchronized]` refuses, and the words in which it says what to write instead.

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
