//! What `clause9` makes of a collector's register: `replay` takes the steps that the collector took, and
//! `baseline --live` freezes approved panes.

use clause9_shared::time::{Span, Timestamp};
use clause9_tests::process::run_to_end;
use clause9_tests::{http, repository};
use serde_json::{Value, json};

use crate::first_nonconformity::{A_DAY, Bank, FIRST_DAY, OBJECTIVES};

#[test]
fn the_same_objective_replayed_gives_the_evidence_of_the_register() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::open(folder.path())?;
    for (day, wrong) in (0..).zip([3, 20, 3, 25, 25]) {
        bank.live_through(day, wrong)?;
    }
    let arguments = format!(
        "replay --objectives objectives.yaml --baseline baseline.json --collector http://127.0.0.1:{} --json",
        bank.site.collector
    );
    let said: Value = serde_json::from_str(&run_to_end("clause9", folder.path(), &arguments)?)?;
    let steps = said["objectives"][0]["blocks"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut verdicts = bank.site.list("/v1/verdicts?system=grading&limit=1000")?;
    verdicts.sort_by_key(|v| v["record"]["body"]["step"]["block"].as_u64());
    // A seal writes several blocks of a stream, one of them for what is of no model: as steps they would be
    // more, and most of them empty.
    anyhow::ensure!(verdicts.len() >= 5, "only {} verdicts", verdicts.len());
    assert_eq!(steps.len(), verdicts.len());
    for (step, verdict) in steps.iter().zip(&verdicts) {
        let kept = &verdict["record"]["body"];
        assert_eq!(step["step"], kept["step"], "{step:#}");
        assert_eq!(step["verdict"]["support"], kept["verdict"]["support"]);
    }
    let last = steps.last().map(|s| &s["verdict"]["support"]);
    assert!(last.and_then(Value::as_u64) >= Some(300), "{last:?}");
    Ok(())
}

#[test]
fn an_approved_stretch_of_live_panes_becomes_a_baseline() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::open(folder.path())?;
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    let since = FIRST_DAY.parse::<Timestamp>()?;
    let live = |until: Timestamp, out: &str| {
        format!(
            "baseline --objectives objectives.yaml --live http://127.0.0.1:{} --basis baseline.json \
             --since {since} --until {until} --out {out} --json",
            bank.site.collector
        )
    };
    let until = since + Span::from_days(2);
    let said = run_to_end("clause9", folder.path(), &live(until, "live.json"))?;
    let said: Value = serde_json::from_str(&said)?;
    assert_eq!(said["rows"], 2 * A_DAY, "{said}");
    let read = |name: &str| -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(
            folder.path().join(name),
        )?)?)
    };
    let (old, new) = (read("baseline.json")?, read("live.json")?);
    let grade = |baseline: &Value| baseline["features"]["grade"].clone();
    // Half of the applicants of each day have either grade, as in the reference: on the same cells.
    assert_eq!(grade(&old)["cuts"], grade(&new)["cuts"]);
    let counted = |baseline: &Value| -> Vec<u64> {
        let counts = grade(baseline)["counts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        counts.iter().filter_map(Value::as_u64).collect()
    };
    let shares = |baseline: &Value| -> Vec<f64> {
        let counts = counted(baseline);
        let all = counts.iter().sum::<u64>() as f64;
        counts.iter().map(|count| *count as f64 / all).collect()
    };
    assert_eq!(shares(&old), shares(&new));
    assert_eq!(counted(&new).iter().sum::<u64>(), 2 * A_DAY as u64);
    // Panes that are not there make none.
    let before = since - Span::from_days(9);
    let none = live(before, "none.json").replace(
        &since.to_string(),
        &(before - Span::from_days(1)).to_string(),
    );
    let refused = run_to_end("clause9", folder.path(), &none);
    assert!(refused.is_err() && !folder.path().join("none.json").exists());
    Ok(())
}

/// Three features are asked to be there; applicants tell one of them.
fn three_features() -> (String, String) {
    let features = "features:\n  \
        - { name: age, type: numeric, unit: a, from: { input: age } }\n  \
        - { name: rent, type: numeric, unit: \"[EUR]\", from: { input: rent } }\n";
    let asked = ["grade", "age", "rent"].map(|feature| {
        format!(
            "  - {{ id: {feature}-missing, version: 1, statement: It is told., policy: AI policy 4.2, \
             metric: missing_rate, of: {{ feature: {feature} }}, comparator: at_most, \
             levels: {{ action: 0.1 }}, window: 1d, min_support: 50, evaluate_every: 7d, owner: head of \
             lending, approver: risk committee, effective_from: 2026-01-01T00:00:00Z, cycle: 30d, \
             references: [{{ scheme: iso42001_clause, id: \"9.1\", claim: evidences }}] }}\n"
        )
    });
    let objectives = OBJECTIVES.replace("features:\n", features) + &asked.concat();
    let rows = (0..1000).map(|i| {
        format!(
            "{},{},{}\n",
            0.1 + 0.1 * f64::from(i % 9),
            20 + i % 50,
            500 + i
        )
    });
    let reference = std::iter::once("grade,age,rent\n".to_owned())
        .chain(rows)
        .collect();
    (objectives, reference)
}

#[test]
fn features_named_together_are_recorded_shown_and_named_again_by_a_replay() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (objectives, reference) = three_features();
    let mut bank = Bank::held_to(folder.path(), &objectives, &reference)?;
    for day in 0..3 {
        bank.live_through(day, 3)?;
    }
    // Written once: nothing has changed since the first day.
    let index = bank
        .site
        .list("/v1/evidence?type=together&system=grading")?;
    assert_eq!(index.len(), 1, "{index:#?}");
    let name = index[0]["digest"].as_str().unwrap_or_default();
    let record = http::get(bank.site.collector, &format!("/v1/evidence/{name}"))?.json()?;
    let body = &record["body"];
    assert_eq!(body["metric"], "missing_rate");
    assert_eq!(body["members"].as_array().map(Vec::len), Some(3));
    assert_eq!(body["named"], json!(["age-missing", "rent-missing"]));

    let shown = bank.site.list("/v1/systems/grading/objectives")?;
    for one in &shown {
        let id = one["objective"]["id"].as_str().unwrap_or_default();
        let expected = match id {
            "accuracy" => json!(null),
            _ => json!({ "named": id != "grade-missing", "record": name }),
        };
        assert_eq!(one["together"], expected, "{id}");
    }
    let metrics = http::get(bank.site.collector, "/metrics")?.text();
    for (id, named) in [("age", 1), ("rent", 1), ("grade", 0)] {
        let series = format!(
            "clause9_objective_named_together{{objective=\"{id}-missing\",system=\"grading\"}} {named}"
        );
        assert!(metrics.contains(&series), "{series}");
    }

    let arguments = format!(
        "replay --objectives objectives.yaml --baseline baseline.json --collector http://127.0.0.1:{} --json",
        bank.site.collector
    );
    let said: Value = serde_json::from_str(&run_to_end("clause9", folder.path(), &arguments)?)?;
    assert_eq!(said["together"][0]["named"], body["named"]);
    let script = repository::root().join("tests/replay/replay.py");
    let done = std::process::Command::new("python3")
        .arg(script)
        .arg(format!("http://127.0.0.1:{}", bank.site.collector))
        .args(["--system", "grading"])
        .output()?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    anyhow::ensure!(
        done.status.success() && said.contains(" 0 differ"),
        "{said}"
    );
    Ok(())
}
