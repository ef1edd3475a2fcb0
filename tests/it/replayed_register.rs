//! What `clause9` makes of a collector's register: `replay` takes the steps that the collector took, and
//! `baseline --live` freezes approved panes.

use clause9_shared::time::{Span, Timestamp};
use clause9_tests::process::run_to_end;
use serde_json::Value;

use crate::first_nonconformity::{A_DAY, Bank, FIRST_DAY};

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
