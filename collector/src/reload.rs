//! What is read again while the collector runs: certificates, tokens, and who may write. Shell.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::{ConfigProblem, TlsConfig, TokensSource, TrustSource};
use crate::held::{Held, Source};
use crate::known::Current;
use crate::telemetry::Telemetry;
use crate::trust::Trusted;

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// What is read again, in the words of the telemetry.
pub(crate) const WHAT: [&str; 3] = ["certificates", "tokens", "agents"];

/// Reads files again, when asked and from time to time.
#[derive(Clone, Debug)]
pub struct Reloading(Arc<(Parts, Mutex<()>)>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) tls: Option<Arc<Held<TlsConfig>>>,
    pub(crate) tokens: Option<Arc<Held<TokensSource>>>,
    pub(crate) trust: Held<TrustSource>,
    pub(crate) known: Current,
    pub(crate) telemetry: Arc<Telemetry>,
}

impl Reloading {
    pub(crate) fn new(parts: Parts) -> Self {
        parts.telemetry.show_certificate(parts.tls.as_deref());
        Self(Arc::new((parts, Mutex::default())))
    }

    /// Somebody asked (SIGHUP): does it now.
    pub async fn asked(&self) {
        let this = self.clone();
        // Files are read on a thread where nothing waits for them.
        let looked = tokio::task::spawn_blocking(move || this.look()).await;
        match looked {
            Ok(true) => {}
            Ok(false) => tracing::info!(
                "nothing changed of certificates, tokens and agents; other settings need a restart"
            ),
            Err(error) => tracing::error!(%error, "files could not be looked at"),
        }
    }

    /// Looks from time to time, for ever.
    pub(crate) async fn watch(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let this = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || this.look()).await {
                tracing::error!(%error, "files could not be looked at");
            }
        }
    }

    /// Whether anything had changed, for better or worse.
    fn look(&self) -> bool {
        let parts = &self.0.0;
        let tls = parts
            .tls
            .as_deref()
            .is_some_and(|tls| parts.again("certificates", tls));
        if tls {
            parts.telemetry.show_certificate(parts.tls.as_deref());
        }
        let tokens = parts
            .tokens
            .as_deref()
            .is_some_and(|tokens| parts.again("tokens", tokens));
        self.enrolments() || tls || tokens
    }

    /// Looks at who may write: an enrolment counts at once.
    pub(crate) fn enrolments(&self) -> bool {
        let (parts, turn) = &*self.0;
        // One after the other: of two looks, the later one's finding is to be what counts.
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = parts.again("agents", &parts.trust);
        if changed {
            parts.known.trust_only(Trusted::clone(&parts.trust.now()));
        }
        changed
    }
}

impl Parts {
    /// Makes one thing again if its files changed; whether they did.
    fn again<S: Source>(&self, what: &'static str, held: &Held<S>) -> bool {
        let (result, changed) = match held.reload() {
            Ok(false) => return false,
            Ok(true) => {
                tracing::info!(what, "read again");
                ("loaded", true)
            }
            Err(error) => {
                tracing::error!(what, error = %told(error), "the old one stays: the new one cannot be used");
                ("failed", true)
            }
        };
        self.telemetry.count_reload(what, result);
        changed
    }
}

fn told(error: ConfigProblem) -> String {
    format!("{:#}", anyhow::Error::from(error))
}
