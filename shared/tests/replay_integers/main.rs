//! Ledgers replayed by a program that shares nothing with the one that judges but the hash: integers
//! alone, from the binary summaries, the same to the bit. T8.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test that hands files to another program"
)]

mod every;

use std::fs;
use std::path::Path;
use std::process::Command;

use clause9_shared::baseline::Baseline;
use clause9_shared::canonical;
use clause9_shared::digest::Digest;
use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::metric::Seen;
use clause9_shared::objective::document::{Document, Objective};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::{
    Categories, Confusion, CutCounts, Hygiene, PaneSummary, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::wire::codec::Encode as _;
use serde_json::{Value, json};

const BLOCKS: u64 = 24;

fn document() -> Document {
    let objective = |id: &str, metric: &str, of: &Value, comparator: &str, levels: &Value| {
        json!({
            "id": id, "version": 1, "statement": "As at approval.", "policy": "4.1",
            "metric": metric, "of": of, "comparator": comparator, "levels": levels,
            "window": "1d", "min_support": 20, "evaluate_every": "7d", "owner": "head",
            "approver": "committee", "effective_from": "2026-01-01T00:00:00Z", "references": []
        })
    };
    let mut objectives = vec![
        objective(
            "age-drift",
            "psi",
            &json!({ "feature": "age" }),
            "at_most",
            &json!({ "action": 0.1, "alert": 0.05 }),
        ),
        objective(
            "job-drift",
            "psi",
            &json!({ "feature": "job" }),
            "at_most",
            &json!({ "action": 0.1 }),
        ),
        objective(
            "age-missing",
            "missing_rate",
            &json!({ "feature": "age" }),
            "at_most",
            &json!({ "action": 0.02, "alert": 0.01 }),
        ),
        objective(
            "accuracy",
            "accuracy",
            &json!({}),
            "at_least",
            &json!({ "action": 0.85 }),
        ),
        objective(
            "parity",
            "demographic_parity_ratio",
            &json!({ "attribute": "sex", "group": "female" }),
            "at_least",
            &json!({ "action": 0.8 }),
        ),
    ];
    objectives[0]["cluster"] = json!(3);
    let assuming = assuming(&objectives[3]);
    objectives.extend(assuming);
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "loan", "name": "Loans", "intended_purpose": "Advice.", "owner": "head",
            "role": "user", "models": [{ "name": "loan", "source": "own" }]
        },
        "panes": { "length": "1d" },
        "features": [
            { "name": "age", "type": "numeric", "unit": "a", "from": { "input": "age" } },
            { "name": "job", "type": "categorical", "from": { "input": "job" } }
        ],
        "outputs": {
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "approved" },
            "label": { "positive": 1, "negative": 0 }
        },
        "attributes": [{
            "name": "sex", "from": "outcome", "groups": ["male", "female"], "reference": "male"
        }],
        "objectives": objectives
    }))
    .unwrap()
}

/// An objective with the worst, and with something less, assumed of cases without a label.
fn assuming(objective: &Value) -> Vec<Value> {
    let modes = [
        ("accuracy-worst", json!("worst_case")),
        ("accuracy-shifted", json!({ "sensitivity": 2 })),
    ];
    let each = modes.map(|(id, labels)| {
        let mut assuming = objective.clone();
        assuming["id"] = json!(id);
        assuming["levels"] = json!({ "action": 0.85, "alert": 0.88 });
        assuming["labels"] = labels;
        assuming
    });
    each.to_vec()
}

fn baseline() -> Baseline {
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "loan",
        "source": { "name": "reference.csv", "digest": Digest::of(b"reference") },
        "rows": 10000,
        "features": {
            "age": {
                "kind": "numeric", "center": 40.0, "scale_exponent": 4,
                "cuts": [30.0, 40.0, 50.0], "counts": [2500, 2500, 2500, 2500],
                "missing": 0, "invalid": 0
            },
            "job": {
                "kind": "categorical", "categories": ["clerk", "miner", "nurse"],
                "counts": [5000, 1000, 4000], "other": 0, "missing": 0
            }
        }
    }))
    .unwrap()
}

/// A block: both streams in one, as the sum of blocks is judged. From the twelfth on all goes wrong.
fn pane(plan: &CapturePlan, block: u64) -> PaneSummary {
    let mut entries = Vec::new();
    let wrong = block >= 12;
    let all = plan.empty_traffic();
    let later = plan.empty_outcomes();
    for (key, summary) in all.iter().chain(later.iter()) {
        let mut summary = summary.clone();
        // Some cases have no label.
        let rows = if key.of == SummaryOf::Decision(None) {
            430
        } else {
            400
        };
        for row in 0_u64..rows {
            let chance = (row * 7919 + block * 104_729) % 1000;
            let age = if wrong {
                45 + chance % 10
            } else {
                25 + 10 * (chance % 4)
            };
            let missing = chance < if wrong { 60 } else { 5 };
            match &key.of {
                SummaryOf::Feature(name) if name.as_str() == "age" => {
                    if let Some(cuts) = CutCounts::of_mut(&mut summary)
                        && !missing
                    {
                        cuts.add(age as f64);
                    }
                    if let Some(hygiene) = Hygiene::of_mut(&mut summary) {
                        if missing {
                            hygiene.add_missing();
                        } else {
                            hygiene.add_usable(false, false);
                        }
                    }
                }
                SummaryOf::Feature(_) => {
                    if let Some(jobs) = Categories::of_mut(&mut summary) {
                        jobs.add(Some(
                            usize::from(chance >= 500) + usize::from(chance >= 600),
                        ));
                    }
                }
                _ => {
                    let female = chance.is_multiple_of(3);
                    let right = chance % 100 < if wrong { 70 } else { 90 };
                    let approved = if wrong && female {
                        chance.is_multiple_of(5)
                    } else {
                        chance.is_multiple_of(2)
                    };
                    if let Some(table) = Confusion::of_mut(&mut summary) {
                        table.add(
                            Some(approved == right),
                            Some(approved),
                            Some(u8::from(female)),
                        );
                    }
                }
            }
        }
        entries.push((key.clone(), summary));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|a, b| a.0 == b.0);
    PaneSummary::new(entries)
}

struct Register<'a> {
    folder: &'a Path,
    items: Vec<Value>,
}

impl Register<'_> {
    fn keep(&self, name: Digest, bytes: &[u8]) -> Digest {
        let file = name.to_string().replace(':', "-");
        fs::write(self.folder.join("blobs").join(file), bytes).unwrap();
        name
    }
}

/// Judges all blocks and writes what a register would hold.
fn judge(folder: &Path) {
    fs::create_dir_all(folder.join("blobs")).unwrap();
    let mut register = Register {
        folder,
        items: Vec::new(),
    };
    let (document, baseline) = (document(), baseline());
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    let text = canonical::to_json(&document).unwrap();
    let document_name = register.keep(Digest::of(text.as_bytes()), text.as_bytes());
    for objective in &document.objectives {
        one(
            &mut register,
            objective,
            &document,
            &baseline,
            &plan,
            document_name,
        );
    }
    let verdicts = json!({ "items": register.items });
    fs::write(folder.join("verdicts.json"), verdicts.to_string()).unwrap();
}

fn one(
    register: &mut Register<'_>,
    objective: &Objective,
    document: &Document,
    baseline: &Baseline,
    plan: &CapturePlan,
    document_name: Digest,
) {
    let summaries = (0..BLOCKS).map(|block| {
        // Two blocks at once now and then, as when a late one comes with the next seal.
        let mut summaries = vec![pane(plan, block)];
        if block % 5 == 4 {
            summaries.push(pane(plan, block + 100 * u64::from(block < 12)));
        }
        summaries
    });
    let state = record(
        register,
        objective,
        (document, baseline),
        document_name,
        summaries,
    );
    let confirmed = state.confirmed_at;
    let expected = objective.id.as_str() != "job-drift";
    assert_eq!(
        confirmed.is_some(),
        expected,
        "{}: {confirmed:?}",
        objective.id
    );
}

/// Judges blocks, each of some summaries, and keeps what a register keeps of them.
fn record(
    register: &mut Register<'_>,
    objective: &Objective,
    (document, baseline): (&Document, &Baseline),
    document_name: Digest,
    blocks: impl Iterator<Item = Vec<PaneSummary>>,
) -> LedgerState {
    let compiled = Compiled::new(document, objective, baseline).unwrap();
    let text = canonical::to_json(&compiled).unwrap();
    let compiled_name = register.keep(compiled.digest(), text.as_bytes());
    let mut state = compiled.start();
    let kept = |register: &mut Register<'_>, state: &LedgerState| {
        let text = canonical::to_json(state).unwrap();
        let name = Digest::tagged("clause9/ledger-state/v1", text.as_bytes());
        register.keep(name, text.as_bytes())
    };
    for summaries in blocks {
        let before = kept(register, &state);
        let mut sum = summaries[0].clone();
        for other in &summaries[1..] {
            sum.merge(other).unwrap();
        }
        let names: Vec<Value> = summaries
            .iter()
            .map(|s| json!({ "summary": register.keep(s.digest(), &s.to_bytes()) }))
            .collect();
        let seen = Seen {
            document,
            baseline,
            of: &objective.of,
            summary: &sum,
            beside: clause9_shared::metric::Beside {
                // Both streams are in one.
                traffic: Some(&sum),
                ..clause9_shared::metric::Beside::default()
            },
        };
        let (_, step) = compiled.take(&mut state, seen);
        let after = kept(register, &state);
        register.items.push(json!({ "record": {
            "header": { "refs": [{ "role": "objectives", "digest": document_name }] },
            "body": {
                "objective": objective.id, "compiled": compiled_name, "blocks": names,
                "step": step, "ledger_before": before, "ledger": after,
            }
        }}));
    }
    state
}

/// What the script says; nothing only where a missing Python was to be skipped.
fn replay(folder: &Path) -> Option<(bool, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/replay/replay.py");
    let done = match Command::new("python3").arg(script).arg(folder).output() {
        Ok(done) => done,
        Err(_) if std::env::var("CLAUSE9_SKIP_MISSING_TOOLS").is_ok_and(|v| v == "1") => {
            return None;
        }
        Err(error) => panic!("python3 cannot be run: {error}"),
    };
    let said =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    Some((done.status.success(), said))
}

#[test]
fn t8_ledgers_are_replayed_to_the_bit_with_integers_alone() {
    let folder = tempfile::tempdir().unwrap();
    judge(folder.path());
    let Some((well, said)) = replay(folder.path()) else {
        return;
    };
    assert!(well, "{said}");
    assert_eq!(said, "168 steps, 168 of them from the counts, 0 differ\n");
}

#[test]
fn t8_a_payoff_that_is_off_by_one_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    judge(folder.path());
    let path = folder.path().join("verdicts.json");
    let mut verdicts: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let step = &mut verdicts["items"][3]["record"]["body"]["step"];
    let gain = step["gains"][0].as_i64().unwrap();
    step["gains"][0] = json!(gain + 1);
    fs::write(&path, verdicts.to_string()).unwrap();
    let Some((well, said)) = replay(folder.path()) else {
        return;
    };
    assert!(
        !well && said.contains("gains differ") && said.contains(", 1 differ"),
        "{said}"
    );
}

#[test]
fn the_key_of_a_summary_is_what_the_replay_takes_it_for() {
    // (of, kind) numbers that the script reads by.
    let key = |of, kind| SummaryKey::new(of, kind).to_bytes();
    let age = || SummaryOf::Feature("age".parse().unwrap());
    assert_eq!(key(age(), SummaryKind::CutCounts), b"\x01\x03age\x02");
    assert_eq!(key(age(), SummaryKind::Hygiene), b"\x01\x03age\x04");
    assert_eq!(
        key(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion),
        b"\x05\x00\x06"
    );
}
