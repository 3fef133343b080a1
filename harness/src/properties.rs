//! Properties of the parsers for any input, for the random tests below and for the programs in
//! `fuzz/`.

#![allow(missing_docs, reason = "public only to the programs in fuzz/")]

pub use crate::explore::counterexample::properties::{counterexample, is_read_as_written};
pub use crate::protocol::properties::{answer, protocol};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::explore::counterexample::Counterexample;
    use crate::model::Scenario;

    /// Random text, mixed with tokens of the parser.
    fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => proptest::sample::select(pieces).prop_map(str::to_owned),
            1 => "(?s).{0,8}",
            1 => "[0-9]{1,20}",
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    const PROTOCOL: &[&str] = &[
        "ready",
        "acquire",
        "acquire-timeout",
        "try",
        "acquired",
        "busy",
        "timeout",
        "error",
        "lost",
        "released",
        "threads",
        "no-try",
        " ",
        "\t",
        "\r",
        "0",
        "-1",
        "+1",
        "\u{85}",
        "\u{a0}",
    ];
    const FILE: &[&str] = &[
        "lock: ",
        "lock-json: ",
        "\"",
        "\\n",
        "scenario: ",
        "die",
        "parties: ",
        "rounds: ",
        "seed: ",
        "0x",
        "lease: ",
        "rest: ",
        "patient: ",
        "yes",
        "steps: ",
        "0",
        "1",
        "*",
        " ",
        "\n",
        "\r\n",
        "#",
        "100000",
    ];
    const HEAD: &str = "lockutils counterexample 1\n";
    const REST: &str = "\nscenario: die\nparties: 2\nrounds: 1\nseed: 0x5\nlock: x\nsteps: 0*3 1\n";

    proptest! {
        #[test]
        fn any_line_is_read(text in text(PROTOCOL), why in "(?s).{0,20}", slot in any::<usize>()) {
            protocol(&text);
            answer(slot, &why);
        }

        #[test]
        fn any_file_is_read_or_refused(text in text(FILE)) {
            counterexample(&text);
            counterexample(&format!("{HEAD}{text}{REST}"));
        }

        #[test]
        fn any_counterexample_is_read_as_it_was_written(
            (lock, why) in ("(?s).{0,20}", "(?s).{0,20}"),
            scenario in proptest::sample::select(Scenario::explorable().collect::<Vec<_>>()),
            (workers, rounds, seed) in (1..100_usize, 1..100_usize, any::<u64>()),
            (lease, rest, patient) in (any::<Option<u32>>(), any::<u32>(), any::<bool>()),
            processor in proptest::option::of("[a-z0-9_]{1,9}"),
            servers in proptest::option::of("[a-z]{1,9}"),
            server in proptest::option::of("[a-z]{1,5}(://[a-z]{1,5})?:[1-9][0-9]{0,4}"),
            actors in vec(0..4_usize, 0..64),
        ) {
            let milliseconds = |number: u32| Duration::from_millis(number.into());
            let lease = lease.map(milliseconds);
            let settle_time = milliseconds(rest);
            let example = Counterexample {
                lock, scenario, workers, rounds, seed, lease, settle_time, patient, processor,
                servers, server,
                moves: actors.into_iter().map(crate::explore::Move::Step).collect(),
            };
            is_read_as_written(&example, &why);
        }
    }
}
