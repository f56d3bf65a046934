//! The certificate that TLS is served with. It can be replaced while the server runs: SIGHUP has it read again.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// See the module.
#[derive(Debug)]
pub(crate) struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads it.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub(crate) fn read(config: &TlsConfig) -> anyhow::Result<Arc<Self>> {
        let TlsConfig { certificate, key, .. } = config;
        let current = RwLock::new(Arc::new(read(certificate, key)?));
        Ok(Arc::new(Self { certificate: certificate.clone(), key: key.clone(), current }))
    }

    /// Reads it again. If that fails the former one stays, and the log says why.
    pub(crate) fn renew(&self) {
        match read(&self.certificate, &self.key) {
            Ok(new) => {
                *self.current.write() = Arc::new(new);
                tracing::info!(certificate = %self.certificate.display(), "tls.certificate.renewed");
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "tls.certificate.kept"),
        }
    }

    /// What connections are encrypted with.
    ///
    /// # Errors
    /// If the cryptography at hand offers no safe version of TLS.
    pub(crate) fn acceptor(self: &Arc<Self>) -> anyhow::Result<TlsAcceptor> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config =
            config.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> anyhow::Result<CertifiedKey> {
    let named = || format!("cannot read the certificate {}", certificate.display());
    let chain = CertificateDer::pem_file_iter(certificate).with_context(named)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(named)?;
    ensure!(!chain.is_empty(), "{} holds no certificate in PEM", certificate.display());
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the private key {}", key.display()))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .with_context(|| format!("the key does not belong to the certificate {}", certificate.display()))
}
