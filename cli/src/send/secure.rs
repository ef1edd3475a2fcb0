//! TLS to the agent's sink, or to what stands before it.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Whom to trust, and who it should be.
pub(super) struct Secure {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// TLS to a host with a port, trusting those in a file or those whom the system trusts.
pub(super) fn to(host: &str, ca: Option<&Path>) -> anyhow::Result<Secure> {
    let mut roots = RootCertStore::empty();
    let found = match ca {
        Some(path) => {
            let shown = path.display();
            let all = CertificateDer::pem_file_iter(path);
            let all = all.with_context(|| format!("cannot read {shown} (--ca)"))?;
            let all: Result<Vec<_>, _> = all.collect();
            all.with_context(|| format!("{shown} holds no certificates in PEM (--ca)"))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        match ca {
            Some(path) => bail!("{} holds no certificates in PEM (--ca)", path.display()),
            None => bail!("this system trusts nobody; name a file of certificates with --ca"),
        }
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(name).with_context(|| format!("{host} is no host's name"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.context("no version of TLS is known")?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Secure {
        config: Arc::new(config),
        name,
    })
}

impl Secure {
    /// Shakes hands: a certificate that is not trusted is told as such, not as a broken connection.
    pub(super) fn over(
        &self,
        mut stream: TcpStream,
    ) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}
