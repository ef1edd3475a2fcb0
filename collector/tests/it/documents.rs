//! Documents as agents and people are given them: by name, to whom, and how often.

use clause9_shared::baseline::Baseline;
use clause9_shared::objective::{self, Document};
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::wire::plan::{self, Ask, Named};

use crate::http::{Answer, request_with};
use crate::world::{Files, Running, agent, key, now};

const PLAN: &str = "/v1/systems/loan/plan";

/// The header by which an agent of that number asks for a system.
fn signed(n: u8, system: &str, at: Timestamp) -> String {
    let ask = Ask {
        system: system.parse().unwrap(),
        created_at: at,
    };
    let value = plan::seal(&ask, &key(n)).unwrap();
    format!("authorization: {value}\r\n")
}

fn ask(running: &Running, path: &str, headers: &str) -> Answer {
    request_with(running.address, "GET", path, headers, b"").unwrap()
}

/// A collector that asks people for tokens, and knows one agent.
fn closed() -> Running {
    let files = Files::new("127.0.0.1:0", &[1]).and("tokens: tokens.yaml");
    files.put("tokens.yaml", "tokens: []\n");
    Running::on(files)
}

#[test]
fn an_agent_is_given_what_its_system_is_monitored_by_and_once_only() {
    let running = closed();
    let own = signed(1, "loan", now());
    let answer = ask(&running, PLAN, &own);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let named: Named = serde_json::from_slice(&answer.body).unwrap();
    let tag = named.tag();
    assert!(
        answer.head.contains(&format!("etag: \"{tag}\"")),
        "{}",
        answer.head
    );

    let document = ask(&running, &format!("{PLAN}/{}", named.objectives), &own);
    assert_eq!(Document::named_by(&document.body), named.objectives);
    let read = objective::load("document", &document.text()).unwrap();
    assert_eq!(
        read.digest().unwrap(),
        named.objectives,
        "read as a file it is the same"
    );
    let baseline = ask(&running, &format!("{PLAN}/{}", named.baseline), &own);
    assert_eq!(Baseline::named_by(&baseline.body), named.baseline);
    let read = Baseline::from_json(&baseline.text()).unwrap();
    assert_eq!(read.digest(), named.baseline);

    for (path, tag) in [
        (PLAN.to_owned(), tag),
        (format!("{PLAN}/{}", named.baseline), named.baseline),
    ] {
        let again = ask(
            &running,
            &path,
            &format!("{own}if-none-match: \"{tag}\"\r\n"),
        );
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let other = ask(
            &running,
            &path,
            &format!("{own}if-none-match: \"other\"\r\n"),
        );
        assert_eq!(other.status, 200);
    }
    let other = ask(&running, &format!("{PLAN}/{}", agent(1)), &own);
    assert_eq!(other.status, 404, "not one of the two in force");
}

#[test]
fn who_may_not_write_for_a_system_is_told_why_it_is_not_told_of_it() {
    let running = closed();
    let day = Span::from_days(2);
    let cases = [
        (
            signed(2, "loan", now()),
            403,
            "is not among the trusted agents",
        ),
        (
            signed(1, "other", now()),
            403,
            "may not write for system `loan`",
        ),
        (
            signed(1, "loan", now() - day),
            403,
            "set the agent's wall clock",
        ),
        (
            signed(1, "loan", now() + day),
            403,
            "set the agent's wall clock",
        ),
        (
            "authorization: Clause9-Agent 00\r\n".to_owned(),
            403,
            "no request for documents",
        ),
        (String::new(), 401, "show a token"),
        ("authorization: Bearer x\r\n".to_owned(), 401, "not known"),
    ];
    for (headers, status, why) in cases {
        let answer = ask(&running, PLAN, &headers);
        let text = answer.text();
        assert_eq!(answer.status, status, "{text}");
        assert!(text.contains(why), "{why}: {text}");
    }
    let series = "clause9_collector_requests_denied_total{reason=\"agent\"}";
    let text = ask(&running, "/metrics", "");
    assert_eq!(
        text.status, 401,
        "an agent's signature opens nothing else: {series}"
    );
    let metrics = ask(&running, "/metrics", &signed(1, "loan", now()));
    assert_eq!(metrics.status, 401);
}

#[test]
fn an_agent_that_was_revoked_is_told_no_more_without_a_restart() {
    let running = closed();
    assert_eq!(ask(&running, PLAN, &signed(1, "loan", now())).status, 200);
    let line = format!(
        "agents:\n  - {{ id: \"{}\", systems: [loan], revoked_at: \"2020-01-01T00:00:00Z\" }}\n",
        agent(1)
    );
    running.files.put("agents.yaml", &line);
    running.reload();
    let answer = ask(&running, PLAN, &signed(1, "loan", now()));
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("was revoked"), "{}", answer.text());
}
