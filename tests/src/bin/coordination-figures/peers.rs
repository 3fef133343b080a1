//! What a program would write with the client crate alone: no renewal, no token, no cancellation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use tokio::runtime::Runtime;

/// A lock of one name, acquired and released without contention.
pub trait Peer {
    /// The words for the table.
    fn name(&self) -> &'static str;
    /// Acquires and releases it.
    fn pair(&mut self) -> Result<()>;
    /// The least that the server can be asked for.
    fn round_trip(&mut self) -> Result<()>;
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

struct Redis {
    connection: redis::aio::MultiplexedConnection,
    release: redis::Script,
    runtime: Runtime,
}

/// `SET NX PX`, and a script that compares and deletes.
pub fn redis(port: u16) -> Result<Box<dyn Peer>> {
    let runtime = runtime()?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = runtime.block_on(client.get_multiplexed_async_connection())?;
    let release = redis::Script::new(
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0",
    );
    Ok(Box::new(Redis {
        connection,
        release,
        runtime,
    }))
}

impl Peer for Redis {
    fn name(&self) -> &'static str {
        "SET NX PX and a script"
    }

    fn pair(&mut self) -> Result<()> {
        let Redis {
            connection,
            release,
            runtime,
        } = self;
        runtime.block_on(async {
            let mut set = redis::cmd("SET");
            set.arg("peer").arg("me").arg("NX").arg("PX").arg(10_000);
            let set: Option<String> = set.query_async(connection).await?;
            ensure!(set.is_some(), "it is held");
            let mut release = release.key("peer");
            let deleted: i64 = release.arg("me").invoke_async(connection).await?;
            ensure!(deleted == 1, "it was not held");
            Ok(())
        })
    }

    fn round_trip(&mut self) -> Result<()> {
        let ping = redis::cmd("PING");
        let _: String = self
            .runtime
            .block_on(ping.query_async(&mut self.connection))?;
        Ok(())
    }
}

struct Postgres {
    client: tokio_postgres::Client,
    lock: tokio_postgres::Statement,
    unlock: tokio_postgres::Statement,
    select: tokio_postgres::Statement,
    runtime: Runtime,
}

/// `pg_advisory_lock` and `pg_advisory_unlock`, prepared.
pub fn postgres(port: u16) -> Result<Box<dyn Peer>> {
    let runtime = runtime()?;
    let config = format!("host=127.0.0.1 port={port} user=lockutils dbname=postgres");
    let (client, connection) =
        runtime.block_on(tokio_postgres::connect(&config, tokio_postgres::NoTls))?;
    runtime.spawn(connection);
    let (lock, unlock, select) = runtime.block_on(async {
        anyhow::Ok((
            client.prepare("SELECT pg_advisory_lock(7)").await?,
            client.prepare("SELECT pg_advisory_unlock(7)").await?,
            client.prepare("SELECT 1").await?,
        ))
    })?;
    Ok(Box::new(Postgres {
        client,
        lock,
        unlock,
        select,
        runtime,
    }))
}

impl Peer for Postgres {
    fn name(&self) -> &'static str {
        "pg_advisory_lock, unlock"
    }

    fn pair(&mut self) -> Result<()> {
        self.runtime.block_on(async {
            self.client.query_one(&self.lock, &[]).await?;
            self.client.query_one(&self.unlock, &[]).await?;
            Ok(())
        })
    }

    fn round_trip(&mut self) -> Result<()> {
        self.runtime
            .block_on(self.client.query_one(&self.select, &[]))?;
        Ok(())
    }
}

struct Etcd {
    connection: BufReader<TcpStream>,
    lease: String,
}

/// A guarded transaction and a deletion through the JSON gateway, over one connection that is kept.
/// The crate `etcd-client` needs `protoc` for its build, so this is as little HTTP as will do.
pub fn etcd(port: u16) -> Result<Box<dyn Peer>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut etcd = Etcd {
        connection: BufReader::new(stream),
        lease: String::new(),
    };
    let granted = etcd.post("/v3/lease/grant", r#"{"TTL":"600"}"#)?;
    let granted: serde_json::Value = serde_json::from_str(&granted)?;
    etcd.lease = granted["ID"].as_str().context("a lease")?.to_owned();
    Ok(Box::new(etcd))
}

impl Etcd {
    fn post(&mut self, path: &str, body: &str) -> Result<String> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            self.connection.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
            ensure!(!line.is_empty(), "the connection has ended");
        }
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer)?)
    }
}

/// `peer` in base64.
const KEY: &str = "cGVlcg==";

impl Peer for Etcd {
    fn name(&self) -> &'static str {
        "guarded Txn, delete"
    }

    fn pair(&mut self) -> Result<()> {
        let acquire = format!(
            r#"{{"compare":[{{"key":"{KEY}","target":"CREATE","result":"EQUAL","create_revision":"0"}}],"success":[{{"request_put":{{"key":"{KEY}","value":"bWU=","lease":"{}"}}}}]}}"#,
            self.lease
        );
        let acquired = self.post("/v3/kv/txn", &acquire)?;
        ensure!(acquired.contains(r#""succeeded":true"#), "{acquired}");
        let deleted = self.post("/v3/kv/deleterange", &format!(r#"{{"key":"{KEY}"}}"#))?;
        ensure!(deleted.contains(r#""deleted":"1""#), "{deleted}");
        Ok(())
    }

    fn round_trip(&mut self) -> Result<()> {
        self.post("/v3/kv/range", &format!(r#"{{"key":"{KEY}"}}"#))?;
        Ok(())
    }
}
