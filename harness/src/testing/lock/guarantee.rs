//! What a lock may guarantee.

macro_rules! guarantees {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// What a lock may guarantee; `docs/explanation/locks.md` has the numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Guarantee {
            $($(#[$doc])* $name,)*
        }

        impl Guarantee {
            /// All of them.
            pub const ALL: &[Guarantee] = &[$(Guarantee::$name,)*];

            /// For tables.
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
    /// 1: threads of a process exclude each other as well.
    Threads "threads",
    /// 2: a holder that dies frees it.
    Death "death",
    /// 3: opening and closing the lock file elsewhere in the holder does not free it.
    Reopening "reopening",
    /// 4: a child forked in the section cannot free it.
    ForkedRelease "forked release",
    /// 4: a child forked in the section does not keep it from others when the parent dies.
    ForkedSurvivor "forked survivor",
    /// 4: a child forked in the section does not hold it, and can lock for itself.
    ForkedLocking "forked locking",
    /// 4: a program executed in the section does not keep it from others when the holder dies.
    Executed "executed",
    /// 5: a lock file that is removed under those who wait does not let two in.
    Removal "removal",
    /// 6: a timed wait ends neither early nor late.
    Timeout "timeout",
    /// 6: a timed wait that was given up never takes the lock afterwards.
    GivenUp "given up",
    /// 6: a try, or a timed wait, gets a lock that nobody has.
    Try "try",
    /// 6: whoever waits gets the lock when it is given back.
    HandOver "hand-over",
    /// 6: nobody who waits is passed over again and again.
    Progress "progress",
    /// 7: a signal neither loses nor grants it.
    Signals "signals",
    /// 7: a panic in the section frees it.
    Panic "panic",
    /// 8: the threads of a process come in in the order in which they began to wait.
    Fairness "fairness",
    /// 9: where the kernel cannot lock, acquire is an error, at once.
    Refusal "refusal",
}
