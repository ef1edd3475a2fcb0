//! TLS on both sides of the data path, by rustls with ring: the listener's certificate, which may be
//! replaced while running, and whom to trust behind the agent.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::TlsConfig;

/// Longest file of certificates or keys, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// HTTP/2 in ALPN (RFC 9113, section 3.2).
pub(super) const H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file cannot be read.
    #[error("cannot read the {what} file {}", path.display())]
    Read {
        /// Which key names it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has not what it should have.
    #[error("the {what} file {} holds no {missing} in PEM", path.display())]
    Empty {
        /// Which key names it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is looked for.
        missing: &'static str,
    },
    /// Certificate and key are not a pair, or not usable.
    #[error("the certificate {} and the key {} cannot be used together: {reason}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        reason: rustls::Error,
    },
    /// The name is no name of a server.
    #[error("`{0}` cannot be the name of a server")]
    Name(String),
    /// Nobody is trusted.
    #[error("no certificate vouches for servers; name one in {0}")]
    NoRoots(&'static str),
    /// rustls refuses.
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsProblem> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|f| f.take(MAX_FILE).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|source| TlsProblem::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect();
    if found.is_empty() {
        return Err(TlsProblem::Empty {
            what,
            path: path.to_owned(),
            missing: "certificate",
        });
    }
    Ok(found)
}

/// The listener's certificate and key, as files that may be replaced.
pub struct Certificates {
    files: TlsConfig,
    state: Mutex<State>,
}

struct State {
    current: Arc<ServerConfig>,
    /// What was tried last, so that a wrong pair is not tried again and again.
    tried: [Vec<u8>; 2],
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads both files.
    pub fn load(files: TlsConfig) -> Result<Self, TlsProblem> {
        let tried = contents(&files)?;
        let current = Arc::new(server(&files, &tried)?);
        let state = Mutex::new(State { current, tried });
        Ok(Self { files, state })
    }

    /// What new connections get.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(
            &self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .current,
        )
    }

    /// Reads both files again if they changed; true if new connections get new ones. On any error the
    /// old ones stay.
    pub fn reload(&self) -> Result<bool, TlsProblem> {
        let found = contents(&self.files)?;
        if self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tried
            == found
        {
            return Ok(false);
        }
        let new = server(&self.files, &found);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tried = found;
        state.current = Arc::new(new?);
        Ok(true)
    }
}

fn contents(files: &TlsConfig) -> Result<[Vec<u8>; 2], TlsProblem> {
    let certificate = read("tls.certificate", &files.certificate)?;
    Ok([certificate, read("tls.key", &files.key)?])
}

fn server(files: &TlsConfig, contents: &[Vec<u8>; 2]) -> Result<ServerConfig, TlsProblem> {
    let chain = certificates("tls.certificate", &files.certificate, &contents[0])?;
    let key = PrivateKeyDer::from_pem_slice(&contents[1]).map_err(|_| TlsProblem::Empty {
        what: "tls.key",
        path: files.key.clone(),
        missing: "private key",
    })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|reason| TlsProblem::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            reason,
        })?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(config)
}

/// What is offered to the model server by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Http2,
    Both,
}

/// How to speak TLS with the model server.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    both: Arc<ClientConfig>,
}

impl UpstreamTls {
    /// A server of that name, for which the certificates in that file vouch, or else the system's.
    pub fn new(name: &str, roots: Option<&Path>) -> Result<Self, TlsProblem> {
        let server = ServerName::try_from(name.to_owned());
        let server = server.map_err(|_| TlsProblem::Name(name.to_owned()))?;
        let trusted = match roots {
            Some(path) => {
                let what = "upstream_tls.roots";
                certificates(what, path, &read(what, path)?)?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trusted);
        if store.is_empty() {
            return Err(TlsProblem::NoRoots("upstream_tls.roots"));
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self {
            name: server,
            http1: offering(&[HTTP_1_1]),
            http2: offering(&[H2]),
            both: offering(&[H2, HTTP_1_1]),
        })
    }

    pub(super) fn offering(&self, offer: Offer) -> (ServerName<'static>, Arc<ClientConfig>) {
        let config = match offer {
            Offer::Http1 => &self.http1,
            Offer::Http2 => &self.http2,
            Offer::Both => &self.both,
        };
        (self.name.clone(), Arc::clone(config))
    }
}
