//! The agent's promises to those whose traffic it passes on, under load and through real processes. The
//! whole run is `clause9-bench faults`; here every case has fewer requests.

use std::time::Duration;

use clause9_tests::bench::faults::cases::ended;
use clause9_tests::bench::faults::faulty::STALLED;
use clause9_tests::bench::faults::ground::{Ground, Under};
use clause9_tests::bench::faults::{Options, cases::CASES, measure};
use clause9_tests::bench::instructions::Costs;
use clause9_tests::bench::memory;
use clause9_tests::faulty::STALL;
use clause9_tests::http;
use clause9_tests::process::wait_until;

#[test]
fn no_request_fails_and_each_is_accounted_for_whatever_goes_wrong_with_the_monitoring()
-> anyhow::Result<()> {
    let options = Options {
        requests: 700,
        clients: 8,
        only: None,
        json: false,
    };
    let mut report = measure(&options, &mut |_| {})?;
    // Too few requests on a busy machine for times to be judged.
    let slow = |problem: &String| problem.starts_with("p99");
    for row in &mut report.rows {
        row.problems.retain(|problem| !slow(problem));
    }
    report.check()?;
    assert_eq!(report.rows.len(), CASES.len() + 2);
    assert_eq!(report.failed, 0);
    assert!(report.requests >= 700 * report.rows.len() as u64);
    Ok(())
}

#[test]
fn an_agent_whose_monitor_is_stuck_for_good_ends_all_the_same() -> anyhow::Result<()> {
    let mut ground = Ground::lay()?;
    std::fs::write(ground.folder().join(STALLED), "")?;
    let mut agent = ground.start(
        Under::Faulty,
        "live",
        "drain: { quiet: 10ms, at_most: 1s }\n",
    )?;
    let body = clause9_tests::bench::load::request(1, "a");
    let headers = [
        ("content-type", "application/json"),
        ("x-request-id", STALL),
    ];
    let answer = http::send(
        agent.port,
        "POST",
        "/v2/models/loan/infer",
        &headers,
        body.as_bytes(),
    )?;
    assert_eq!(answer.status(), 200);
    wait_until("the monitor to be stuck", Duration::from_secs(30), || {
        let status = http::get(agent.admin, "/status").and_then(|answer| answer.json());
        status.is_ok_and(|status| status["monitor"].is_null())
    })?;
    agent.running.signal("TERM")?;
    ended(&mut agent)
}

#[test]
fn memory_stays_within_what_the_limits_permit() -> anyhow::Result<()> {
    let fewer = memory::Options {
        body_mib: 16,
        connections: 400,
        bombs: 20,
        names: 16_000,
        hours: 600,
    };
    memory::check(&memory::measure(&fewer, &mut |_| {})?)
}

/// 21 rows are about 1 KiB. The figures are those of the profile `ci`, under which `tests/run` tests.
#[test]
fn a_request_costs_its_thread_no_more_instructions_and_allocations_than_are_kept()
-> anyhow::Result<()> {
    if clause9_tests::bench::profile()? == "ci" {
        Costs::measure(21)?.check(&Costs::kept()?)?;
    }
    Ok(())
}
