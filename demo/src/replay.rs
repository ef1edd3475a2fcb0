//! The clients of a case: send a pane's requests, then its late records, then tell the agents the
//! time. What they counted themselves is what the evidence is held against.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::configure::EVENT_TIME;
use crate::oip;
use crate::production::{Known, Production};
use crate::traffic::{Ask, Delivery, Pane, Request};
use crate::world::{Replica, Site};

/// Connections to each replica.
const CONNECTIONS: usize = 3;
/// Late records in one request.
const CHUNK: usize = 2000;
/// How long late records are offered again while the monitor is behind.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    /// Requests that were sent and answered, whatever the answer.
    pub(crate) requests: u64,
    /// Rows in predictions answered with 200.
    pub(crate) rows: u64,
    /// Predictions answered with 200.
    pub(crate) predictions: u64,
    /// Other requests answered with 200.
    pub(crate) other: u64,
    /// Requests answered with an error of the client: unknown model, body cut off.
    pub(crate) mistakes: u64,
    /// Late records that were sent.
    pub(crate) late_records: u64,
}

impl Counted {
    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.rows += other.rows;
        self.predictions += other.predictions;
        self.other += other.other;
        self.mistakes += other.mistakes;
        self.late_records += other.late_records;
    }
}

/// What an agent said became of late records.
#[derive(Clone, Debug, Default, Deserialize)]
struct Receipt {
    malformed: Vec<serde_json::Value>,
    dropped: u64,
}

/// One client connection.
#[derive(Debug)]
struct Client {
    replica: usize,
    lane: usize,
    connection: Connection,
}

/// The clients of a case.
#[derive(Debug)]
pub(crate) struct Clients {
    production: Arc<Production>,
    model: &'static str,
    lanes: Vec<Client>,
    outcomes: Vec<(Connection, String)>,
    admins: Vec<Connection>,
    lateness: clause9_shared::time::Span,
    length: clause9_shared::time::Span,
    /// What was counted, by pane.
    pub(crate) counted: BTreeMap<PaneStart, Counted>,
}

impl Clients {
    /// Clients that open their connections when they first need them.
    pub(crate) fn new(site: &Site, production: Arc<Production>) -> anyhow::Result<Self> {
        let client = |(replica, at): (usize, &Replica)| {
            let listen = at.listen;
            (0..CONNECTIONS).map(move |lane| Client {
                replica,
                lane,
                connection: Connection::to(listen),
            })
        };
        let mut outcomes = Vec::new();
        for replica in &site.replicas {
            let secret = format!("Bearer {}", site.token(replica)?);
            outcomes.push((Connection::to(replica.outcomes), secret));
        }
        let admins = site.replicas.iter().map(|r| Connection::to(r.admin));
        Ok(Self {
            production,
            model: site.case.recipe.name,
            lanes: site.replicas.iter().enumerate().flat_map(client).collect(),
            outcomes,
            admins: admins.collect(),
            lateness: site.document.panes.lateness,
            length: site.document.panes.length,
            counted: BTreeMap::new(),
        })
    }

    /// Replays one pane and closes it.
    pub(crate) async fn replay(&mut self, pane: Arc<Pane>) -> anyhow::Result<()> {
        let mut counted = self.send_requests(&pane).await?;
        counted.late_records = self.send_late_records(&pane.deliveries).await?;
        self.counted.insert(pane.start, counted);
        self.tell_time(pane.start.end(self.length) + self.lateness)
            .await
    }

    async fn send_requests(&mut self, pane: &Arc<Pane>) -> anyhow::Result<Counted> {
        let mut tasks = JoinSet::new();
        for mut client in self.lanes.drain(..) {
            let (pane, production) = (Arc::clone(pane), Arc::clone(&self.production));
            let model = self.model;
            tasks.spawn(async move {
                let counted = client.send(&pane.requests, &production, model).await;
                counted.map(|counted| (client, counted))
            });
        }
        let mut total = Counted::default();
        while let Some(done) = tasks.join_next().await {
            let (client, counted) = done??;
            total.add(&counted);
            self.lanes.push(client);
        }
        Ok(total)
    }

    async fn send_late_records(&mut self, deliveries: &[Delivery]) -> anyhow::Result<u64> {
        let mut sent = 0;
        for (replica, (connection, secret)) in self.outcomes.iter_mut().enumerate() {
            let own: Vec<&Delivery> = deliveries.iter().filter(|d| d.replica == replica).collect();
            for chunk in own.chunks(CHUNK) {
                post_late_records(connection, secret, chunk).await?;
                sent += chunk.len() as u64;
            }
        }
        Ok(sent)
    }

    /// Sets the agents' clock; they answer when every pane that ends by then is closed.
    async fn tell_time(&mut self, now: Timestamp) -> anyhow::Result<()> {
        for admin in &mut self.admins {
            let body = json!({ "now": now }).to_string().into_bytes();
            let answer = admin.post("/replay/clock", &[], body).await?;
            answer
                .json::<serde_json::Value>()
                .context("an agent did not take the time")?;
        }
        Ok(())
    }
}

impl Client {
    /// Sends this connection's share of a pane's requests, one after the other.
    async fn send(
        &mut self,
        requests: &[Request],
        production: &Production,
        model: &str,
    ) -> anyhow::Result<Counted> {
        let mut counted = Counted::default();
        let (replica, lane) = (self.replica, self.lane);
        let own = requests.iter().filter(|r| r.replica == replica);
        for request in own.skip(lane).step_by(CONNECTIONS) {
            let status = self.send_one(request, production, model).await?;
            counted.requests += 1;
            match (&request.ask, status) {
                (Ask::Predict(rows), 200) => {
                    counted.predictions += 1;
                    counted.rows += rows.len() as u64;
                }
                (Ask::Health | Ask::Metadata, 200) => counted.other += 1,
                (Ask::UnknownModel(_), 404) | (Ask::CutOff(_), 400) => counted.mistakes += 1,
                (ask, status) => anyhow::bail!(
                    "request {} ({ask:?}) was answered with status {status}",
                    request.id
                ),
            }
        }
        Ok(counted)
    }

    async fn send_one(
        &mut self,
        request: &Request,
        production: &Production,
        model: &str,
    ) -> anyhow::Result<u16> {
        let at = request.at.to_string();
        let headers = [(EVENT_TIME, at.as_str()), ("x-request-id", &request.id)];
        let body = |rows| oip::body(&request.id, &production.columns, &production.rows, rows);
        let infer = format!("/v2/models/{model}/infer");
        let connection = &mut self.connection;
        let answer = match &request.ask {
            Ask::Predict(rows) => connection.post(&infer, &headers, body(rows)).await,
            Ask::UnknownModel(rows) => {
                let path = format!("/v2/models/{model}-old/infer");
                connection.post(&path, &headers, body(rows)).await
            }
            Ask::CutOff(rows) => {
                let mut body = body(rows);
                body.truncate(body.len() / 2);
                connection.post(&infer, &headers, body).await
            }
            Ask::Health => connection.get("/v2/health/ready", &headers).await,
            Ask::Metadata => {
                let path = format!("/v2/models/{model}");
                connection.get(&path, &headers).await
            }
        };
        Ok(answer?.status)
    }
}

async fn post_late_records(
    connection: &mut Connection,
    secret: &str,
    chunk: &[&Delivery],
) -> anyhow::Result<()> {
    let mut body = Vec::new();
    for delivery in chunk {
        serde_json::to_writer(&mut body, &as_json(delivery))?;
        body.push(b'\n');
    }
    let headers = [
        ("authorization", secret),
        ("content-type", "application/x-ndjson"),
    ];
    let began = Instant::now();
    loop {
        let answer = connection.post("/outcomes", &headers, body.clone()).await?;
        if answer.status == 429 && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let receipt: Receipt = answer.json().context("late records were not taken")?;
        ensure!(
            receipt.malformed.is_empty() && receipt.dropped == 0,
            "an agent did not take all late records: {receipt:?}"
        );
        return Ok(());
    }
}

fn as_json(delivery: &Delivery) -> serde_json::Value {
    let mut record = json!({
        "request_id": delivery.request,
        "row": delivery.row,
        "available_at": delivery.late.available_at,
    });
    match &delivery.late.known {
        Known::Label(label) => record["label"] = json!(u8::from(*label)),
        Known::Attribute(name, value) => record["attributes"] = json!({ *name: value }),
    }
    record
}
