//! The story of clause9, from one request to one nonconformity, through the real programs.
//!
//! A bank's model grades applicants. Its owners wrote down what it is held to. For twelve days it is
//! right; then the world changes and it is wrong more often than the bank tolerates. Read from top to
//! bottom: each step names the type of the chain that it brings about (see ARCHITECTURE.md).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use clause9_shared::time::{Span, Timestamp};
use clause9_tests::http;
use clause9_tests::process::{Running, run_to_end};
use clause9_tests::site::{Layout, Site, named};
use serde_json::{Value, json};

/// What the system is held to: nine of ten decisions are right. One objective, in force from the
/// first day.
pub(crate) const OBJECTIVES: &str = r#"
clause9: objectives/v1
system:
  id: grading
  name: Applicant grading
  intended_purpose: Advises clerks whether an applicant will repay.
  owner: head of lending
  role: developer
  models: [{ name: grader, source: own }]
panes: { length: 1d, lateness: 1h }
features:
  - { name: grade, type: numeric, unit: "1", from: { input: grade } }
outputs:
  score: { from: { output: probability } }
  decision: { rule: { score_at_least: 0.5 }, positive_means: granted }
  label: { positive: 1, negative: 0 }
objectives:
  - id: accuracy
    version: 1
    statement: Nine of ten decisions agree with what happens later.
    policy: AI policy 4.1
    metric: accuracy
    comparator: at_least
    levels: { target: 0.97, action: 0.9 }
    window: 1d
    min_support: 50
    label_delay: 1d
    evaluate_every: 7d
    owner: head of lending
    approver: risk committee
    effective_from: 2026-01-01T00:00:00Z
    cycle: 30d
    references:
      - { scheme: iso42001_clause, id: "9.1", edition: "2023", claim: evidences }
"#;

pub(crate) const FIRST_DAY: &str = "2026-01-01T00:00:00Z";
/// Applicants a day; labels come the same evening.
pub(crate) const A_DAY: usize = 100;
const GOOD_DAYS: u32 = 12;

#[test]
fn the_first_nonconformity() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::open(folder.path())?;

    // Twelve good days: 97 of 100 decisions turn out right. The confidence sequence clears the action
    // level, so the verdict is `conforming`: not for want of bad news, but by proof.
    for day in 0..GOOD_DAYS {
        bank.live_through(day, 3)?;
    }
    let verdict = bank.last_verdict()?;
    assert_eq!(verdict["state"], "conforming", "{verdict:#}");
    assert_eq!(bank.nonconformities()?, Vec::<Value>::new());

    // The world changes: every fifth decision is wrong. One bad day is not proof; the ledger says so.
    bank.live_through(GOOD_DAYS, 20)?;
    let verdict = bank.last_verdict()?;
    assert_ne!(verdict["state"], "conforming", "{verdict:#}");

    // Day by day the evidence grows until the breach is confirmed with the documented error chance.
    let mut day = GOOD_DAYS;
    while bank.last_verdict()?["state"] != "nonconforming" {
        day += 1;
        anyhow::ensure!(day < GOOD_DAYS + 10, "the breach was never confirmed");
        bank.live_through(day, 20)?;
    }

    // Then, and once only, the machine raises a *candidate* nonconformity. A person will confirm or
    // dismiss it; the machine never does.
    let candidates = bank.nonconformities()?;
    assert_eq!(candidates.len(), 1, "{candidates:#?}");
    let candidate = &candidates[0]["record"];
    assert_eq!(candidate["header"]["clock"], "replay");

    // The thread from the candidate back to what the agent signed: each record names what it rests on
    // by digest, and the register gives it out.
    let verdict = bank.site.follow(candidate, "verdict")?;
    assert_eq!(verdict["header"]["type"], "verdict");
    let measurement = bank.site.follow(&verdict, "measurement")?;
    assert_eq!(measurement["header"]["type"], "measurement");
    let block = bank.site.follow(&measurement, "block")?;
    assert_eq!(block["header"]["type"], "block");
    let batch = named(&block, "batch")?;
    let envelope = http::get(bank.site.collector, &format!("/v1/blobs/{batch}"))?;
    assert!(
        envelope.body.starts_with(b"C9B1"),
        "the signed bytes as they were received"
    );

    // And the completeness beside it: the agent's coverage adds up to what the client itself sent.
    let seen: u64 = bank
        .panes()?
        .iter()
        .filter_map(|p| p["coverage"]["seen"].as_u64())
        .sum();
    assert_eq!(seen, bank.sent);
    Ok(())
}

/// A model server, an agent before it, and a collector that trusts the agent.
pub(crate) struct Bank {
    pub(crate) site: Site,
    sent: u64,
    pub(crate) collector: Running,
    pub(crate) agent: Running,
}

impl Bank {
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        Self::held_to(folder, OBJECTIVES, &reference())
    }

    /// The bank whose collector has further lines in its configuration.
    pub(crate) fn told(folder: &Path, collector: &str) -> anyhow::Result<Self> {
        Self::telling(folder, "", collector)
    }

    /// The bank whose agent and collector have further lines in their configurations.
    pub(crate) fn telling(folder: &Path, agent: &str, collector: &str) -> anyhow::Result<Self> {
        Self::found(folder, (OBJECTIVES, &reference()), (agent, collector))
    }

    /// A bank with objectives and a reference of its own.
    pub(crate) fn held_to(
        folder: &Path,
        objectives: &str,
        reference: &str,
    ) -> anyhow::Result<Self> {
        Self::found(folder, (objectives, reference), ("", ""))
    }

    fn found(
        folder: &Path,
        (objectives, reference): (&str, &str),
        (agent, collector): (&str, &str),
    ) -> anyhow::Result<Self> {
        std::fs::write(folder.join("objectives.yaml"), objectives)?;
        std::fs::write(folder.join("reference.csv"), reference)?;
        run_to_end(
            "clause9",
            folder,
            "baseline --objectives objectives.yaml --reference reference.csv --out baseline.json",
        )?;
        let site = Layout {
            folder,
            system: "grading",
            model: serve_a_model()?,
            clock: "replay",
            agents: 1,
            collector,
        };
        let site = site.lay()?;
        site.configure(0, agent)?;
        Ok(Self {
            collector: site.start_collector()?,
            agent: site.start_agent(0)?,
            site,
            sent: 0,
        })
    }

    /// One day: applicants come, the model decides, the evening brings what happened.
    pub(crate) fn live_through(&mut self, day: u32, wrong: usize) -> anyhow::Result<()> {
        let agent = self.site.agent(0)?;
        let morning = FIRST_DAY.parse::<Timestamp>()? + Span::from_days(day);
        let at = morning + Span::from_secs(9 * 3600);
        let (mut connection, mut labels) = (http::Connection::open(agent.port)?, String::new());
        for case in 0..A_DAY {
            let grade = if case % 2 == 0 { 0.9 } else { 0.1 };
            // An `Exchange`: the agent sees the bytes pass. Decoded, it is an `Inference`; counted, a
            // row of every `Sketch` of the day's pane.
            let id = format!("day-{day}-case-{case}");
            let body = json!({ "id": id, "inputs": [
                { "name": "grade", "shape": [1, 1], "datatype": "FP64", "data": [grade] } ] });
            let headers = [
                ("x-event-time", at.to_string()),
                ("content-type", "application/json".into()),
            ];
            let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let answer = connection.send(
                "POST",
                "/v2/models/grader/infer",
                &headers,
                body.to_string().as_bytes(),
            )?;
            anyhow::ensure!(answer.status() == 200, "day {day}: {answer:?}");
            self.sent += 1;
            let right = case % 2 == 0;
            let label = u8::from(right == (case >= wrong));
            let outcome = json!({ "request_id": id, "label": label, "available_at": (at + Span::from_secs(3600)).to_string() });
            labels.extend([outcome.to_string().as_str(), "\n"]);
        }
        let answer = agent.post_outcomes(&labels)?;
        anyhow::ensure!(
            answer.json()?["joined"] == json!(A_DAY),
            "{}",
            answer.text()
        );
        // Night falls. The pane closes (a `ClosedWindow`: no more data can enter), is signed and shipped.
        let night = morning + Span::from_days(1) + Span::from_secs(3600);
        agent.set_clock(&night.to_string())?;
        self.wait_until_sealed(day)
    }

    /// The collector verifies the batch, seals the pane into blocks, measures, judges, records.
    fn wait_until_sealed(&self, day: u32) -> anyhow::Result<()> {
        let wanted = day as usize + 1;
        clause9_tests::process::wait_until(
            &format!("the seal of day {day}"),
            Duration::from_secs(20),
            || self.panes().is_ok_and(|panes| panes.len() >= wanted),
        )
    }

    fn panes(&self) -> anyhow::Result<Vec<Value>> {
        self.site.list("/v1/systems/grading/panes?limit=1000")
    }

    pub(crate) fn nonconformities(&self) -> anyhow::Result<Vec<Value>> {
        self.site.list("/v1/nonconformities?system=grading")
    }

    /// The newest verdict's body.
    pub(crate) fn last_verdict(&self) -> anyhow::Result<Value> {
        let verdicts = self
            .site
            .list("/v1/verdicts?system=grading&objective=accuracy&limit=1000")?;
        let last = verdicts
            .last()
            .ok_or_else(|| anyhow::anyhow!("no verdict yet"))?;
        Ok(last["record"]["body"]["verdict"].clone())
    }
}

/// What applicants were like when the model was approved.
fn reference() -> String {
    let rows = (0..1000).map(|i| if i % 2 == 0 { "0.9\n" } else { "0.1\n" });
    std::iter::once("grade\n").chain(rows).collect()
}

/// A model that finds the probability of repayment to be the grade itself. A thread for each
/// connection; ends with the test.
fn serve_a_model() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    Ok(port)
}

fn answer_all(stream: std::net::TcpStream) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            anyhow::ensure!(stream.read_line(&mut line)? > 0, "the client went away");
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?;
                }
                // The request's first line has no colon, and neither has the empty last one.
                None if line.trim_end().is_empty() => break,
                Some(_) | None => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let asked: Value = serde_json::from_slice(&body)?;
        let answer = json!({ "model_name": "grader", "model_version": "7", "id": asked["id"], "outputs": [
            { "name": "probability", "shape": [1, 1], "datatype": "FP64", "data": asked["inputs"][0]["data"] } ] })
        .to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.get_mut().write_all((head + &answer).as_bytes())?;
    }
}
