//! Six processes request the same page, and the server is asked once.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use oslo_concurrency::lockutils;

const READERS: usize = 6;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(folder), Some(address)) => read(Path::new(&folder), &address),
        _ => start_readers(),
    }
}

/// The page, from the cache or from the server.
fn page(folder: &Path, address: &str) -> Result<String> {
    let name = format!("page-{}", address.replace([':', '.'], "-"));
    let cached = folder.join(&name);
    if let Ok(page) = fs::read_to_string(&cached) {
        return Ok(page);
    }
    let locks = folder.join("locks");
    let _guard = lockutils::lock(&name)
        .external(true)
        .lock_path(&locks)
        .acquire()?;
    // Another process may have fetched it while this one waited.
    if let Ok(page) = fs::read_to_string(&cached) {
        return Ok(page);
    }
    let page = fetch(address)?;
    // Renamed once it is complete: readers do not take the lock.
    let part = folder.join(format!("{name}.part"));
    fs::write(&part, &page)?;
    fs::rename(part, cached)?;
    Ok(page)
}

fn fetch(address: &str) -> Result<String> {
    let mut server = TcpStream::connect(address)?;
    server.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    let (_, page) = answer.split_once("\r\n\r\n").context("no page")?;
    Ok(page.to_owned())
}

/// The work of each process.
fn read(folder: &Path, address: &str) -> Result<()> {
    ensure!(page(folder, address)? == "hello\n", "that is another page");
    Ok(())
}

fn start_readers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let server = thread::spawn(move || serve(&listener));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            Command::new(env::current_exe()?)
                .arg(folder.path())
                .arg(&address)
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    for mut reader in readers {
        ensure!(reader.wait()?.success(), "a reader failed");
    }
    // Ends the server.
    TcpStream::connect(&address)?.write_all(b"QUIT\r\n\r\n")?;
    let asked = server.join().ok().context("the server")??;
    ensure!(asked == 1, "the server was asked {asked} times");
    println!("{READERS} processes read the page; the server was asked once");
    Ok(())
}

/// Answers requests until it is asked to quit, and returns the number of requests for the page.
fn serve(listener: &TcpListener) -> Result<usize> {
    let mut asked = 0;
    for client in listener.incoming() {
        let mut client = client?;
        let mut lines = BufReader::new(client.try_clone()?).lines();
        let request = lines.next().context("a request")??;
        if request == "QUIT" {
            break;
        }
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        asked += 1;
        client.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello\n")?;
    }
    Ok(asked)
}
