//! The steps of a counterexample.

use std::fmt::Write;

use crate::model::Step;

/// Indentation of the rest of a folded line.
const BELOW: &str = "            ";

/// A line for each step, and one for the end of the schedule.
pub fn steps(steps: &[Step], ending: &str) -> String {
    let mut text = String::new();
    let mut last = "";
    let shortened: Vec<String> = steps.iter().map(|step| shortened(&step.what)).collect();
    let widths = shortened.iter().map(|what| what.chars().count());
    let width = widths.max().unwrap_or(0).clamp(12, 44);
    for (step, what) in steps.iter().zip(&shortened) {
        let who = match last == step.who {
            true => "",
            false => &step.who,
        };
        let line = format!("{who:<9} {what:<width$}  {}", step.means);
        let _ = writeln!(text, "  {}", line.trim_end());
        last = &step.who;
    }
    text + &format!("  {ending}\n")
}

/// Long names lose their middle.
fn shortened(what: &str) -> String {
    const LONGEST: usize = 34;
    let word = |word: &str| -> String {
        let letters: Vec<char> = word.chars().collect();
        match letters.len() > LONGEST {
            true => format!(
                "{}…{}",
                letters[..16].iter().collect::<String>(),
                letters[letters.len() - 8..].iter().collect::<String>()
            ),
            false => word.to_owned(),
        }
    };
    what.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The text in lines of at most `width` characters; unchanged without a width, as in a log.
pub fn fold(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.trim_end().to_owned();
    };
    let options = textwrap::Options::new(width)
        .subsequent_indent(BELOW)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.trim_end().lines();
    lines
        .map(|line| textwrap::fill(line, &options))
        .collect::<Vec<_>>()
        .join("\n")
}
