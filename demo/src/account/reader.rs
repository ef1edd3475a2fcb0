//! Reads the collector's API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;
use serde_json::{Value, json};

use super::onset::{self, Step};
use super::{
    Account, Batches, Compared, Measurement, Nonconformity, Onset, PaneSeen, Register, Restart,
    Standing, Subject, Timings,
};
use crate::client::Connection;
use crate::production::Production;
use crate::replay::Counted;
use crate::world::Site;

/// How long the last pane may take to be sealed after everything was sent.
const SEALING: Duration = Duration::from_mins(1);
/// Items asked for at a time.
const PAGE: usize = 1000;
/// Examples of missing measurements.
const EXAMPLES: usize = 5;

/// A reader of one system's part of the register.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Connection,
    subject: Subject,
}

/// A record as a list shows it.
#[derive(Debug)]
struct Listed {
    leaf: u64,
    digest: String,
    record: Value,
    item: Value,
}

/// A text in JSON; empty if it is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    let text = value.as_str().context("a point in time is missing")?;
    Ok(text.parse()?)
}

/// An integer, or its decimal text beyond 2^53.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl Reader {
    /// A reader that connects when it is first used.
    pub(crate) fn new(collector: SocketAddr, site: &Site) -> Self {
        Self {
            connection: Connection::to(collector),
            subject: Subject {
                case: site.case.name,
                pane: site.document.panes.length,
                model: site.quality(),
            },
        }
    }

    /// Every item of a list.
    async fn list(&mut self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let mut page: Value = self
                .connection
                .json(&format!("{path}{join}limit={PAGE}{after}"))
                .await?;
            let Some(found) = page["items"].as_array_mut() else {
                anyhow::bail!("GET {path} answered no list");
            };
            items.append(found);
            let next = &page["next"];
            if next.is_null() {
                return Ok(items);
            }
            after = match next.as_str() {
                Some(text) => format!("&after={text}"),
                None => format!("&after={next}"),
            };
        }
    }

    async fn records(&mut self, kind: &str, objective: &str) -> anyhow::Result<Vec<Listed>> {
        let case = self.subject.case;
        let path = format!("/v1/{kind}?system={case}&objective={objective}");
        let listed = |item: Value| Listed {
            leaf: item["leaf"].as_u64().unwrap_or(0),
            digest: text(&item["digest"]),
            record: item["record"].clone(),
            item,
        };
        Ok(self.list(&path).await?.into_iter().map(listed).collect())
    }

    /// Waits until every pane that ends by `end` is sealed.
    pub(crate) async fn wait_until_sealed(&mut self, end: Timestamp) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let path = format!("/v1/systems/{}", self.subject.case);
            let system: Value = self.connection.json(&path).await?;
            let until = time(&system["sealed_until"]).ok();
            if until.is_some_and(|until| until >= end) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < SEALING,
                "the collector sealed only up to {until:?}, not to {end}; look into the agents' logs"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The register's index.
    pub(crate) async fn register(&mut self) -> anyhow::Result<Register> {
        let entry = |item: &Value| {
            let leaf = item["leaf"].as_u64().unwrap_or(u64::MAX);
            (leaf, text(&item["digest"]), text(&item["type"]))
        };
        let items = self.list("/v1/evidence").await?;
        Ok(Register(items.iter().map(entry).collect()))
    }

    /// Holds the register against what it was before a kill.
    pub(crate) async fn compare(&mut self, before: &Register) -> anyhow::Result<Restart> {
        Ok(self.register().await?.compare(before))
    }

    /// Reads everything that is told of the case.
    pub(crate) async fn account(
        &mut self,
        production: &Production,
        counted: &BTreeMap<PaneStart, Counted>,
    ) -> anyhow::Result<Account> {
        let case = self.subject.case;
        let panes = self.list(&format!("/v1/systems/{case}/panes")).await?;
        let (windows, coverage) = compare_counts(&panes, counted)?;
        let path = format!("/v1/systems/{case}/objectives");
        let objectives: Value = self.connection.json(&path).await?;
        let (mut verdicts, mut measurements) = (Vec::new(), Vec::new());
        let (mut nonconformities, mut measurement_records) = (Vec::new(), 0);
        for item in objectives["items"].as_array().into_iter().flatten() {
            let id = text(&item["objective"]["id"]);
            let history = self.records("verdicts", &id).await?;
            let records = self.records("measurements", &id).await?;
            measurement_records += records.len();
            let own = last_values(&records, None)?;
            let standing = standing(item, &history, &own, self.subject.pane)?;
            for raised in self.records("nonconformities", &id).await? {
                nonconformities.push(nonconformity(
                    &raised, &history, &records, &standing, production,
                )?);
            }
            verdicts.push(standing);
            measurements.extend(own);
        }
        let missing: Value = self
            .connection
            .json(&format!("/v1/missing?system={case}&limit={EXAMPLES}"))
            .await?;
        Ok(Account {
            case,
            model: self.subject.model,
            rows: production.rows.len(),
            drift_at: production.drift_at,
            coverage,
            outcome_coverage: sum(panes.iter().map(|p| &p["outcome_coverage"])),
            windows,
            measurements,
            measurement_records,
            verdicts,
            nonconformities,
            missing: missing["missing"]
                .as_u64()
                .context("GET /v1/missing told no number")?,
            missing_examples: missing["items"].as_array().cloned().unwrap_or_default(),
            batches: self.batches().await?,
            restart: None,
            timings: Timings::default(),
        })
    }

    async fn batches(&mut self) -> anyhow::Result<Batches> {
        let path = format!("/v1/evidence?type=batch&system={}", self.subject.case);
        let mut all = Vec::new();
        for item in self.list(&path).await? {
            let path = format!("/v1/evidence/{}", text(&item["digest"]));
            let record: Value = self.connection.json(&path).await?;
            let body = &record["body"];
            let sequence = integer(&body["sequence"]).and_then(|s| u64::try_from(s).ok());
            let sequence = sequence.context("a batch record has no sequence number")?;
            all.push((text(&body["agent"]), body["boot"].to_string(), sequence));
        }
        Ok(Batches::of(&all))
    }
}

/// Sums objects of counts, nested ones too.
fn sum<'a>(all: impl Iterator<Item = &'a Value>) -> Value {
    fn add(into: &mut Value, other: &Value) {
        match other {
            Value::Object(fields) => {
                for (name, value) in fields {
                    add(&mut into[name.as_str()], value);
                }
            }
            Value::Number(n) => {
                let sum = into.as_u64().unwrap_or(0) + n.as_u64().unwrap_or(0);
                *into = sum.into();
            }
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
    let mut total = json!({});
    for one in all {
        add(&mut total, one);
    }
    total
}

/// Sum of an object's numbers, or the number itself.
fn whole(value: &Value) -> u64 {
    match value.as_object() {
        Some(parts) => parts.values().map(whole).sum(),
        None => value.as_u64().unwrap_or(0),
    }
}

fn compare_counts(
    panes: &[Value],
    counted: &BTreeMap<PaneStart, Counted>,
) -> anyhow::Result<(Vec<PaneSeen>, Compared)> {
    let mut client = Counted::default();
    for one in counted.values() {
        client.add(one);
    }
    let mut windows = Vec::new();
    let mut adds_up = true;
    for pane in panes {
        let coverage = &pane["coverage"];
        let parts = [
            "sampled",
            "sampled_out",
            "not_inference",
            "dropped",
            "undecodable",
        ];
        let accounted: u64 = parts.iter().map(|part| whole(&coverage[*part])).sum();
        let seen = coverage["seen"].as_u64().context("a pane has no count")?;
        adds_up &= seen == accounted;
        let start = PaneStart(time(&pane["start"])?);
        let own = counted.get(&start).cloned().unwrap_or_default();
        windows.push(PaneSeen {
            start,
            seen,
            client: own.requests,
            late_records: own.late_records,
        });
    }
    let all_sealed = counted
        .keys()
        .all(|start| windows.iter().any(|w| w.start == *start));
    Ok((
        windows.clone(),
        Compared {
            client,
            collector: sum(panes.iter().map(|p| &p["coverage"])),
            adds_up,
            equals_client: all_sealed && windows.iter().all(|w| w.seen == w.client),
        },
    ))
}

/// The newest record of every window, in order of windows; of the records before a leaf of the
/// register, if one is given.
fn last_values(records: &[Listed], before: Option<u64>) -> anyhow::Result<Vec<Measurement>> {
    let mut last = BTreeMap::new();
    let known = |r: &&Listed| before.is_none_or(|leaf| r.leaf < leaf);
    for listed in records.iter().filter(known) {
        let body = &listed.record["body"];
        let start = time(&body["start"])?;
        let measurement = Measurement {
            objective: text(&body["objective"]),
            start,
            end: time(&body["end"])?,
            status: text(&body["status"]),
            value: body["value"]["value"].as_f64(),
            support: body["support"].as_u64().unwrap_or(0),
        };
        last.insert(start, measurement);
    }
    Ok(last.into_values().collect())
}

/// Nats from the register's integers, which count 2^-32 nats. Before the first bet there is no
/// evidence; the register then holds the smallest integer it knows.
fn nats(value: &Value) -> Option<f64> {
    const NONE_YET: f64 = -1e6;
    let nats = integer(value)? as f64 / f64::from(1 << 16) / f64::from(1 << 16);
    (nats > NONE_YET).then_some(nats)
}

fn standing(
    item: &Value,
    history: &[Listed],
    own: &[Measurement],
    pane: Span,
) -> anyhow::Result<Standing> {
    let objective = &item["objective"];
    let mut states_seen = BTreeMap::new();
    for listed in history {
        let state = text(&listed.record["body"]["verdict"]["state"]);
        *states_seen.entry(state).or_default() += 1;
    }
    let body = |listed: &Listed| listed.record["body"].clone();
    let judged = history
        .iter()
        .rfind(|v| v.record["body"]["step"]["taken"] != "empty")
        .map(body);
    let last = history.last().map(body).unwrap_or_default();
    let verdict = judged.as_ref().unwrap_or(&last)["verdict"].clone();
    let part = |name: &str| verdict["running"][name].as_f64();
    let running = part("mean").zip(part("low")).zip(part("high"));
    let state = |verdict: &Value| verdict["state"].as_str().unwrap_or("no_verdict").to_owned();
    let judged_until = judged
        .as_ref()
        .map(|j| time(&j["sealed_with"]))
        .transpose()?;
    Ok(Standing {
        objective: text(&objective["id"]),
        statement: text(&objective["statement"]),
        metric: text(&objective["metric"]),
        comparator: text(&objective["comparator"]),
        action: objective["levels"]["action"]
            .as_f64()
            .context("an objective has no action level")?,
        state: state(&verdict),
        judged_until: judged_until.map(|start| start + pane),
        because: text(&verdict["because"]),
        state_at_end: state(&last["verdict"]),
        newest: own.iter().rfind(|m| m.status == "measured").cloned(),
        running: running.map(|((mean, low), high)| [mean, low, high]),
        evidence_nats: nats(&verdict["evidence"]),
        nonconformity_at_nats: nats(&verdict["nonconformity_at"])
            .context("a verdict has no threshold")?,
        support: verdict["support"].as_u64().unwrap_or(0),
        states_seen,
        steps: judged.map_or_else(|| Ok(BTreeMap::new()), |j| steps_of(history, &j["epoch"]))?,
    })
}

/// The pane of each step of a ledger's epoch, by the step's number.
fn steps_of(history: &[Listed], epoch: &Value) -> anyhow::Result<BTreeMap<u64, PaneStart>> {
    let mut steps = BTreeMap::new();
    for body in history.iter().map(|v| &v.record["body"]) {
        if let (true, Some(n)) = (&body["epoch"] == epoch, body["verdict"]["blocks"].as_u64()) {
            steps.insert(n, PaneStart(time(&body["sealed_with"])?));
        }
    }
    Ok(steps)
}

fn nonconformity(
    raised: &Listed,
    history: &[Listed],
    records: &[Listed],
    standing: &Standing,
    production: &Production,
) -> anyhow::Result<Nonconformity> {
    let body = &raised.record["body"];
    let until = history
        .iter()
        .position(|v| json!(v.digest) == body["verdict"]);
    let until = until.context("a nonconformity rests on a verdict that is not listed")?;
    let steps: Vec<Step> = history[..=until]
        .iter()
        .map(step)
        .collect::<Result<_, _>>()?;
    // What came in after the verdict did not lead to it.
    let measured = last_values(records, Some(history[until].leaf))?;
    let onset = onset::evidence_since(&steps)
        .and_then(|since| onset(since, &measured, standing, production));
    Ok(Nonconformity {
        objective: standing.objective.clone(),
        record: raised.digest.clone(),
        detected_at: time(&body["detected_at"])?,
        because: text(&body["candidate"]["what"]),
        seen_again: raised.item["seen_again"].as_u64().unwrap_or(0),
        onset,
    })
}

fn step(verdict: &Listed) -> anyhow::Result<Step> {
    let body = &verdict.record["body"];
    let gains = body["step"]["gains"].as_array();
    Ok(Step {
        sealed_with: PaneStart(time(&body["sealed_with"])?),
        epoch: body["epoch"].as_u64().unwrap_or(0),
        gains: gains.into_iter().flatten().filter_map(integer).collect(),
    })
}

fn onset(
    evidence_since: PaneStart,
    measured: &[Measurement],
    standing: &Standing,
    production: &Production,
) -> Option<Onset> {
    let beyond = |m: &Measurement| {
        let value = m.value.filter(|_| m.status == "measured")?;
        Some(if standing.comparator == "at_most" {
            value > standing.action
        } else {
            value < standing.action
        })
    };
    let breaching: Vec<Option<bool>> = measured.iter().map(beyond).collect();
    let window = &measured[onset::run_start(&breaching)?];
    let row_at = |at: Timestamp| production.rows.partition_point(|row| row.at < at);
    let (first_row, last_row) = (row_at(window.start), row_at(window.end).saturating_sub(1));
    let change = production.drift_at;
    Some(Onset {
        evidence_since,
        window_start: window.start,
        window_end: window.end,
        value: window.value?,
        first_row,
        last_row,
        before_change: change.map(|change| last_row < change),
        contains_change: change.map(|change| first_row < change && change <= last_row),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(leaf: u64, start: &str, value: f64) -> Listed {
        Listed {
            leaf,
            digest: String::new(),
            record: json!({ "body": {
                "objective": "accuracy", "status": "measured", "value": { "value": value },
                "start": start, "end": "2026-02-01T00:00:00Z",
            } }),
            item: Value::Null,
        }
    }

    #[test]
    fn what_came_after_a_verdict_is_no_part_of_what_led_to_it() {
        let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let records = [
            measured(3, first, 0.8),
            measured(7, first, 0.9),
            measured(8, second, 0.7),
        ];
        let values = |before| {
            let last = last_values(&records, before).unwrap();
            last.iter().map(|m| m.value.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(values(None), [0.9, 0.7]);
        assert_eq!(values(Some(8)), [0.9]);
        assert_eq!(values(Some(5)), [0.8]);
        assert!(values(Some(3)).is_empty());
    }
}
