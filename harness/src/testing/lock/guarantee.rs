//! The guarantees that a lock may keep.

macro_rules! guarantees {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// A guarantee that a lock may keep. The numbers are those of `docs/explanation/locks.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Guarantee {
            $($(#[$doc])* $name,)*
        }

        impl Guarantee {
            /// All guarantees, in the order of the suite.
            pub const ALL: &[Guarantee] = &[$(Guarantee::$name,)*];

            /// The name of the guarantee in tables and messages, such as `forked release`.
            pub fn word(self) -> &'static str {
                match self {
                    $(Guarantee::$name => $word,)*
                }
            }
        }
    };
}

guarantees! {
    /// 1: processes exclude each other.
    Processes "processes",
    /// 1: threads of one process exclude each other as well.
    Threads "threads",
    /// 2: a holder that dies frees the lock.
    Death "death",
    /// 3: opening and closing the lock file elsewhere in the holder's process does not free the
    /// lock.
    Reopening "reopening",
    /// 4: a child forked in the critical section cannot free the lock.
    ForkedRelease "forked release",
    /// 4: a child forked in the critical section does not keep the lock when its parent dies.
    ForkedSurvivor "forked survivor",
    /// 4: a child forked in the critical section does not hold the lock and can acquire it itself.
    ForkedLocking "forked locking",
    /// 4: a program executed in the critical section does not keep the lock when the holder dies.
    Executed "executed",
    /// 5: removing the lock file while others wait does not let two holders in.
    Removal "removal",
    /// 6: a timed wait ends neither early nor late.
    Timeout "timeout",
    /// 6: a timed wait that was given up never acquires the lock afterwards.
    GivenUp "given up",
    /// 6: a try-acquire or a timed wait acquires a lock that is free.
    Try "try",
    /// 6: a waiter acquires the lock when it is released.
    HandOver "hand-over",
    /// 6: no waiter is passed over repeatedly.
    Progress "progress",
    /// 7: a signal neither loses nor grants the lock.
    Signals "signals",
    /// 7: a panic in the critical section frees the lock.
    Panic "panic",
    /// 8: threads of one process acquire the lock in the order in which they began to wait.
    Fairness "fairness",
    /// 9: where the kernel cannot lock, acquire fails at once.
    Refusal "refusal",
}
