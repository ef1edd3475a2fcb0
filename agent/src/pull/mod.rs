//! Objectives and baseline from the collector: asked for again and again, verified, kept on disk, and handed to the
//! monitor. Runs on its own thread; a collector that is away holds up nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::ids::SystemId;
use clause9_shared::wire::plan::{self, Ask, MAX_DOCUMENT, MAX_NAMED, Named};
use ed25519_dalek::SigningKey;
use reqwest::{Response, StatusCode, Url, header};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock;
use crate::monitor::{Command, Offer, Taken};
use crate::ship::client::Client;
use crate::ship::pause::{self, Pause};
use crate::ship::{ShipError, bounded_by, retry_after};

mod cache;
mod documents;
mod standing;

pub use cache::Cache;
pub use documents::{Documents, Unfit};
pub use standing::{PlanStatus, Source, Standing};

/// Longest text of a refusal that is read, in bytes.
const MAX_REFUSAL: usize = 4096;
/// Most characters of it that are told.
const MAX_TOLD: usize = 300;

/// What pulling is set up with.
pub struct Pulling {
    /// The AI system.
    pub system: SystemId,
    /// Who asks.
    pub key: SigningKey,
    /// By what the collector is reached.
    pub client: Arc<Client>,
    /// Where the last good documents are.
    pub cache: Cache,
    /// How often the collector is asked.
    pub every: Duration,
    /// Whether a bound on sampling is configured, which some objectives exclude.
    pub capped: bool,
    /// Who takes plans up.
    pub monitor: mpsc::Sender<Command>,
    /// Where it is told how things stand.
    pub standing: Arc<Standing>,
}

/// Asks the collector again and again.
pub struct Puller {
    pulling: Pulling,
    url: Url,
    /// What was handed over last.
    taken: Option<Named>,
    /// What cannot be used, and why not.
    refused: Option<(Digest, String)>,
}

impl std::fmt::Debug for Puller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Puller")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    /// What is in force is what the collector has.
    Unchanged,
    /// Something else was handed over.
    Applied,
    /// The monitor is still taking something else up.
    Later,
}

/// Why the collector's documents are not known, or not used.
#[derive(Debug, thiserror::Error)]
enum Unchecked {
    /// No answer, or none that can be read.
    #[error("the collector gives no documents: {0}")]
    Failed(String, Option<Duration>),
    /// It does not let this agent have them.
    #[error("the collector refuses ({0}): {1}")]
    Denied(StatusCode, String),
    /// They cannot be used.
    #[error("what the collector gives is not used, and what was in force stays: {0}")]
    Refused(String),
}

impl Unchecked {
    const fn result(&self) -> &'static str {
        match self {
            Self::Failed(..) => "failed",
            Self::Denied(..) => "denied",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<reqwest::Error> for Unchecked {
    fn from(error: reqwest::Error) -> Self {
        Self::Failed(format!("{:#}", anyhow::Error::from(error)), None)
    }
}

impl Puller {
    /// Asks the collector at that base address.
    pub fn new(collector: &Url, pulling: Pulling) -> Result<Self, ShipError> {
        let url = collector.join(&format!("v1/systems/{}/plan", pulling.system));
        Ok(Self {
            url: url.map_err(|_| ShipError::Address(collector.clone()))?,
            pulling,
            taken: None,
            refused: None,
        })
    }

    /// Begins with the last good documents, if there are such, and asks until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let work = async {
            self.restore().await;
            let mut pause = Pause::default();
            loop {
                let wait = self.turn(&mut pause).await;
                tokio::time::sleep(wait).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|s| *s) => {}
        }
    }

    /// Hands over what is on disk. Whoever waited for the collector first would leave traffic uncounted.
    async fn restore(&mut self) {
        let found = match self.pulling.cache.load(&self.pulling.system) {
            Ok(Some(found)) => found,
            Ok(None) => {
                tracing::info!(
                    "there are no objectives yet: traffic passes uncounted until the collector gives them"
                );
                return;
            }
            Err(error) => {
                self.pulling.standing.damaged();
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the kept objectives cannot be used; they are pulled anew"
                );
                return;
            }
        };
        if let Err(error) = self.hand_over(&found, Source::Cache).await {
            tracing::error!(%error, "the kept objectives cannot be used; they are pulled anew");
        }
    }

    /// Asks once, tells what came of it, and says how long to wait.
    async fn turn(&mut self, pause: &mut Pause) -> Duration {
        let standing = Arc::clone(&self.pulling.standing);
        let jitter = 0.9 + 0.2 * pause::chance();
        let every = self.pulling.every.mul_f64(jitter);
        match self.check().await {
            Ok(checked) => {
                *pause = Pause::default();
                match checked {
                    Checked::Unchanged => standing.checked("unchanged", clock::wall()),
                    Checked::Applied => standing.checked("applied", clock::wall()),
                    Checked::Later => {}
                }
                every
            }
            Err(unchecked) => {
                standing.unchecked(unchecked.result(), unchecked.to_string());
                match unchecked {
                    Unchecked::Failed(_, wait) => pause.next(wait, pause::chance()).min(every),
                    Unchecked::Denied(..) | Unchecked::Refused(_) => every,
                }
            }
        }
    }

    async fn check(&mut self) -> Result<Checked, Unchecked> {
        let taken = self.taken.as_ref().map(Named::tag);
        let refused = self.refused.as_ref().map(|(tag, _)| *tag);
        let known: Vec<_> = taken.into_iter().chain(refused).collect();
        let response = self.ask(self.url.clone(), &known).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            let said = tag_of(&response);
            return match &self.refused {
                Some((tag, why)) if said.as_ref() == Some(tag) => {
                    Err(Unchecked::Refused(why.clone()))
                }
                Some(_) | None => Ok(Checked::Unchanged),
            };
        }
        let body = body(response, MAX_NAMED).await?;
        let named: Named = serde_json::from_slice(&body)
            .map_err(|e| Unchecked::Failed(format!("its answer names no documents: {e}"), None))?;
        if named.system != self.pulling.system {
            let why = format!("it names those of system `{}`", named.system);
            return Err(Unchecked::Refused(why));
        }
        if taken == Some(named.tag()) {
            return Ok(Checked::Unchanged);
        }
        let documents = self.fetch(&named).await?;
        let checked = self.hand_over(&documents, Source::Collector).await;
        match &checked {
            Ok(Checked::Applied) => {
                let kept = self.pulling.cache.keep(&documents);
                self.pulling.standing.kept(kept);
            }
            Err(Unchecked::Refused(why)) => self.refused = Some((named.tag(), why.clone())),
            Ok(Checked::Unchanged | Checked::Later)
            | Err(Unchecked::Failed(..) | Unchecked::Denied(..)) => {}
        }
        checked
    }

    /// Both documents, each from disk if it is there under its name.
    async fn fetch(&self, named: &Named) -> Result<Documents, Unchecked> {
        let kept = self.pulling.cache.load(&self.pulling.system).ok().flatten();
        let kept = |name: Digest| kept.as_ref().and_then(|kept| kept.named(name));
        let objectives = match kept(named.objectives) {
            Some(text) => text,
            None => self.document(named.objectives).await?,
        };
        let baseline = match kept(named.baseline) {
            Some(text) => text,
            None => self.document(named.baseline).await?,
        };
        let documents = Documents::verified(named.clone(), objectives, baseline);
        documents.map_err(|e| Unchecked::Refused(e.to_string()))
    }

    async fn document(&self, name: Digest) -> Result<Bytes, Unchecked> {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&name.to_string());
        }
        let response = self.ask(url, &[]).await?;
        body(response, MAX_DOCUMENT).await
    }

    /// An answer with a body, or that nothing changed.
    async fn ask(&self, url: Url, known: &[Digest]) -> Result<Response, Unchecked> {
        let ask = Ask {
            system: self.pulling.system.clone(),
            created_at: clock::wall(),
        };
        let shown = plan::seal(&ask, &self.pulling.key)
            .map_err(|e| Unchecked::Failed(e.to_string(), None))?;
        let request = self.pulling.client.current().get(url);
        let mut request = request.header(header::AUTHORIZATION, shown);
        if !known.is_empty() {
            let tags: Vec<_> = known.iter().map(|tag| format!("\"{tag}\"")).collect();
            request = request.header(header::IF_NONE_MATCH, tags.join(", "));
        }
        let response = request.send().await?;
        let status = response.status();
        match status {
            StatusCode::OK | StatusCode::NOT_MODIFIED => Ok(response),
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED => {
                let said = bounded_by(response, MAX_REFUSAL).await.unwrap_or_default();
                Err(Unchecked::Denied(status, why(&said)))
            }
            _ => Err(Unchecked::Failed(
                status.to_string(),
                retry_after(&response),
            )),
        }
    }

    /// Has the monitor take documents up that were verified, all of them or nothing.
    async fn hand_over(
        &mut self,
        documents: &Documents,
        source: Source,
    ) -> Result<Checked, Unchecked> {
        let refused = |why: String| Err(Unchecked::Refused(why));
        let capture = match documents.plan(self.pulling.capped) {
            Ok(capture) => Arc::new(capture),
            Err(unfit) => return refused(unfit.to_string()),
        };
        let names = documents.names().clone();
        let (answer, told) = oneshot::channel();
        let offer = Offer {
            capture,
            names: names.clone(),
            source,
            answer,
        };
        let stopped = || Unchecked::Failed("the monitor has stopped".to_owned(), None);
        let sent = self.pulling.monitor.send(Command::Plan(offer)).await;
        sent.map_err(|_| stopped())?;
        match told.await.map_err(|_| stopped())? {
            Taken::From(from) => {
                tracing::info!(
                    objectives = %names.objectives,
                    baseline = %names.baseline,
                    source = source.as_str(),
                    from = %from.map_or_else(|| "now".to_owned(), |from| from.to_string()),
                    "other objectives"
                );
                self.taken = Some(names);
                self.refused = None;
                Ok(Checked::Applied)
            }
            Taken::Later => Ok(Checked::Later),
            Taken::Refused(why) => refused(why),
        }
    }
}

/// The name that an answer has.
fn tag_of(response: &Response) -> Option<Digest> {
    let tag = response.headers().get(header::ETAG)?.to_str().ok()?;
    tag.trim_matches('"').parse().ok()
}

async fn body(response: Response, most: usize) -> Result<Bytes, Unchecked> {
    let body = bounded_by(response, most).await.map(Bytes::from);
    let cut = || format!("an answer broke off, or has more than {most} bytes");
    body.ok_or_else(|| Unchecked::Failed(cut(), None))
}

/// The words of a refusal.
fn why(said: &[u8]) -> String {
    let said: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    let why = said.as_ref().and_then(|s| s["error"].as_str());
    let why = why.unwrap_or("what answers there is no collector, or an older one");
    why.chars().take(MAX_TOLD).collect()
}

#[cfg(test)]
mod tests;
