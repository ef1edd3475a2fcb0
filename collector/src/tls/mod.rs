//! TLS for whoever connects, by rustls with ring: the collector's certificate, and who vouches for clients. All
//! of them are files that may be replaced while it runs. Shell.

mod certificate;

use std::path::Path;
use std::sync::Arc;

use clause9_shared::time::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::{ClientsConfig, ConfigProblem, TlsConfig, read_bytes, shown};
use crate::held::Source;

pub(crate) use certificate::spiffe_id;

/// HTTP/1.1 in ALPN (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// What new connections get.
#[derive(Debug)]
pub(crate) struct Speaking {
    pub(crate) config: Arc<ServerConfig>,
    /// Until when the certificate is valid.
    pub(crate) not_after: Timestamp,
}

impl Source for TlsConfig {
    type Made = Speaking;

    fn read(&self) -> Result<Vec<Vec<u8>>, ConfigProblem> {
        let roots = self.clients.as_ref().map(|c| &c.roots);
        let files = [&self.certificate, &self.key].into_iter().chain(roots);
        files.map(|path| read_bytes(path)).collect()
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<Speaking, ConfigProblem> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&self.certificate, &contents[0])?;
        let key = PrivateKeyDer::from_pem_slice(&contents[1])
            .map_err(|_| unfit(&self.key, "holds no private key in PEM"))?;
        let last = certificate::not_after(chain.first().map_or(&[][..], |own| own));
        let not_after = last
            .ok_or_else(|| unfit(&self.certificate, "holds a certificate that cannot be read"))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| unfit(&self.certificate, &e.to_string()))?;
        let builder = match (&self.clients, contents.get(2)) {
            (Some(clients), Some(roots)) => {
                builder.with_client_cert_verifier(verifier(clients, roots, provider)?)
            }
            (_, _) => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|e| {
            let why = format!(
                "cannot be used together with the key {}: {e}",
                self.key.display()
            );
            unfit(&self.certificate, &why)
        })?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Speaking {
            config: Arc::new(config),
            not_after,
        })
    }
}

fn verifier(
    clients: &ClientsConfig,
    roots: &[u8],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ConfigProblem> {
    let mut store = RootCertStore::empty();
    for root in certificates(&clients.roots, roots)? {
        store.add(root).map_err(|e| {
            unfit(
                &clients.roots,
                &format!("holds a certificate that cannot vouch for others: {e}"),
            )
        })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
    let builder = if clients.required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder
        .build()
        .map_err(|e| unfit(&clients.roots, &format!("cannot vouch for clients: {e}")))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigProblem> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(unfit(path, "holds no certificate in PEM, or a damaged one")),
    }
}

fn unfit(path: &Path, message: &str) -> ConfigProblem {
    ConfigProblem::Unfit {
        file: shown(path),
        message: message.to_owned(),
    }
}
