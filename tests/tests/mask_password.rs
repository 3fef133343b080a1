//! Our masking covers everything that Python's oslo.utils masks.

use std::path::Path;

use lockutils_tests::python;
use oslo_concurrency::processutils::{execute, mask_password};

/// `K` is a name, `S` a secret; the last word is not secret.
const FORMS: [&str; 30] = [
    "run K=S nomask",
    "run K = S nomask",
    "run K='S' nomask",
    "run K = \"S\" nomask",
    "run K \"S\" nomask",
    "run K  'S' nomask",
    "run --K S nomask",
    "run --K=S nomask",
    "run --K = 'S' nomask",
    "run --K \"S\" nomask",
    "<K>S</K> nomask",
    "<K>\n  S\n</K> nomask",
    "<x K=\"S\"/> nomask",
    "{'K':'S'} nomask",
    "{ \"K\" : \"S\" } nomask",
    "{'K': u'S'} nomask",
    "{\"x\": {\"my_K\": \"S\"}} nomask",
    "{'K1' : 'S'} nomask",
    "test = 'node.auth.K','-v','S','x' nomask",
    "test = 'node.auth.K', '--value', 'S' nomask",
    "test = node.auth.K -v S nomask",
    "test = node.auth.K --value S nomask",
    "Namespace(a='', K='S', b=None) nomask",
    "db_K=S, nomask",
    "K=S&x=1 nomask",
    "os_K9 = S nomask",
    "(K='S') nomask",
    "[K='S'] nomask",
    "'my K' : 'S' nomask",
    "K=S\nnomask",
];

/// Secrets with characters that are special to a shell, JSON or a pattern.
const SECRETS: [&str; 8] = [
    "hunter2x",
    "TL0E.fN/33",
    "q!@#$%&*()x",
    "q-._~:;,x",
    "q[]{}|x",
    "q\u{e9}\u{9000}x",
    "-dashes",
    "q=x==",
];

#[test]
fn what_python_masks_we_mask() {
    let names = answers(&[]).1;
    assert!(names.len() > 20, "{names:?}");
    let mut cases = Vec::new();
    for name in &names {
        for spelled in [name.clone(), name.to_uppercase()] {
            for form in FORMS {
                for secret in SECRETS {
                    let message = form
                        .replace('S', "\0")
                        .replace('K', &spelled)
                        .replace('\0', secret);
                    cases.push((message, secret));
                }
            }
        }
    }
    let messages: Vec<&str> = cases.iter().map(|(message, _)| message.as_str()).collect();
    let (theirs, _) = answers(&messages);
    assert_eq!(theirs.len(), cases.len());
    let (mut masked, mut same, mut more) = (0, 0, 0);
    for ((message, secret), python) in cases.iter().zip(&theirs) {
        let ours = mask_password(message);
        let they_mask = !python.contains(secret);
        let we_mask = !ours.contains(secret);
        assert!(
            we_mask || !they_mask,
            "{message:?}: {python:?}, but we say {ours:?}"
        );
        assert!(
            ours.contains("nomask") || !python.contains("nomask"),
            "{message:?}: {python:?}, but we say {ours:?}"
        );
        masked += usize::from(they_mask);
        more += usize::from(we_mask && !they_mask);
        same += usize::from(ours == python.as_str());
    }
    println!(
        "{} messages: Python masks {masked}, we mask {more} more; {same} come out the same",
        cases.len()
    );
    assert!(
        masked > cases.len() / 2,
        "Python masks {masked} of {}",
        cases.len()
    );
    assert!(
        same > cases.len() / 2,
        "{same} of {} come out the same",
        cases.len()
    );
}

/// Python's masked messages, and the names that it searches for.
fn answers(messages: &[&str]) -> (Vec<String>, Vec<String>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/mask_password.py");
    let lines: Vec<String> = messages
        .iter()
        .map(|message| serde_json::to_string(message).unwrap() + "\n")
        .collect();
    let output = execute([python::interpreter(), script])
        .process_input(lines.concat())
        .run()
        .unwrap();
    let mut answers = output.stdout.lines();
    let names = serde_json::from_str(answers.next().unwrap()).unwrap();
    (
        answers
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        names,
    )
}
