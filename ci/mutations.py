"""The mutations of `ci/break-guarantees`."""

from typing import NamedTuple


class Edit(NamedTuple):
    """Replaces `old` in a file of oslo-concurrency/src (of PROMISES: oslo-coordination/src), where
    it must occur `times` times."""
    file: str
    old: str
    new: str
    times: int = 1


class Mutation(NamedTuple):
    """`subject` is the number of a guarantee, a promise of coordinators, or a defect that the
    mutation restores."""
    subject: str
    what: str
    edits: list


def one(subject, what, file, old, new, times=1):
    return Mutation(subject, what, [Edit(file, old, new, times)])


# Detected by tests/tests/guarantees.
GUARANTEES = [
    one("1", "a held lock counts as acquired", "sys/linux/kernel_lock.rs",
        "Err(Errno::EAGAIN | Errno::EACCES) => Ok(false)",
        "Err(Errno::EAGAIN | Errno::EACCES) => Ok(true)"),
    one("1", "threads of a process do not take turns", "files/process_lock.rs",
        "        self.turn.acquire_with_limit(wait, limit)\n",
        "        let _ = (wait, limit);\n        Ok(())\n"),
    one("1", "a slash in a name becomes a dash", "lockutils/name.rs",
        "name.replace(SEPARATORS, \"_\")", "name.replace(SEPARATORS, \"-\")"),
    one("2", "a hidden child keeps the descriptor", "sys/unix/open_file.rs",
        "        let stat = fstat(&fd)?;\n",
        "        let stat = fstat(&fd)?;\n        // SAFETY: a mutation.\n        unsafe {\n"
        "            if libc::syscall(libc::SYS_fork) == 0 {\n                libc::alarm(30);\n"
        "                loop {\n                    libc::pause();\n                }\n"
        "            }\n        }\n"),
    one("3", "POSIX record locks instead of OFD locks", "sys/linux/kernel_lock.rs", "F_OFD_", "F_",
        times=4),
    one("4", "the child keeps its copies of the descriptors", "sys/unix/descriptors.rs",
        "unsafe { libc::close(fd) };\n        }\n    }\n}",
        "unsafe { libc::fsync(fd) };\n        }\n    }\n}"),
    one("4", "the child treats its parent's guards as its own", "fork.rs",
        "    GENERATION.fetch_add(1, Ordering::SeqCst);\n", ""),
    one("4", "programs inherit the descriptor", "sys/unix/open_file.rs",
        "        | OFlag::O_CLOEXEC\n", ""),
    one("5", "the path is not checked after locking", "files/lock_file.rs",
        "Ok(path.identity()? == Some(self.identity()))",
        "Ok(path.identity().is_ok())"),
    one("5", "symbolic links are followed", "sys/unix/open_file.rs",
        "        | OFlag::O_NOFOLLOW\n", ""),
    one("5", "the file is truncated", "sys/unix/open_file.rs",
        "        | OFlag::O_NOCTTY\n", "        | OFlag::O_TRUNC\n"),
    one("6", "a waiter polls every millisecond", "sys/linux/kernel_lock.rs",
        "    match fcntl(fd, FcntlArg::F_OFD_SETLKW(&request(mode))) {",
        "    std::thread::sleep(std::time::Duration::from_millis(1));\n"
        "    match fcntl(fd, FcntlArg::F_OFD_SETLK(&request(mode))) {\n"
        "        Err(Errno::EAGAIN) => Ok(false),"),
    one("6", "a timed wait ends a little early", "wait.rs",
        "            .checked_add(timeout)\n",
        "            .checked_add(timeout.saturating_sub(Duration::from_micros(300)))\n"),
    one("6", "a wait that was given up acquires the lock later", "files/process_lock.rs",
        "            file.lock(Mode::Exclusive, wait, &self.path, limit)?;\n",
        "            let outcome = file.lock(Mode::Exclusive, wait, &self.path, limit);\n"
        "            if outcome.is_err() {\n                let path = self.path.clone();\n"
        "                std::thread::spawn(move || {\n"
        "                    let mut limit = WaitLimit::silent();\n"
        "                    let late = LockFile::open(&path, Wait::Forever, &mut limit);\n"
        "                    let late = late.unwrap();\n"
        "                    let _ = late.lock(Mode::Exclusive, Wait::Forever, &path, &mut limit);\n"
        "                    std::mem::forget(late);\n                });\n            }\n"
        "            outcome?;\n"),
    one("7", "a signal ends a wait", "files/lock_file.rs",
        "            if limit.is_over(wait) {\n                return Err(AcquireFailure::TimedOut",
        "            if limit.is_over(wait) || true {\n                return Err(AcquireFailure::TimedOut"),
    one("7", "a panic does not release the lock", "lockutils/guard.rs",
        "        let release = OnDrop(|| held.release());\n",
        "        if std::thread::panicking() {\n            std::mem::forget(held);\n"
        "            return;\n        }\n        let release = OnDrop(|| held.release());\n"),
    one("8", "`fair` is ignored between threads", "threads/queue.rs",
        "            self.fair.store(true, Ordering::Relaxed);",
        "            self.fair.store(false, Ordering::Relaxed);"),
    one("8", "no turnstile between processes", "files/process_lock.rs",
        "match turnstile.as_ref().filter(usable)",
        "match turnstile.as_ref().filter(|file| usable(file) && false)"),
    one("9", "a file system's refusal counts as a held lock", "sys/linux/kernel_lock.rs",
        "            Err(error) => Err(error.into()),\n", "            Err(_) => Ok(false),\n"),
    one("9", "the error does not name the file system", "files/lock_file.rs",
        "the file system ({system}) refused", "{system:.0}the system refused"),
]

# Detected by the trial of that name: tests/tests/coordination, conformance::redis.
PROMISES = [
    one("threads", "all coordinators of a process have one id", "coordinator.rs",
        "    format!(\"{:016x}{:016x}\", part(0), part(1))\n",
        "    let _ = part;\n    std::process::id().to_string()\n"),
    one("tasks", "all coordinators have one id", "coordinator.rs",
        "    format!(\"{:016x}{:016x}\", part(0), part(1))\n",
        "    let _ = part;\n    \"me\".to_owned()\n"),
    one("processes", "a key that exists is overwritten", "engine/redis/scripts.rs",
        "        if held then\n            if string.sub(held, 1, #mine) ~= mine then\n"
        "                return {0,",
        "        if held and string.sub(held, 1, #mine) == mine then\n"
        "            if string.sub(held, 1, #mine) ~= mine then\n                return {0,"),
    one("busy", "a caller that does not wait is told of a timeout", "lifecycle/acquire.rs",
        "                    return Ended::Failed(caller, Failure::Busy);",
        "                    return Ended::Failed(caller, Failure::TimedOut);"),
    one("hand_over", "a waiter sleeps through the release", "lifecycle/acquire.rs",
        "Ok(Waited::AskAgain) => None,",
        "Ok(Waited::AskAgain) => Some(Duration::from_secs(50)),"),
    one("death", "the key does not expire", "engine/redis/scripts.rs",
        ", mine .. text, 'px', ARGV[2])", ", mine .. text)"),
    one("panic", "a panic does not release the lock", "lifecycle/ownership.rs",
        "        if !self.hold.is_inherited() {\n            self.life.core.release(&self.id, None);",
        "        if !self.hold.is_inherited() && !std::thread::panicking() {\n"
        "            self.life.core.release(&self.id, None);"),
    one("tokens", "two holders may have one token", "engine/redis/scripts.rs",
        "math.max(last + 1, time[1] * 1000000 + time[2])",
        "math.max(last, time[1])"),
    one("restart", "a broken connection is used on", "engine/redis/connection.rs",
        "            .is_err_and(|error| error.unclear || error.transient)",
        "            .is_err_and(|error| error.unclear && error.transient && false)"),
    one("silence", "the functions to call at a loss are forgotten", "lifecycle/hold.rs",
        "        wakers.into_iter().for_each(Waker::wake);\n        rt::call(functions);\n",
        "        wakers.into_iter().for_each(Waker::wake);\n        drop(functions);\n"),
    one("cut_off", "the holder counts its lease longer than the server", "engine/lease.rs",
        "        asked + (self.duration - self.duration / 100)",
        "        asked + (self.duration * 2 - self.duration / 100)"),
    one("deleted", "a renewal that the server refuses counts as one", "lifecycle/renewal.rs",
        "        let extended = until.filter(|until| hold.extend(*until));",
        "        let until = until.or(Some(BootTime::now() + lease));\n"
        "        let extended = until.filter(|until| hold.extend(*until));"),
    one("stopped_holder", "the guard does not look at its deadline", "lifecycle/hold.rs",
        "            if deadline == NEVER || BootTime::now().nanos() < deadline {",
        "            if deadline == NEVER || deadline != LOST {"),
    one("stale_release", "a release deletes the key of any holder", "engine/redis/scripts.rs",
        "        if not held or string.sub(held, 1, #mine) ~= mine then\n",
        "        if not held then\n"),
    one("reset", "one failed renewal ends the hold", "lifecycle/renewal.rs",
        "            schedule.renew_at = now + lease / RETRY_AFTER;\n",
        "            schedule.renew_at = now + lease / RETRY_AFTER;\n"
        "            held.hold.lose();\n            continue;\n            #[allow(unreachable_code)]\n"),
    one("late_renewal", "a failed renewal is not repeated", "lifecycle/renewal.rs",
        "            schedule.renew_at = now + lease / RETRY_AFTER;\n",
        "            schedule.renew_at = now + lease * RETRY_AFTER;\n"),
    one("cancelled", "a grant that has arrived and is not taken is forgotten",
        "lifecycle/reply.rs",
        "            State::Sent(value) => drop(value),\n",
        "            State::Sent(value) => std::mem::forget(value),\n"),
    one("request_in_flight", "a grant that comes after its caller has left is kept",
        "lifecycle/acquire.rs",
        "                        Ok(Answered::Granted(_)) => Ended::Undo,\n", ""),
    one("answer_in_flight", "the answer to a caller that has left is not awaited",
        "lifecycle/acquire.rs",
        "                    return match asking.await {\n"
        "                        Ok(Answered::Granted(_)) => Ended::Undo,\n"
        "                        Err(error) if error.unclear => Ended::Undo,\n"
        "                        Ok(Answered::Held(_)) if engine.queues() => Ended::Undo,\n"
        "                        _ => self.undo_if_needed(),\n                    };\n",
        "                    return self.undo_if_needed();\n"),
    one("cancelled_wait", "a wait goes on though its caller has left", "lifecycle/limit.rs",
        "race(caller.abandoned(), ",
        "race({ let _ = caller; std::future::pending::<()>() }, "),
    one("lost_answer", "an unclear answer counts as a refusal", "lifecycle/acquire.rs",
        "                    self.unclear |= error.unclear;\n"
        "                    if !error.transient {\n",
        "                    if !error.transient || error.unclear {\n"),
    one("lost_release", "a release is tried once", "lifecycle/release.rs",
        "Err(error) if error.transient && BootTime::now() < end => {",
        "Err(error) if error.transient && BootTime::now() < end && false => {"),
    one("timeout", "a timed wait ends a little early", "options.rs",
        "Wait::Until(asked + timeout)",
        "Wait::Until(asked + timeout.saturating_sub(Duration::from_micros(900)))"),
    one("outage", "a server that does not answer is not asked again", "lifecycle/acquire.rs",
        "                    if self.wait == Wait::Never && !looks_up {\n",
        "                    if !looks_up {\n"),
    one("forked", "the child treats its parent's guards as its own", "lifecycle/hold.rs",
        "        self.process != std::process::id()\n", "        self.process == 0\n"),
    one("many_locks", "only the first locks are renewed", "lifecycle/ownership.rs",
        "            held.schedule = Some(Schedule::new(until, lease));\n",
        "            let few = lock(&self.core.held).len() < 500;\n"
        "            held.schedule = few.then(|| Schedule::new(until, lease));\n"),
    one("names", "a name ends at its first zero byte", "lock_name.rs",
        "        whole.extend_from_slice(name);\n",
        "        let end = name.iter().position(|byte| *byte == 0);\n"
        "        whole.extend_from_slice(&name[..end.unwrap_or(name.len())]);\n"),
    one("blocked_executor", "a lease is renewed once", "lifecycle/renewal.rs",
        "            held.schedule = Some(Schedule::new(until, lease));\n"
        "            tracing::trace!(",
        "            held.schedule = Some(Schedule::new(until + lease * 9, lease));\n"
        "            tracing::trace!("),
]

# Detected by the model checks, by tests/tests/defects, and by ci/soak.
DEFECTS = [
    Mutation("defect-1", "a dropped task releases only the turn", [
        Edit("asynchronous/acquire.rs",
             "let release = || external.release(self.fair);",
             "let release = || external.turn().release();"),
        Edit("threads/queue.rs",
             "            if first.kind() == Kind::Task {\n                return false;\n"
             "            }\n", ""),
    ]),
    one("defect-2", "a release frees the lock for a thread that arrived and left again (ABA)",
        "threads/queue.rs",
        "                if self.free(state) {\n                    return true;\n"
        "                }\n                continue;",
        "                let freed = self.state.fetch_update(\n"
        "                    Ordering::Release,\n                    Ordering::Relaxed,\n"
        "                    |now| (now & QUEUED == 0).then_some(now & !HELD),\n"
        "                );\n                if freed.is_ok() {\n                    return true;\n"
        "                }\n                continue;"),
    one("defect-2", "an arriving thread gives up without checking the lock again", "threads/queue.rs",
        "        let waiter = Arc::new(Waiter::new(Kind::Thread));\n",
        "        if matches!(wait, Wait::Until(limit) if crate::sync::Instant::now() >= limit) {\n"
        "            self.state.fetch_sub(ARRIVING, Ordering::Relaxed);\n"
        "            return Err(AcquireFailure::TimedOut);\n        }\n"
        "        let waiter = Arc::new(Waiter::new(Kind::Thread));\n"),
    one("defect-3", "the turn is kept while waiting for the lock between threads",
        "named/acquire.rs",
        "        let free = internal.acquire(Wait::Never).is_ok();\n        if !free {\n"
        "            external.give_back();\n        }\n        free\n",
        "        if let Err(failure) = internal.acquire_with_limit(wait, limit) {\n"
        "            external.give_back();\n            return Err(failure.into());\n        }\n"
        "        true\n"),
    one("defect-3", "a task keeps the turn while waiting for the lock between threads",
        "asynchronous/acquire.rs",
        "                turn.give_back();\n"
        "                (self.take_internal().await?, self.take_turn(external).await?)\n",
        "                (self.take_internal().await?, turn)\n"),
    one("defect-3", "a thread queues for its turn without checking whether it holds the file",
        "files/process_lock.rs",
        "        if self.would_wait_for_itself(held_here) {\n",
        "        if false && self.would_wait_for_itself(held_here) {\n"),
    one("defect-3", "a thread queues for the name without checking whether it holds the file",
        "named/acquire.rs",
        "                if external.would_wait_for_itself(held_here) {\n",
        "                if false && external.would_wait_for_itself(held_here) {\n"),
    Mutation("defect-4", "the configuration is read under a lock", [
        Edit("lockutils/setting.rs", "impl Setting {\n",
             "static LOCK: std::sync::RwLock<()> = std::sync::RwLock::new(());\n\n"
             "impl Setting {\n"),
        Edit("lockutils/setting.rs",
             "        node(&self.current).map(|node| node.path.as_path())\n",
             "        let _locked = LOCK.read().unwrap();\n"
             "        node(&self.current).map(|node| node.path.as_path())\n"),
        Edit("lockutils/setting.rs", "        let current = match path {\n",
             "        let _locked = LOCK.write().unwrap();\n        let current = match path {\n"),
    ]),
    one("defect-5", "a release that finds the queue empty overwrites the state", "threads/queue.rs",
        "                if self.call_first(lock(&self.queue)) {\n                    return;\n"
        "                }\n",
        "                if !self.call_first(lock(&self.queue)) {\n"
        "                    let gone = HELD | QUEUED | CALLED;\n"
        "                    self.state.fetch_and(!gone, Ordering::Release);\n"
        "                }\n                return;\n"),
    one("queue", "the lock is granted outside the queue's mutex", "threads/queue.rs",
        "            let task = first.call(Call::Granted);\n            drop(queue);\n"
        "            task\n",
        "            drop(queue);\n            first.call(Call::Granted)\n"),
    one("queue", "a waiter that gives up does not check for a free lock", "threads/queue.rs",
        "        let taken = if is_first(&queue, waiter) {\n"
        "            self.take_or_wait_for_call()\n        } else {\n"
        "            self.try_take()\n        };\n",
        "        let taken = false;\n"),
    one("queue", "a thread that holds the lock waits for itself", "threads/queue.rs",
        "            _ if self.is_held_by_current_thread() => return Err(AcquireFailure::HeldBySelf),\n",
        ""),
    one("guarantee-5", "the path is not checked when the kernel's lock is handed over",
        "files/process_lock.rs",
        "            if !state.locked {\n                self.lock_in_kernel(",
        "            if state.locked {\n                return Ok(());\n            } else {\n"
        "                self.lock_in_kernel("),
    one("self-deadlock", "the lock being acquired counts as held under another path",
        "named/lock_table.rs",
        "|lock| !std::ptr::eq(lock, asked)", "|lock| !std::ptr::eq(lock, asked) || true"),
]
