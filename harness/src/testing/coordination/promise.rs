//! The promises that a coordinator may make.

macro_rules! promises {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// A promise of a coordinator about its locks. Each has a trial.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Promise {
            $($(#[$doc])* $name,)*
        }

        impl Promise {
            /// All promises, in the order of the suite.
            pub const ALL: &[Promise] = &[$(Promise::$name,)*];

            /// The name of the promise in tables and messages, such as `stale release`.
            pub fn word(self) -> &'static str {
                match self {
                    $(Promise::$name => $word,)*
                }
            }
        }
    };
}

promises! {
    /// Threads exclude each other, of one coordinator and of several.
    Threads "threads",
    /// Tasks exclude each other, also on one thread.
    Tasks "tasks",
    /// Processes exclude each other.
    Processes "processes",
    /// A held lock is refused at once to a caller that does not wait, and a free one is not.
    Busy "busy",
    /// A waiter acquires the lock when it is released.
    HandOver "hand-over",
    /// A holder that dies frees the lock: at once, or when its lease ends.
    Death "death",
    /// A panic in the critical section frees the lock.
    Panic "panic",
    /// Each holder has a token that is higher than those before it, in any process.
    Tokens "tokens",
    /// A lock survives a restart of the server, and tokens go on growing.
    Restart "restart",
    /// A holder knows within its lease that the server is silent.
    Silence "silence",
    /// A holder that is cut off from the server knows it before another acquires the lock.
    CutOff "cut off",
    /// A holder learns that the server gave the lock away or does not know it any more.
    Deleted "deleted",
    /// A holder that was stopped for longer than its lease knows it when it goes on.
    StoppedHolder "stopped holder",
    /// The release of a lost lock frees nothing of its successor.
    StaleRelease "stale release",
    /// A reset of the connection costs no lock.
    Reset "reset",
    /// A renewal without an answer costs no lock, since it is tried again.
    LateRenewal "late renewal",
    /// A future that is dropped after any number of polls leaves the lock free.
    Cancelled "cancelled",
    /// A future that is dropped while its request is on the way leaves the lock free.
    RequestInFlight "request in flight",
    /// A future that is dropped while its answer is on the way leaves the lock free.
    AnswerInFlight "answer in flight",
    /// A future that is dropped while it waits, at the server or in its process, leaves the lock
    /// free.
    CancelledWait "cancelled wait",
    /// A grant whose answer was lost is neither forgotten nor granted twice.
    LostAnswer "lost answer",
    /// A release whose request or answer was lost is repeated; dropping a guard never blocks.
    LostRelease "lost release",
    /// A wait with a timeout never ends early, and never acquires the lock afterwards.
    Timeout "timeout",
    /// A timeout applies while the server is down or silent, and the coordinator comes back by
    /// itself.
    Outage "outage",
    /// A forked child neither renews, releases nor uses what its parent holds.
    Forked "forked",
    /// A thousand locks are held and renewed on one connection.
    ManyLocks "many locks",
    /// A name is any bytes.
    Names "names",
    /// A lock is renewed while the executor of its task is blocked.
    BlockedExecutor "blocked executor",
}
