//! Servers that demand a password or TLS.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lockutils_tests::servers::Server;
use lockutils_tests::until::until;
use oslo_coordination::{Coordinator, Error};

use crate::engines::postgres_of;
use crate::redis::rust_with_events_only;

#[test]
fn a_password_is_demanded_and_never_shown() {
    let server = Server::redis(&["--requirepass", "s3cret"]);
    let url = |login: &str| format!("redis://{login}127.0.0.1:{}", server.port());
    for (login, message) in [("", "NOAUTH"), (":wr0ng@", "AuthenticationFailed")] {
        let error = Coordinator::connect(&url(login)).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(message), "{text}");
        assert!(!text.contains("wr0ng"), "{text}");
    }
    let coordinator = Coordinator::connect(&url(":s3cret@")).unwrap();
    drop(coordinator.lock("x").acquire().unwrap());
    assert!(!format!("{coordinator:?}").contains("s3cret"));
}

/// An authority, a certificate for localhost, and one for a client.
fn certificates(folder: &Path) {
    lockutils_tests::debian::provide("openssl", "openssl").unwrap();
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -keyout ca.key -out ca.pem -subj /CN=ca -addext basicConstraints=critical,CA:true
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                -keyout $name.key -out $name.csr -subj /CN=$name
            printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                -days 2 -out $name.pem -extfile ext
        done";
    let mut command = Command::new("sh");
    let output = command
        .args(["-ec", script])
        .current_dir(folder)
        .output()
        .expect("sh");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn tls_with_a_certificate_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    certificates(folder);
    let file = |name: &str| folder.join(name).display().to_string();
    let server = Server::redis(&[
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-ca-cert-file",
        &file("ca.pem"),
    ]);
    let port = server.port();
    let (ca, own, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let whole = format!("ssl_ca_certs={ca}&ssl_certfile={own}&ssl_keyfile={key}");
    for url in [
        format!("rediss://127.0.0.1:{port}?{whole}"),
        format!("redis://localhost:{port}?ssl=true&{whole}"),
    ] {
        let coordinator = Coordinator::connect(&url).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let mut waiter = rust_with_events_only(&url);
        waiter.send("acquire x");
        until("it listens", || {
            let mut client = Command::new("redis-cli");
            client.args(["-p", &port.to_string(), "--tls", "--cacert", &ca]);
            client.args(["--cert", &own, "--key", &key]);
            let listeners = client.args(["client", "list", "type", "pubsub"]).output();
            (!listeners.expect("redis-cli").stdout.trim_ascii().is_empty()).then_some(())
        });
        guard.release().unwrap();
        assert_eq!(waiter.answer(), "acquired");
        assert_eq!(waiter.ask("release x"), "released");
    }
    // Without the authority, without the client's certificate, without TLS.
    for url in [
        format!("rediss://127.0.0.1:{port}?ssl_ca_certs={own}"),
        format!("rediss://127.0.0.1:{port}?ssl_ca_certs={ca}"),
        format!("redis://127.0.0.1:{port}?socket_timeout=2"),
    ] {
        let error = Coordinator::connect(&url).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{url}: {error}");
    }
}

#[test]
fn etcd_with_tls_and_a_certificate_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    certificates(folder);
    let file = |name: &str| folder.join(name).display().to_string();
    let server = Server::etcd(&[
        "--cert-file",
        &file("server.pem"),
        "--key-file",
        &file("server.key"),
        "--trusted-ca-file",
        &file("ca.pem"),
        "--client-cert-auth",
    ]);
    let (ca, own, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let url = format!("etcd3+https://127.0.0.1:{}?timeout=8", server.port());
    let whole = format!("{url}&ca_cert={ca}&cert_cert={own}&cert_key={key}");
    let connected = Coordinator::connect_within(&whole, Duration::from_secs(30)).unwrap();
    connected.lock("x").acquire().unwrap().release().unwrap();
    for options in [format!("ca_cert={own}"), format!("ca_cert={ca}")] {
        let error = Coordinator::connect(&format!("{url}&{options}")).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{options}: {error}"
        );
    }
}

#[test]
fn postgres_with_a_password_tls_and_a_certificate_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    certificates(folder);
    let settings = [
        "ssl=on",
        "ssl_cert_file=server.pem",
        "ssl_key_file=server.key",
    ];
    let mut arguments = vec!["-c", "ssl_ca_file=ca.pem"];
    arguments.extend(settings.iter().flat_map(|setting| ["-c", *setting]));
    let server = Server::postgres_with(&arguments, |data| {
        for name in ["server.pem", "server.key", "ca.pem"] {
            std::fs::copy(folder.join(name), data.join(name)).unwrap();
        }
        let permissions = "
            host all lockutils 127.0.0.1/32 trust
            host all plain 127.0.0.1/32 scram-sha-256
            hostssl all locker 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";
        std::fs::write(data.join("pg_hba.conf"), permissions).unwrap();
    });
    let service = postgres_of(server, "8");
    drop(Coordinator::connect(&service.url).unwrap());
    for user in ["plain", "locker"] {
        service.command(&[&format!("CREATE ROLE {user} LOGIN PASSWORD 's3cret'")]);
    }
    service.command(&["GRANT USAGE ON SEQUENCE public.oslo_coordination_token TO PUBLIC"]);
    let port = service.port();
    let url = |user: &str, password: &str| {
        format!("postgresql://{user}:{password}@127.0.0.1:{port}/postgres?timeout=8")
    };
    let coordinator = Coordinator::connect(&url("plain", "s3cret")).unwrap();
    coordinator.lock("x").acquire().unwrap().release().unwrap();
    assert!(!format!("{coordinator:?}").contains("s3cret"));
    let error = Coordinator::connect(&url("plain", "wr0ng"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("password") && !error.contains("wr0ng"),
        "{error}"
    );

    let file = |name: &str| folder.join(name).display().to_string();
    let (ca, own, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let verified = format!("sslmode=verify-full&sslrootcert={ca}");
    let secured = format!(
        "{}&{verified}&sslcert={own}&sslkey={key}",
        url("locker", "s3cret")
    );
    for url in [&secured, &secured.replace("127.0.0.1", "localhost")] {
        let holder = Coordinator::connect(url).unwrap();
        let guard = holder.lock("x").acquire().unwrap();
        let waiter = Coordinator::connect(url).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| waiter.lock("x").acquire().map(drop));
            std::thread::sleep(Duration::from_millis(200));
            guard.release().unwrap();
            waiting.join().unwrap().unwrap();
        });
    }
    // Without the authority, without the client's certificate, without TLS.
    for options in [
        format!("sslmode=verify-full&sslrootcert={own}"),
        verified,
        "sslmode=disable".to_owned(),
    ] {
        let url = format!("{}&{options}", url("locker", "s3cret"));
        let error = Coordinator::connect(&url).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{options}: {error}"
        );
    }
}

#[test]
fn zookeeper_with_a_password_tls_and_a_certificate_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    certificates(folder);
    let file = |name: &str| folder.join(name).display().to_string();
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    std::fs::write(file("both.pem"), read("server.key") + &read("server.pem")).unwrap();
    let properties = [
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory".to_owned(),
        format!("ssl.keyStore.location={}", file("both.pem")),
        format!("ssl.trustStore.location={}", file("ca.pem")),
    ];
    let properties = properties.map(|property| format!("-Dzookeeper.{property}"));
    let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
    let server = Server::zookeeper(
        &["secureClientPort=PORT", "secureClientPortAddress=127.0.0.1"],
        &properties,
    );
    let port = server.port();
    let url = |login: &str| format!("zookeeper://{login}127.0.0.1:{port}?timeout=8&use_ssl=true");
    let (ca, own, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let certified = format!("&ca={ca}&certfile={own}&keyfile={key}");
    let connect = |login: &str, certified: &str| {
        let url = url(login) + certified;
        Coordinator::connect_within(&url, Duration::from_secs(30)).unwrap()
    };
    let owner = connect("locker:s3cret@", &certified);
    assert!(!format!("{owner:?}").contains("s3cret"));
    let guard = owner.lock("x").acquire().unwrap();
    // Nodes belong to those who have the password, or the certificate.
    let [other, its_key] = [file("server.pem"), file("server.key")];
    let other = format!("&ca={ca}&certfile={other}&keyfile={its_key}");
    for login in ["", "locker:wr0ng@"] {
        let outcome = connect(login, &other).lock("x").try_acquire();
        assert!(matches!(outcome, Err(Error::Refused { .. })), "{outcome:?}");
    }
    let waiter = connect("locker:s3cret@", &certified);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.lock("x").acquire().map(drop));
        std::thread::sleep(Duration::from_millis(200));
        guard.release().unwrap();
        waiting.join().unwrap().unwrap();
    });
    // Without the authority, without the client's certificate.
    for options in [format!("&ca={own}"), format!("&ca={ca}")] {
        let error = Coordinator::connect(&(url("") + &options)).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{options}: {error}"
        );
    }
}

#[test]
fn etcd_with_users() {
    let service = crate::engines::etcd("8");
    for words in [
        &["user", "add", "root:t0p"][..],
        &["user", "add", "locker:s3cret"],
        &["user", "grant-role", "root", "root"],
        &["role", "add", "locks"],
        &[
            "role",
            "grant-permission",
            "--prefix=true",
            "locks",
            "readwrite",
            "/tooz/locks",
        ],
        &["user", "grant-role", "locker", "locks"],
        &["auth", "enable"],
    ] {
        service.command(words);
    }
    let url = |login: &str| service.url.replace("//", &format!("//{login}"));
    for login in ["", "locker:wr0ng@", "nobody:s3cret@"] {
        let error = Coordinator::connect(&url(login)).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{login}: {error}"
        );
        assert!(!error.to_string().contains("wr0ng"), "{error}");
    }
    let coordinator = Coordinator::connect(&url("locker:s3cret@")).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    let other = Coordinator::connect(&url("locker:s3cret@")).unwrap();
    assert!(matches!(
        other.lock("x").try_acquire(),
        Err(Error::NotAcquired { .. })
    ));
    // Renewal, and waiting for a release, need permission too.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| other.lock("x").acquire().map(drop));
        std::thread::sleep(Duration::from_secs(9));
        guard.release().unwrap();
        waiting.join().unwrap().unwrap();
    });
}
