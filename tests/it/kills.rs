//! The real agent and collector, killed at random while they work.

use clause9_tests::kills::{self, Options};

/// Kills in CI; `clause9-sim kills` does more.
const KILLS: u64 = 40;

#[test]
fn kills_at_random_lose_nothing_that_was_kept_and_count_nothing_twice() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let options = Options {
        kills: KILLS,
        seed: 1,
    };
    let report = kills::run(folder.path(), options)?;
    assert!(
        report.agent_kills > 5 && report.collector_kills > 5,
        "{report}"
    );
    assert!(report.sure > 0 && report.whole < report.panes, "{report}");
    Ok(())
}
