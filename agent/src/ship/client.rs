//! The client that speaks with the collector: whom it trusts, and who it says it is. Its files may be replaced while it runs:
//! then a new client is made, what is under way ends with the old one, and no delivery fails for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clause9_shared::time::Timestamp;
use reqwest::Url;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::capture::tls::{TlsProblem, certificates, provider, read};
use crate::config::CollectorTlsConfig;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one delivery may take as a whole.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long a connection may rest before it is given up: shorter than the collector lets one rest, so that no delivery sets out
/// on one that is being closed.
const REST: Duration = Duration::from_secs(15);
/// Keys of the configuration, for messages.
const ROOTS: &str = "collector_tls.roots";
const CERTIFICATE: &str = "collector_tls.certificate";
const KEY: &str = "collector_tls.key";

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientProblem {
    /// Its files do not fit.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// It cannot be made.
    #[error("cannot set up the client for the collector")]
    Http(#[from] reqwest::Error),
}

/// The client of now, and what it was made of.
pub struct Client {
    files: CollectorTlsConfig,
    encrypted: bool,
    state: RwLock<State>,
}

struct State {
    current: reqwest::Client,
    /// Until when the agent's own certificate is valid.
    not_after: Option<Timestamp>,
    /// What was tried last, so that what does not fit is not tried again and again.
    tried: Contents,
}

/// The bytes of the roots, the certificate and the key, as far as they are configured.
type Contents = [Option<Vec<u8>>; 3];

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the collector at that address.
    pub fn new(collector: &Url, files: CollectorTlsConfig) -> Result<Self, ClientProblem> {
        let encrypted = collector.scheme() == "https";
        let state = RwLock::new(State::new(&files, encrypted, contents(&files)?)?);
        Ok(Self {
            files,
            encrypted,
            state,
        })
    }

    /// What the next delivery is made with.
    pub fn current(&self) -> reqwest::Client {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .current
            .clone()
    }

    /// Until when the agent's own certificate is valid; none if it shows none.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .not_after
    }

    /// Whether there are files that may change.
    pub fn has_files(&self) -> bool {
        self.files.files().iter().any(|(_, path)| path.is_some())
    }

    /// Makes a new client if its files changed; true if there is a new one. On any error the old one stays.
    pub fn reload(&self) -> Result<bool, ClientProblem> {
        let found = contents(&self.files)?;
        let tried = |state: &State| state.tried == found;
        if tried(&self.state.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(false);
        }
        let new = State::new(&self.files, self.encrypted, found.clone());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.tried = found;
        *state = new?;
        Ok(true)
    }
}

impl State {
    fn new(
        files: &CollectorTlsConfig,
        encrypted: bool,
        tried: Contents,
    ) -> Result<Self, ClientProblem> {
        // An error means that a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(DELIVERY)
            .pool_idle_timeout(REST)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .user_agent(concat!("clause9-agent/", env!("CARGO_PKG_VERSION")));
        let mut not_after = None;
        if encrypted {
            let shown = own(files, &tried)?;
            not_after = shown.as_ref().and_then(|(chain, _)| until(chain));
            builder = builder.tls_backend_preconfigured(tls(roots(files, &tried)?, shown, files)?);
        }
        Ok(Self {
            current: builder.build()?,
            not_after,
            tried,
        })
    }
}

/// The own certificate with those that vouch for it, and its key.
type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn contents(files: &CollectorTlsConfig) -> Result<Contents, TlsProblem> {
    let [roots, certificate, key] = files.files().map(|(what, path)| {
        let path = path.as_ref();
        path.map(|path| read(what, path)).transpose()
    });
    Ok([roots?, certificate?, key?])
}

fn roots(files: &CollectorTlsConfig, contents: &Contents) -> Result<RootCertStore, TlsProblem> {
    let trusted = match (&files.roots, &contents[0]) {
        (Some(path), Some(pem)) => certificates(ROOTS, path, pem)?,
        (_, _) => rustls_native_certs::load_native_certs().certs,
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(trusted);
    if store.is_empty() {
        return Err(TlsProblem::NoRoots(ROOTS));
    }
    Ok(store)
}

fn own(files: &CollectorTlsConfig, contents: &Contents) -> Result<Option<Shown>, TlsProblem> {
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else {
        return Ok(None);
    };
    let [_, Some(chain_pem), Some(key_pem)] = contents else {
        return Ok(None);
    };
    let chain = certificates(CERTIFICATE, certificate, chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsProblem::Empty {
        what: KEY,
        path: key.clone(),
        missing: "private key",
    })?;
    Ok(Some((chain, key)))
}

fn tls(
    roots: RootCertStore,
    shown: Option<Shown>,
    files: &CollectorTlsConfig,
) -> Result<ClientConfig, TlsProblem> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::new(roots));
    let Some((chain, key)) = shown else {
        return Ok(builder.with_no_client_auth());
    };
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|reason| TlsProblem::Pair {
            certificate: files.certificate.clone().unwrap_or_default(),
            key: files.key.clone().unwrap_or_default(),
            reason,
        })
}

/// Until when a chain's own certificate is valid.
fn until(chain: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let own = Certificate::from_der(chain.first()?).ok()?;
    let until = own.tbs_certificate().validity().not_after;
    Some(Timestamp::after_epoch(until.to_unix_duration()))
}
