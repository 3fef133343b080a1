//! Sources of the lock path. Each case asks a separate process, because a configuration applies to
//! a whole process.

mod precedence;
mod service_files;

use std::fs;
use std::path::Path;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::holder;

/// A process whose OSLO_LOCK_PATH is `lock_path`; an empty one counts as not set.
fn process(lock_path: &str) -> Conversation {
    holder::start(env!("CARGO_BIN_EXE_lock-holder"), Path::new(lock_path))
}

/// A configuration file; its path contains no blank.
fn configuration(directory: &Path, text: &[u8]) -> String {
    let file = directory.join("service.conf");
    fs::write(&file, text).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}
