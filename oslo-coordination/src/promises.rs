//! What each engine promises, as data.

use std::fmt;

use crate::url::ServiceUrl;
use crate::{Error, engine};

/// What an engine promises about its locks.
///
/// [`Coordinator::promises`](crate::Coordinator::promises) returns those of a connected service,
/// and [`Promises::of`] those of a URL. Printed, they are a table in words; `cargo lockutils
/// promises URL` prints it too, and tries what can be tried. Each promise has a trial in the
/// conformance suite of `lockutils-harness`.
///
/// ```
/// use oslo_coordination::{Exclusion, Promises};
///
/// let promises = Promises::of("file:///var/lib/myapp/locks")?;
/// assert_eq!(promises.exclusion, Exclusion::WhileAlive);
/// print!("{promises}");
/// # Ok::<(), oslo_coordination::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    /// The engine, such as `redis`.
    pub engine: &'static str,
    /// The processes that exclude each other.
    pub reach: Reach,
    /// The limits of exclusion.
    pub exclusion: Exclusion,
    /// Fencing tokens.
    pub token: Token,
    /// The moment when the lock of a dead holder is free.
    pub death: Freed,
    /// The moment when a holder knows that it has lost the lock.
    pub loss: Loss,
    /// The consequence of a broken connection.
    pub reset: Survival,
    /// The consequence of a restart of the server.
    pub restart: Survival,
    /// The consequence of a failover: another server takes the place of the one that failed.
    pub failover: Survival,
    /// The names that locks can have.
    pub names: Names,
}

macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)* }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[non_exhaustive]
            pub enum $name {
                $($(#[$variant_doc])* $variant,)*
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.pad(match self {
                        $($name::$variant => $word,)*
                    })
                }
            }
        )*
    };
}

words! {
    /// The processes that exclude each other.
    Reach {
        /// Those of one host.
        OneHost "the processes of one host",
        /// Those of every host that reaches the server.
        EveryHost "the processes of every host that reaches the server",
    }

    /// The limits of exclusion.
    Exclusion {
        /// A holder keeps the lock for as long as it lives, even if it is stopped.
        WhileAlive "one holder, for as long as it lives",
        /// A holder that is stopped or cut off for longer than its lease loses the lock, and may be
        /// in its section together with the next holder, unless its writes carry the token.
        UntilLeaseEnds "one holder; one that is stopped or cut off for longer than its lease may \
            overlap with the next, unless its writes carry the token",
        /// The same; and a server that loses its data forgets who holds the lock.
        UntilLeaseEndsOrDataIsLost "one holder while the server keeps its data; one that is \
            stopped or cut off for longer than its lease may overlap with the next, unless its \
            writes carry the token",
        /// A holder whose connection has ended at the server loses the lock, and may be in its
        /// section together with the next holder, unless its writes carry the token.
        UntilConnectionEnds "one holder; one whose connection has ended at the server may overlap \
            with the next, unless its writes carry the token",
    }

    /// Fencing tokens: numbers that grow with each holder.
    Token {
        /// None, since the URL does not ask for them.
        NotAskedFor "none; the option tokens=true adds one to each hold",
        /// None, since the URL turns them off.
        TurnedOff "none; without the option tokens=false each holder has one",
        /// Every hold has one, higher than those before it.
        Always "each holder has one, higher than those before it",
    }

    /// The moment when the lock of a dead holder is free.
    Freed {
        /// At once.
        AtOnce "at once",
        /// When its lease ends.
        WithLease "when its lease ends",
        /// When the server notices the end of its connection: at once if the process ends, and with
        /// its lease if its host does.
        WithConnection "when the server notices the end of its connection",
    }

    /// The moment when a holder knows that it has lost the lock.
    Loss {
        /// No lock is lost.
        Never "a lock is never lost",
        /// Before another can have it, even if no message arrives.
        BeforeTheNext "the guard says so before the server gives the lock to another",
        /// The same if the lease ends. If the server ends the connection, another may have the lock
        /// before the news arrives.
        BeforeTheNextOrWithConnection "the guard says so before its lease ends at the server, and \
            when its connection ends",
    }

    /// What becomes of a held lock when something fails.
    Survival {
        /// There is nothing that could fail.
        NoServer "there is no server",
        /// The lock is held on.
        Held "the lock is held on",
        /// The lock is lost, and its holder knows.
        Lost "the lock is lost, and the guard says so",
        /// The lock is held on if the server had written it to its disk.
        HeldIfOnDisk "the lock is held on if the server writes each change to its disk",
        /// The lock is held on if a majority of the servers remains.
        HeldByMajority "the lock is held on while a majority of the servers remains",
        /// The lock may have two holders.
        TwoHolders "the lock may have two holders",
    }

    /// The names that locks can have.
    Names {
        /// Any bytes.
        Any "any bytes",
        /// Names that a file in the directory can have.
        Files "relative paths in UTF-8",
        /// Names that a path of nodes can have.
        Paths "relative paths in UTF-8, without control characters",
    }
}

const FILE: Promises = Promises {
    engine: "file",
    reach: Reach::OneHost,
    exclusion: Exclusion::WhileAlive,
    token: Token::NotAskedFor,
    death: Freed::AtOnce,
    loss: Loss::Never,
    reset: Survival::NoServer,
    restart: Survival::NoServer,
    failover: Survival::NoServer,
    names: Names::Files,
};

const ETCD: Promises = Promises {
    engine: "etcd",
    reach: Reach::EveryHost,
    exclusion: Exclusion::UntilLeaseEnds,
    token: Token::Always,
    death: Freed::WithLease,
    loss: Loss::BeforeTheNext,
    reset: Survival::Held,
    restart: Survival::Held,
    failover: Survival::HeldByMajority,
    names: Names::Any,
};

const REDIS: Promises = Promises {
    engine: "redis",
    exclusion: Exclusion::UntilLeaseEndsOrDataIsLost,
    restart: Survival::HeldIfOnDisk,
    failover: Survival::TwoHolders,
    ..ETCD
};

const POSTGRESQL: Promises = Promises {
    engine: "postgresql",
    exclusion: Exclusion::UntilConnectionEnds,
    death: Freed::WithConnection,
    loss: Loss::BeforeTheNextOrWithConnection,
    reset: Survival::Lost,
    restart: Survival::Lost,
    failover: Survival::TwoHolders,
    ..ETCD
};

const ZOOKEEPER: Promises = Promises {
    engine: "zookeeper",
    names: Names::Paths,
    ..ETCD
};

impl Promises {
    /// The promises of the engine that the URL names. Nothing is connected, and the engines that
    /// this build lacks are known too.
    ///
    /// # Errors
    /// Returns [`Error::InvalidUrl`] if there is no such engine.
    pub fn of(url: &str) -> Result<Self, Error> {
        let parsed = ServiceUrl::parse(url).map_err(|problem| Error::invalid_url(url, problem))?;
        Self::of_service(&parsed)
    }

    pub(crate) fn of_service(url: &ServiceUrl) -> Result<Self, Error> {
        let promises = match url.scheme.as_str() {
            "file" => Promises {
                token: match url.flag("tokens") {
                    Ok(true) => Token::Always,
                    _ => Token::NotAskedFor,
                },
                ..FILE
            },
            "etcd3+http" | "etcd3+https" => ETCD,
            "postgresql" => Promises {
                token: match (url.text("tokens"), url.flag("tokens")) {
                    (Some(_), Ok(false)) => Token::TurnedOff,
                    _ => Token::Always,
                },
                ..POSTGRESQL
            },
            "redis" | "rediss" => REDIS,
            "zookeeper" | "kazoo" => ZOOKEEPER,
            scheme => {
                return Err(Error::InvalidUrl {
                    url: url.shown(),
                    problem: engine::unknown(scheme),
                });
            }
        };
        Ok(promises)
    }

    /// The promises in words: what each is about, and the promise.
    pub fn rows(&self) -> [(&'static str, String); 9] {
        [
            ("reach", self.reach.to_string()),
            ("exclusion", self.exclusion.to_string()),
            ("token", self.token.to_string()),
            ("a holder dies", format!("the lock is free {}", self.death)),
            ("a lock is lost", self.loss.to_string()),
            ("connection breaks", self.reset.to_string()),
            ("server restarts", self.restart.to_string()),
            ("failover", self.failover.to_string()),
            ("names", self.names.to_string()),
        ]
    }
}

impl fmt::Display for Promises {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (about, promise) in self.rows() {
            writeln!(f, "{about:<18} {promise}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_promises() {
        for (scheme, engine) in [
            ("file", "file"),
            ("etcd3+http", "etcd"),
            ("etcd3+https", "etcd"),
            ("redis", "redis"),
            ("rediss", "redis"),
            ("postgresql", "postgresql"),
            ("zookeeper", "zookeeper"),
            ("kazoo", "zookeeper"),
        ] {
            let promises = Promises::of(&format!("{scheme}:///x")).unwrap();
            assert_eq!(promises.engine, engine);
        }
        let error = Promises::of("memcached://:secret@h")
            .unwrap_err()
            .to_string();
        assert!(error.contains("no engine for memcached://") && !error.contains("secret"));
    }

    #[test]
    fn tokens_are_those_that_the_url_asks_for() {
        let token = |url| Promises::of(url).unwrap().token;
        assert_eq!(token("file:///x"), Token::NotAskedFor);
        assert_eq!(token("file:///x?tokens=true"), Token::Always);
        assert_eq!(token("postgresql://h"), Token::Always);
        assert_eq!(token("postgresql://h?tokens=false"), Token::TurnedOff);
    }

    #[test]
    fn the_table_is_in_words() {
        let table = Promises::of("redis://h").unwrap().to_string();
        assert!(
            table.contains("failover           the lock may have two holders\n"),
            "{table}"
        );
    }
}
