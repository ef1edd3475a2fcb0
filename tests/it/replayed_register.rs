//! `clause9 replay` over a collector's register takes the steps that the collector took.

use clause9_tests::process::run_to_end;
use serde_json::Value;

use crate::first_nonconformity::Bank;

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
