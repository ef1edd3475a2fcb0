//! The thread that asks witnesses for cosignatures (C2SP tlog-witness). Each remembers what it saw of the log; one that saw more,
//! or something else, is how a register that was set back or rewritten is found out. Shell; a witness that is away keeps nobody
//! waiting.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::evidence::merkle;
use clause9_shared::evidence::note::VerifierKey;
use clause9_shared::evidence::tiles::Tiled;
use clause9_shared::evidence::witness::{AddCheckpoint, believed};
use futures_util::future::join_all;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::{Notify, oneshot};

use crate::collect::Inbox;
use crate::store::{CheckpointRow, ReadStore, Readers, StoreError};
use crate::telemetry::Telemetry;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long its connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 1 << 16;

/// A witness, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct WitnessAt {
    /// The key by which its cosignatures are verified; its name is the witness's.
    pub(crate) key: VerifierKey,
    /// What `add-checkpoint` stands behind; ends in a slash.
    pub(crate) url: Url,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It cosigned.
    Cosigned,
    /// It was away, or answered with nothing that is of use.
    Failed,
    /// It saw more records of this log than there are: the register was set back.
    Ahead,
    /// It saw others: the register was rewritten.
    Contradicted,
}

impl Asked {
    /// Everything that may come of it.
    pub(crate) const ALL: [Self; 4] = [
        Self::Cosigned,
        Self::Failed,
        Self::Ahead,
        Self::Contradicted,
    ];

    /// The word used in telemetry.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cosigned => "cosigned",
            Self::Failed => "failed",
            Self::Ahead => "ahead",
            Self::Contradicted => "contradicted",
        }
    }
}

/// The thread, while it runs.
#[derive(Debug)]
pub(crate) struct Witnesses {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What it works with.
pub(crate) struct Asking {
    pub(crate) witnesses: Vec<WitnessAt>,
    pub(crate) readers: Readers,
    pub(crate) inbox: Inbox,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) every: Duration,
    /// Tells of a new checkpoint.
    pub(crate) news: Arc<Notify>,
}

/// What is remembered of one.
struct Remembered {
    at: WitnessAt,
    /// The newest size that it is known to know.
    knows: u64,
    /// The newest size of ours that it cosigned.
    cosigned: u64,
}

impl Witnesses {
    /// Asks now, and from time to time. None without witnesses.
    pub(crate) fn start(asking: Asking) -> anyhow::Result<Option<Self>> {
        if asking.witnesses.is_empty() {
            return Ok(None);
        }
        let client = client()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("witnesses".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = asking.rounds(&client) => {}
                        _ = ended => {}
                    }
                });
                // A name that is looked up is waited for by nobody.
                runtime.shutdown_background();
            })?;
        Ok(Some(Self { end, thread }))
    }

    /// Asks no more, and waits for no answer.
    pub(crate) fn end(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that asks witnesses panicked");
        }
    }
}

fn newest(read: &ReadStore<'_>) -> Result<Option<CheckpointRow>, StoreError> {
    read.last_checkpoint()
}

/// Without proxies and redirections: a witness is who is configured.
fn client() -> anyhow::Result<Client> {
    // An error means that a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("clause9-collector/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .build()?;
    Ok(client)
}

impl Asking {
    /// Asks all of them, again and again.
    async fn rounds(&self, client: &Client) {
        let remembered = |at: &WitnessAt| Remembered {
            at: at.clone(),
            knows: 0,
            cosigned: 0,
        };
        let mut all: Vec<_> = self.witnesses.iter().map(remembered).collect();
        for witness in &all {
            self.telemetry.log.know(witness.at.key.name().as_str());
        }
        loop {
            // At once: one that is away delays none of the others.
            join_all(
                all.iter_mut()
                    .map(|witness| self.ask_and_tell(client, witness)),
            )
            .await;
            tokio::select! {
                () = self.news.notified() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    async fn ask_and_tell(&self, client: &Client, witness: &mut Remembered) {
        let name = witness.at.key.name().to_string();
        let asked = self.ask(client, witness).await.unwrap_or_else(|error| {
            tracing::warn!(
                witness = name,
                error = format!("{error:#}"),
                "the witness did not cosign"
            );
            Some(Asked::Failed)
        });
        if let Some(asked) = asked {
            self.telemetry
                .log
                .count_asked(&name, asked, witness.cosigned);
        }
    }

    /// Asks one, unless it has cosigned what there is.
    async fn ask(
        &self,
        client: &Client,
        witness: &mut Remembered,
    ) -> anyhow::Result<Option<Asked>> {
        let Some(row) = self.readers.read(newest)? else {
            return Ok(None);
        };
        let size = row.checkpoint.size;
        if witness.cosigned >= size {
            return Ok(None);
        }
        // Once more if it knows another size than was thought.
        for _ in 0..2 {
            let (status, answer) = self.send(client, witness, &row).await?;
            match status {
                StatusCode::OK => {
                    let line = believed(&answer, &row.note, &witness.at.key)
                        .context("it answered without a cosignature by its key")?;
                    let kept = self.inbox.write(move |to, _| to.cosign(size, &line));
                    kept.await.context("the register's thread has ended")??;
                    (witness.knows, witness.cosigned) = (size, size);
                    return Ok(Some(Asked::Cosigned));
                }
                StatusCode::CONFLICT => {
                    let knows: u64 = answer
                        .trim_end()
                        .parse()
                        .context("it does not say which size it knows")?;
                    // Somebody may have shown it one that was signed in the meantime.
                    let by_now = self
                        .readers
                        .read(newest)?
                        .map_or(0, |row| row.checkpoint.size);
                    if knows > by_now {
                        tracing::error!(
                            witness = %witness.at.key.name(), knows, size,
                            "a witness saw more records of this log than there are: the register was set back"
                        );
                        return Ok(Some(Asked::Ahead));
                    }
                    anyhow::ensure!(
                        knows != witness.knows,
                        "it contradicts itself about the size that it knows"
                    );
                    witness.knows = knows;
                }
                StatusCode::UNPROCESSABLE_ENTITY => {
                    tracing::error!(
                        witness = %witness.at.key.name(), size,
                        "a witness saw other records of this log: the register was rewritten, or is another one"
                    );
                    return Ok(Some(Asked::Contradicted));
                }
                other => anyhow::bail!(
                    "it answered {other}: {}",
                    answer.chars().take(200).collect::<String>()
                ),
            }
        }
        anyhow::bail!("it knows another size each time")
    }

    async fn send(
        &self,
        client: &Client,
        witness: &Remembered,
        newest: &CheckpointRow,
    ) -> anyhow::Result<(StatusCode, String)> {
        let (old, size) = (witness.knows, newest.checkpoint.size);
        let proof = self
            .readers
            .read(|read| merkle::consistency(&Tiled::new(read, size), old, size))?;
        let request = AddCheckpoint {
            old,
            proof: proof.unwrap_or_default(),
            note: newest.note.clone(),
        };
        let url = witness.at.url.join("add-checkpoint")?;
        let mut response = client.post(url).body(request.to_string()).send().await?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            answer.extend_from_slice(&chunk);
            anyhow::ensure!(
                answer.len() <= MAX_ANSWER,
                "it answered with more than {MAX_ANSWER} bytes"
            );
        }
        Ok((status, String::from_utf8(answer)?))
    }
}
