//! What can be read again while the agent runs: the certificate and key of the data path, and those by which it speaks with the
//! collector.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounterVec;

use crate::capture::tls::Certificates;
use crate::ship::client::Client;
use crate::telemetry::Telemetry;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// Reads certificates again, when asked and from time to time.
#[derive(Clone, Debug)]
pub struct Reloading {
    certificates: Option<Arc<Certificates>>,
    client: Option<Arc<Client>>,
    telemetry: Telemetry,
}

impl Reloading {
    pub(crate) fn new(
        certificates: Option<Arc<Certificates>>,
        client: Option<Arc<Client>>,
        telemetry: Telemetry,
    ) -> Self {
        let client = client.filter(|client| client.has_files());
        let this = Self {
            certificates,
            client,
            telemetry,
        };
        this.show();
        this
    }

    /// Somebody asked (SIGHUP): does it now, and says what came of it.
    pub async fn asked(&self) {
        if !self.has_files() {
            tracing::info!("nothing to read again: without `tls`, changes need a restart");
        } else if !self.look().await {
            tracing::info!("the certificate has not changed; other settings need a restart");
        }
    }

    /// Looks from time to time, for ever.
    pub(crate) async fn watch(self) {
        if !self.has_files() {
            return;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            self.look().await;
        }
    }

    const fn has_files(&self) -> bool {
        self.certificates.is_some() || self.client.is_some()
    }

    /// Whether anything had changed, for better or worse.
    async fn look(&self) -> bool {
        let served = again(
            self.certificates.clone(),
            Certificates::reload,
            &self.telemetry.certificate_reloads,
            "new connections get the new certificate",
        );
        let shown = again(
            self.client.clone(),
            Client::reload,
            &self.telemetry.client_reloads,
            "deliveries go on with the new certificates",
        );
        let (served, shown) = tokio::join!(served, shown);
        self.show();
        served || shown
    }

    fn show(&self) {
        let until = self.client.as_ref().and_then(|c| c.not_after());
        if let Some(until) = until {
            self.telemetry.client_not_after.set(until.seconds_f64());
        }
    }
}

/// Has one thing read its files again. They are read on a thread where nothing waits for them.
async fn again<T, E>(
    of: Option<Arc<T>>,
    reload: fn(&T) -> Result<bool, E>,
    reloads: &IntCounterVec,
    done: &str,
) -> bool
where
    T: Send + Sync + 'static,
    E: std::error::Error + Send + 'static,
{
    let Some(of) = of else {
        return false;
    };
    let result = match tokio::task::spawn_blocking(move || reload(&of)).await {
        Ok(Ok(false)) => return false,
        Ok(Ok(true)) => {
            tracing::info!("{done}");
            "loaded"
        }
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "the old certificate stays: the new one cannot be used"
            );
            "failed"
        }
        Err(error) => {
            tracing::error!(%error, "the old certificate stays: reading failed");
            "failed"
        }
    };
    reloads.with_label_values(&[result]).inc();
    true
}
