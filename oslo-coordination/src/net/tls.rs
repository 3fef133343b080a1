//! TLS, with rustls.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connect::Stream;

/// The settings of TLS connections.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// The arguments name files in PEM format. Without authorities, those of the system are trusted.
    ///
    /// # Errors
    /// Returns a message that names the file that cannot be used.
    pub(super) fn new(
        authorities: Option<&str>,
        certificates: Option<&str>,
        key: Option<&str>,
    ) -> Result<Self, String> {
        let provider = CryptoProvider::get_default().cloned();
        // The one that the program has chosen, or one that is Rust alone.
        let provider = provider.unwrap_or_else(|| Arc::new(rustls_graviola::default_provider()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots(authorities)?);
        let config = match (certificates, key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificates), key) => {
                // As in Python, one file may have both.
                let key_file = key.unwrap_or(certificates);
                let key = PrivateKeyDer::from_pem_file(Path::new(key_file))
                    .map_err(|error| format!("no key can be read from {key_file:?}: {error}"))?;
                builder
                    .with_client_auth_cert(read_certificates(certificates)?, key)
                    .map_err(|error| format!("{certificates:?}: {error}"))?
            }
            (None, Some(key)) => return Err(format!("the key {key:?} has no certificate")),
        };
        Ok(Tls(Arc::new(config)))
    }

    pub(crate) async fn connect<S: Stream>(
        &self,
        host: &str,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, stream)
            .await
    }
}

fn roots(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in read_certificates(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{file:?}: {error}"))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            if system.certs.is_empty() {
                return Err(format!(
                    "this system trusts no authority; name a file with certificates ({:?})",
                    system.errors
                ));
            }
            roots.add_parsable_certificates(system.certs);
        }
    }
    Ok(roots)
}

fn read_certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(Path::new(file)).and_then(Iterator::collect);
    let certificates: Vec<_> =
        read.map_err(|error| format!("no certificate can be read from {file:?}: {error}"))?;
    if certificates.is_empty() {
        return Err(format!("{file:?} has no certificate in PEM format"));
    }
    Ok(certificates)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
