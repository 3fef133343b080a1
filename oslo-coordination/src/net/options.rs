//! The options of a URL that concern TLS.

use super::Tls;
use crate::url::ServiceUrl;

/// The names of an engine's options, and the choice of TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsOptions {
    pub(crate) wanted: bool,
    /// The way to ask for TLS, for messages.
    pub(crate) how: &'static str,
    /// Files in PEM format: authorities to trust instead of the system's, and the client's
    /// certificates and key.
    pub(crate) authorities: &'static str,
    pub(crate) certificates: &'static str,
    pub(crate) key: &'static str,
}

impl TlsOptions {
    /// The settings of TLS, if it is wanted.
    ///
    /// # Errors
    /// Returns the problem, and what to write instead.
    pub(crate) fn of(self, url: &ServiceUrl) -> Result<Option<Tls>, String> {
        let files = [self.authorities, self.certificates, self.key];
        if !self.wanted {
            let given = files.iter().find(|name| url.text(name).is_some());
            return match given {
                Some(name) => Err(format!("{name} needs TLS; write {}", self.how)),
                None => Ok(None),
            };
        }
        #[cfg(feature = "tls")]
        {
            let [authorities, certificates, key] = files.map(|name| url.text(name));
            Tls::new(authorities, certificates, key).map(Some)
        }
        #[cfg(not(feature = "tls"))]
        Err("TLS needs the feature `tls` of oslo-coordination".to_owned())
    }
}
