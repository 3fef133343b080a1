//! The lock path.

use lockutils::scope::LockPathScope;
use oslo_concurrency::lockutils;

use crate::held::Held;

pub fn obey(command: &str, words: &[&str], held: &mut Held) -> Option<String> {
    match command {
        "set-defaults" => lockutils::set_defaults(words[0]),
        "configure" => {
            if let Err(error) = lockutils::configure_from_ini(words[0]) {
                return Some(format!("error {error}"));
            }
        }
        "enter-scope" => held.scopes.push(LockPathScope::enter(words[0])),
        "leave-scope" => drop(held.scopes.pop()),
        "lock-path" => {
            let path = lockutils::get_lock_path();
            return Some(path.map_or("none".into(), |path| path.display().to_string()));
        }
        "lock-path-of-a-new-thread" => {
            let thread = std::thread::spawn(lockutils::get_lock_path);
            let path = thread.join().expect("no panic");
            return Some(path.map_or("none".into(), |path| path.display().to_string()));
        }
        "disable-process-locking" => lockutils::set_disable_process_locking(words[0] == "true"),
        _ => return None,
    }
    Some("done".into())
}
