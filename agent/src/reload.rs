//! What can be read again while the agent runs: the certificate and key of the data path.

use std::sync::Arc;
use std::time::Duration;

use crate::capture::tls::Certificates;
use crate::telemetry::Telemetry;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(10);

/// Reads the certificate again, when asked and from time to time.
#[derive(Clone, Debug)]
pub struct Reloading {
    certificates: Option<Arc<Certificates>>,
    telemetry: Telemetry,
}

impl Reloading {
    pub(crate) const fn new(certificates: Option<Arc<Certificates>>, telemetry: Telemetry) -> Self {
        Self {
            certificates,
            telemetry,
        }
    }

    /// Somebody asked (SIGHUP): does it now, and says what came of it.
    pub async fn asked(&self) {
        if self.certificates.is_none() {
            tracing::info!("nothing to read again: without `tls`, changes need a restart");
        } else if !self.look().await {
            tracing::info!("the certificate has not changed; other settings need a restart");
        }
    }

    /// Looks from time to time, for ever.
    pub(crate) async fn watch(self) {
        if self.certificates.is_none() {
            return;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            self.look().await;
        }
    }

    /// Whether anything had changed, for better or worse. Files are read on a thread where nothing
    /// waits for them.
    async fn look(&self) -> bool {
        let Some(certificates) = self.certificates.clone() else {
            return false;
        };
        let reload = move || certificates.reload();
        let result = match tokio::task::spawn_blocking(reload).await {
            Ok(Ok(false)) => return false,
            Ok(Ok(true)) => {
                tracing::info!("new connections get the new certificate");
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
        let reloads = &self.telemetry.certificate_reloads;
        reloads.with_label_values(&[result]).inc();
        true
    }
}
