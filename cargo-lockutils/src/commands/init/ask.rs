//! Questions on the terminal.

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

/// Asks until the answer is one of the values of `T`; an empty answer means `default`.
pub fn choice<T: ValueEnum>(question: &str, default: T) -> Result<T> {
    let words: Vec<String> = T::value_variants()
        .iter()
        .filter_map(ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    let usual = default
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned());
    loop {
        let answer = line(&format!("{question} ({}) [{usual}]: ", words.join(", ")))?;
        if answer.is_empty() {
            return Ok(default);
        }
        match T::from_str(&answer, true) {
            Ok(chosen) => return Ok(chosen),
            Err(_) => anstream::eprintln!("please answer with one of: {}", words.join(", ")),
        }
    }
}

/// Asks for a string; an empty answer means `default`.
pub fn text(question: &str, default: &str) -> Result<String> {
    let answer = line(&format!("{question} [{default}]: "))?;
    Ok(match answer.is_empty() {
        true => default.to_owned(),
        false => answer,
    })
}

fn line(question: &str) -> Result<String> {
    anstream::eprint!("{question}");
    io::stderr().flush()?;
    let mut answer = String::new();
    let read = io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    if read == 0 {
        bail!("no answer; nothing was written");
    }
    Ok(answer.trim().to_owned())
}
