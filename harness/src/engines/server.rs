//! A server of a run: started for it, or one that was running before.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::admin::{Admin, Rows};
use super::engine::Engine;
use super::error::ServerError;
use super::key::Key;
use super::lease::Lease;
use super::started::Started;

/// A server of a run.
#[derive(Debug)]
pub struct Server {
    engine: Option<Engine>,
    /// Host and port.
    address: String,
    /// `None` for a server that was running before.
    started: Option<Mutex<Started>>,
    process: Option<u32>,
    admin: Mutex<Option<Admin>>,
}

impl Server {
    /// Starts a server of this engine with its files below `base`. It ends when this is dropped.
    ///
    /// # Errors
    /// Returns an error if a program is missing, or the server does not become ready.
    pub fn start(engine: &Engine, base: &Path) -> Result<Self, ServerError> {
        let is_ready = |port: u16| {
            let admin = Admin::connect(engine.protocol, &local(port));
            admin.is_ok_and(|mut admin| admin.run(&engine.ready).is_ok())
        };
        let started = Started::start(engine, base, is_ready)?;
        Ok(Server {
            engine: Some(engine.clone()),
            address: local(started.port),
            process: Some(started.process()),
            started: Some(Mutex::new(started)),
            admin: Mutex::new(None),
        })
    }

    /// A running server, as `HOST:PORT` or `ENGINE://HOST:PORT`. Without an engine, it is that which
    /// usually listens on this port, if there is one.
    ///
    /// # Errors
    /// Returns an error if the text is malformed or names an unknown engine.
    pub fn at(text: &str) -> Result<Self, ServerError> {
        let malformed = || ServerError::Address(text.to_owned());
        let (engine, address) = match text.split_once("://") {
            Some((engine, address)) => (Some(Engine::find(engine)?), address),
            None => (None, text),
        };
        let address = address.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        let port: u16 = port.parse().map_err(|_| malformed())?;
        let is_blank = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(is_blank) || port == 0 {
            return Err(malformed());
        }
        let usual = || Engine::all().find(|engine| engine.port == port);
        Ok(Server {
            engine: engine.or_else(usual),
            address: address.to_owned(),
            started: None,
            process: None,
            admin: Mutex::new(None),
        })
    }

    /// Its engine, if that is known.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The addresses to which a worker may connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.address
            .to_socket_addrs()
            .into_iter()
            .flatten()
            .collect()
    }

    /// The name of its engine, if it was started for the run.
    pub fn started_engine(&self) -> Option<String> {
        self.engine
            .as_ref()
            .filter(|_| self.is_ours())
            .map(|engine| engine.name.clone())
    }

    /// Its engine and address as [`Server::at`] reads them, unless it was started for the run.
    pub fn running_address(&self) -> Option<String> {
        match &self.engine {
            _ if self.is_ours() => None,
            Some(engine) => Some(format!("{}://{}", engine.name, self.address)),
            None => Some(self.address.clone()),
        }
    }

    /// Returns `true` if it was started for the run, so that everything in it may be removed.
    pub fn is_ours(&self) -> bool {
        self.started.is_some()
    }

    /// Its process, if it was started for the run.
    pub fn process(&self) -> Option<u32> {
        self.process
    }

    /// Returns `true` if its leases can be ended.
    pub fn has_leases(&self) -> bool {
        self.engine_with_leases().is_some_and(Engine::has_leases)
    }

    fn engine_with_leases(&self) -> Option<&Engine> {
        let is_known = |engine: &&Engine| self.is_ours() || !engine.leases_if_started;
        self.engine.as_ref().filter(is_known)
    }

    /// Variables for the workers.
    pub fn environment(&self) -> Vec<(String, String)> {
        let own = [("LOCKUTILS_SERVERS".to_owned(), self.address.clone())];
        let engine = self.engine.iter().flat_map(|engine| &engine.environment);
        let engine = engine.map(|(name, value)| (name.clone(), self.fill(value, "", "")));
        own.into_iter().chain(engine).collect()
    }

    /// Removes what earlier schedules have left: everything from a server of the run, and from
    /// another one what bears the name of the lock.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached or refuses.
    pub fn reset(&self, name: &str) -> Result<(), ServerError> {
        if let Some(started) = &self.started {
            started
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .drain();
        }
        let Some(engine) = &self.engine else {
            return Ok(());
        };
        let commands = match self.is_ours() {
            true => &engine.reset,
            false => &engine.reset_shared,
        };
        for command in commands {
            self.run(command, name, "", "reset")?;
        }
        Ok(())
    }

    /// All leases of the lock; none if the engine has no such thing.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached or refuses.
    pub fn leases(&self, name: &str) -> Result<Vec<Lease>, ServerError> {
        let engine = self.engine_with_leases();
        let command = engine.and_then(|engine| engine.leases.as_ref());
        let Some(command) = command else {
            return Ok(Vec::new());
        };
        let cached = engine.map_or(0, |engine| engine.leases_cached_ms);
        std::thread::sleep(std::time::Duration::from_millis(cached));
        let rows = self.run(command, name, "", "asked for its leases")?;
        Ok(rows.iter().filter_map(|row| Lease::from_row(row)).collect())
    }

    /// All keys of the lock, or its leases; `None` if the engine lists neither.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached or refuses.
    pub fn keys(&self, name: &str) -> Result<Option<Vec<Key>>, ServerError> {
        match self.engine.as_ref() {
            Some(Engine {
                keys: Some(command),
                ..
            }) => {
                let rows = self.run(command, name, "", "asked for its keys")?;
                Ok(Some(
                    rows.iter().filter_map(|row| Key::from_row(row)).collect(),
                ))
            }
            Some(engine) if engine.leases.is_some() => {
                let leases = self.leases(name)?;
                Ok(Some(leases.into_iter().map(Key::from).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Ends a lease.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached or refuses.
    pub fn expire(&self, lease: &Lease, name: &str) -> Result<(), ServerError> {
        let command = self
            .engine
            .as_ref()
            .and_then(|engine| engine.expire.as_ref());
        match command {
            Some(command) => self
                .run(command, name, &lease.id, "made to end a lease")
                .map(drop),
            None => Ok(()),
        }
    }

    fn fill(&self, word: &str, name: &str, id: &str) -> String {
        let own = if self.is_ours() { "" } else { name };
        word.replace("{address}", &self.address)
            .replace(
                "{port}",
                self.address.rsplit(':').next().unwrap_or_default(),
            )
            .replace("{own:name}", own)
            .replace("{name}", name)
            .replace("{id}", id)
    }

    fn run(
        &self,
        command: &[String],
        name: &str,
        id: &str,
        done: &'static str,
    ) -> Result<Rows, ServerError> {
        let words: Vec<String> = command
            .iter()
            .map(|word| self.fill(word, name, id))
            .collect();
        let failed = |error: io::Error| ServerError::Command {
            address: self.address.clone(),
            done,
            error,
        };
        let Some(engine) = &self.engine else {
            return Ok(Rows::new());
        };
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match admin.take() {
            Some(connection) => connection,
            None => Admin::connect(engine.protocol, &self.address).map_err(failed)?,
        };
        let connection = admin.insert(connection);
        let rows = connection.run(&words);
        if rows.is_err() {
            // Its state is unknown.
            *admin = None;
        }
        rows.map_err(failed)
    }
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_engine_or_is_guessed_by_its_port() {
        let at = |text: &str| Server::at(text).map(|server| server.running_address().unwrap());
        assert_eq!(at("redis://db:7000/").unwrap(), "redis://db:7000");
        assert_eq!(at("db:6379").unwrap(), "redis://db:6379");
        assert_eq!(at("[::1]:7000").unwrap(), "[::1]:7000");
        for text in ["db", "db:", ":7000", "db:0", "db:70000", "x://db:1"] {
            assert!(at(text).is_err(), "{text}");
        }
        let has_leases = |text: &str| Server::at(text).unwrap().has_leases();
        assert!(!has_leases("db:7000") && has_leases("etcd://db:7000"));
        assert!(!has_leases("zookeeper://db:7000"));
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let mut engine = Engine::find("redis").unwrap();
        engine.start[0] = "no-such-server".to_owned();
        let folder = tempfile::tempdir().unwrap();
        let error = Server::start(&engine, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("`no-such-server`"), "{error}");
        assert!(error.contains("package redis-server"), "{error}");
        engine.files.push("/no/such/file.jar".into());
        let error = Server::start(&engine, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("`/no/such/file.jar`"), "{error}");
    }
}
