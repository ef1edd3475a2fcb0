//! A stranger with the register alone computes every measurement and every ledger again.

use std::net::SocketAddr;

use clause9_collector::known::KnownSystem;
use clause9_shared::baseline::Baseline;
use clause9_shared::canonical;
use clause9_shared::digest::Digest;
use clause9_shared::evidence;
use clause9_shared::evidence::body::{BlockRef, MeasurementBody, Shown, VerdictBody};
use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::metric::{Estimate, Finality, StreamKind, Unmeasurable};
use clause9_shared::objective::Document;
use clause9_shared::sealing::{LEDGER_DOMAIN, measured_block, take_block};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::verdict::VerdictState;
use clause9_shared::window::PaneStart;
use clause9_shared::wire::codec::Decode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::{all, get};
use crate::world::{Agents, Running, WRONG_FROM};

const HOURS: u32 = 60;

pub(crate) struct Register(pub(crate) SocketAddr);

impl Register {
    fn bytes(&self, name: Digest) -> Vec<u8> {
        let answer = get(self.0, &format!("/v1/blobs/{name}"));
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    }

    fn json<T: DeserializeOwned>(&self, name: Digest) -> T {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    fn sum_of(&self, blocks: &[BlockRef]) -> Vec<PaneSummary> {
        let summaries = blocks.iter().map(|b| {
            let record = String::from_utf8(self.bytes(b.block)).unwrap();
            assert_eq!(evidence::digest(&record), b.block);
            let body: Value = serde_json::from_str(&record).unwrap();
            assert_eq!(body["body"]["summary"], b.summary.to_string());
            let summary = PaneSummary::from_bytes(&self.bytes(b.summary)).unwrap();
            assert_eq!(summary.digest(), b.summary);
            summary
        });
        summaries.collect()
    }

    fn system(&self, document: Digest, baseline: Digest) -> KnownSystem {
        let document: Document = self.json(document);
        let baseline: Baseline = self.json(baseline);
        KnownSystem::new(document, baseline).unwrap()
    }

    fn compiled(&self, name: Digest) -> Compiled {
        let compiled: Compiled = self.json(name);
        assert_eq!(compiled.digest(), name);
        compiled
    }

    fn measure(&self, body: &MeasurementBody) -> Result<Estimate, Unmeasurable> {
        let system = self.system(body.document, body.baseline);
        assert_eq!(system.plan.digest(), body.plan);
        let objective = self.compiled(body.compiled).objective;
        measured_block(&system, &objective, self.sum_of(&body.blocks).iter())
    }
}

fn body<T: DeserializeOwned>(item: &Value) -> T {
    serde_json::from_value(item["record"]["body"].clone()).unwrap()
}

fn run() -> Running {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    for h in 0..HOURS {
        for n in [1, 2] {
            let answer = running.post(&agents.hourly(n, h));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    running.wait_sealed(u64::from(HOURS));
    running
}

/// Computes every measurement again, bit by bit; answers how many there are, and how many with a value.
pub(crate) fn measured_again(register: &Register) -> (usize, usize) {
    let measurements = all(register.0, "/v1/measurements?system=loan&limit=1000");
    let mut valued = 0;
    for item in &measurements {
        let body: MeasurementBody = body(item);
        let again = register.measure(&body);
        let bits = again
            .as_ref()
            .ok()
            .map(|e| format!("{:016x}", e.value.to_bits()));
        assert_eq!(bits, body.value.as_ref().map(|v| v.bits.clone()), "{item}");
        let Ok(estimate) = again else { continue };
        valued += 1;
        assert_eq!(estimate.support, body.support);
        assert_eq!(Some(estimate.sample), body.sample);
        let interval = estimate.interval.map(|(l, h)| [l.to_bits(), h.to_bits()]);
        let kept = body
            .interval
            .map(|i| i.map(|x| u64::from_str_radix(&x.bits, 16).unwrap()));
        assert_eq!(interval, kept);
    }
    (measurements.len(), valued)
}

#[test]
fn every_measurement_and_every_ledger_is_computed_again_from_the_register_alone() {
    let running = run();
    let register = Register(running.address);
    let (measurements, valued) = measured_again(&register);
    // Two windows per four hours, then one each of accuracy (with its restatements) and drift.
    assert!(measurements >= 60, "{measurements}");
    assert!(valued >= 55, "{valued}");

    let verdicts = all(running.address, "/v1/verdicts?system=loan&limit=1000");
    assert_eq!(
        verdicts.len(),
        HOURS as usize * 3,
        "one step per pane and objective"
    );
    for item in &verdicts {
        again(&register, item);
    }
}

/// Takes the step of a verdict again.
fn again(register: &Register, item: &Value) {
    let body: VerdictBody = body(item);
    let compiled = register.compiled(body.compiled);
    let refs = item["record"]["header"]["refs"].as_array().unwrap();
    let document = refs.iter().find(|r| r["role"] == "objectives").unwrap();
    let document: Digest = document["digest"].as_str().unwrap().parse().unwrap();
    let baseline = baseline_of(register, document);
    let system = register.system(document, baseline);
    let mut state: LedgerState = register.json(body.ledger_before);
    let sum = register.sum_of(&body.blocks);
    let (_, step) = take_block(&system, &compiled, &mut state, sum.iter());
    assert_eq!(step, body.step);
    let bytes = canonical::to_json(&state).unwrap();
    assert_eq!(Digest::tagged(LEDGER_DOMAIN, bytes.as_bytes()), body.ledger);
    let window = match body.measurement {
        None => Err(Unmeasurable::NoData),
        Some(name) => {
            let record: Value = register.json(name);
            let body = serde_json::from_value(record["body"].clone()).unwrap();
            Shown::of(register.measure(&body)).as_result()
        }
    };
    assert_eq!(compiled.verdict(&state, &window), body.verdict);
}

fn baseline_of(register: &Register, document: Digest) -> Digest {
    let found = all(register.0, "/v1/evidence?type=objectives");
    let records = found.iter().map(|item| {
        let name: Digest = item["digest"].as_str().unwrap().parse().unwrap();
        register.json::<Value>(name)
    });
    let record = records
        .into_iter()
        .find(|r| r["body"]["document"] == document.to_string())
        .unwrap();
    record["body"]["baseline"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn measurements_of_labels_say_how_late_they_came_and_from_when_on_they_are_final() {
    let running = run();
    let register = Register(running.address);
    let (mut finals, mut provisional) = (0, 0);
    for item in &all(running.address, "/v1/measurements?system=loan&limit=1000") {
        let body: MeasurementBody = body(item);
        let Some(labels) = &body.labels else {
            assert_eq!(body.stream, StreamKind::Traffic);
            continue;
        };
        assert_eq!(body.stream, StreamKind::Outcomes);
        assert_eq!(labels.final_from, body.end + Span::from_secs(4 * 3600));
        let rows = body.coverage["rows"].as_u64().unwrap();
        let labelled = body.outcome_coverage["labels"].as_u64().unwrap();
        // The lateness is less than a pane: whoever measured knew of the panes before.
        let known: Timestamp = item["record"]["header"]["created_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let over = PaneStart::of(known, Span::from_secs(3600)).0 >= labels.final_from;
        if over || labelled >= rows {
            assert_eq!(labels.finality, Finality::Final, "{item}");
            finals += 1;
        } else {
            assert_eq!(labels.finality, Finality::Provisional, "{item}");
            provisional += 1;
        }
        if labelled >= rows {
            assert_eq!(labels.half_by, Some(half_by(&register, &body)), "{item}");
        }
    }
    assert!(finals + provisional > 0, "{finals} {provisional}");
}

/// By which age half of the labels came, from the blocks' records alone: from the beginning of the
/// predictions' pane to the end of the one that the labels came in.
fn half_by(register: &Register, body: &MeasurementBody) -> Span {
    let mut ages: Vec<(Span, u64)> = Vec::new();
    for block in &body.blocks {
        let record: Value = register.json(block.block);
        let at =
            |key: &str| -> Timestamp { record["body"][key].as_str().unwrap().parse().unwrap() };
        let age = (at("sealed_with") + Span::from_secs(3600)).since(at("pane"));
        ages.push((age, record["body"]["coverage"]["labels"].as_u64().unwrap()));
    }
    ages.sort();
    let all: u64 = ages.iter().map(|(_, labels)| labels).sum();
    let mut sum = 0;
    for (age, labels) in &ages {
        sum += labels;
        if 2 * sum >= all {
            return *age;
        }
    }
    panic!("no labels")
}

#[test]
fn a_breach_becomes_one_candidate_not_before_it_began_and_others_conform() {
    let running = run();
    let found = all(running.address, "/v1/nonconformities?system=loan");
    assert_eq!(found.len(), 1, "{found:#?}");
    let body = &found[0]["record"]["body"];
    assert_eq!(body["state"], "candidate");
    assert_eq!(body["candidate"]["objective"], "income-missing");
    assert_eq!(body["candidate"]["version"], 2);
    let onset = crate::world::hour(WRONG_FROM).0.to_string();
    assert!(body["detected_at"].as_str().unwrap() > onset.as_str());
    assert!(found[0]["seen_again"].as_u64().unwrap() > 5);
    let objectives = get(running.address, "/v1/systems/loan/objectives").json();
    let states: Vec<_> = objectives["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| {
            (
                o["objective"]["id"].as_str().unwrap().to_owned(),
                o["objective"]["version"].as_u64().unwrap(),
                o["verdict"]["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let state = |id: &str, version| {
        let found = states.iter().find(|s| s.0 == id && s.1 == version);
        found.unwrap().2.clone()
    };
    assert_eq!(
        state("income-missing", 2),
        VerdictState::Nonconforming.as_str()
    );
    assert_eq!(state("accuracy", 1), VerdictState::Conforming.as_str());
    assert_eq!(
        state("income-missing", 1),
        VerdictState::Conforming.as_str()
    );
}
