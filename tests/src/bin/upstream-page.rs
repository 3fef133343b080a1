//! Writes `docs/reference/upstream-tests.md` from `tests/upstream/`.

use std::fs;

use anyhow::Context;
use lockutils_tests::upstream::{list, page};

fn main() -> anyhow::Result<()> {
    let path = page::path();
    let text = page::render(&list::load()?);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    fs::write(&path, text).with_context(|| format!("{path:?} cannot be written"))?;
    println!("wrote {}", path.display());
    Ok(())
}
