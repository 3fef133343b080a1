//! A promise that should have been tested and was not is not a pass.

use crate::stress::{stress, verdict_is};

/// A worker with flock(1); in the scenario `respawn` its library fails.
const FAILS_IN_RESPAWN: &str = "exec 9>>\"$LOCKUTILS_DIR/lock\"; echo ready
case $LOCKUTILS_NAME in *-respawn)
    while read -r slot verb; do echo \"$slot error the disk is full\"; done; exit;; esac
while read -r slot verb; do case $verb in
acquire) flock 9; echo $slot acquired;;
try) if flock -n 9; then echo $slot acquired; else echo $slot busy; fi;;
release) flock -u 9; echo $slot released;;
*) echo $slot unsupported;; esac; done
";

#[test]
fn a_promise_that_came_to_nothing_is_not_known_also_if_nobody_named_it() {
    let (_, output) = stress(FAILS_IN_RESPAWN, &["--duration", "3s"]);
    verdict_is(
        &output,
        2,
        &[
            "✔ contend",
            "✔ die",
            "- respawn",
            "no worker ever acquired the lock",
        ],
    );
}
