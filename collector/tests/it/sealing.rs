//! Laws of sealing, through the core alone: order of arrival leaves no trace; versions; silence.

use std::collections::BTreeMap;

use clause9_collector::known::{Known, KnownSystem};
use clause9_shared::evidence::pen::Pen;
use clause9_shared::ids::{BootId, ObjectiveId, Sequence};
use clause9_shared::sampling::{Halvings, Rates, Shell};
use clause9_shared::sealing::blocks::{self, Contribution, Origin};
use clause9_shared::sealing::due::{self, Due, PATIENCE, Patience, Progress, Timing};
use clause9_shared::sealing::{self, Action, KeptBlock, Past, PastBlock, Seal, Standing};
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch::{self, ClosedWindow, Stream};
use proptest::prelude::*;

use crate::world::{
    Agents, HOUR, OBJECTIVES, WRONG_FROM, agent, baseline, hour, key, known, known_of, loaded,
};

const TIMING: Timing = Timing {
    pane: HOUR,
    lateness: Span::from_secs(300),
    grace: Span::from_secs(300),
};

fn contributions(agents: &Agents, hours: std::ops::Range<u32>) -> Vec<Contribution> {
    let mut all = Vec::new();
    for h in hours {
        for n in [1, 2] {
            let mut items = vec![agents.heartbeat(h), agents.traffic(n, h)];
            if h >= 3 {
                items.push(agents.outcomes(n, h - 3, h));
            }
            let mut batch = agents.batch(u64::from(h) + 1, h, items.clone());
            batch.created_at = hour(h).0;
            let envelope = batch::seal(&batch, &key(n));
            for (index, item) in items.into_iter().enumerate() {
                all.push(contribution(n, h, index, batch::digest(&envelope), item));
            }
        }
    }
    all
}

fn contribution(
    n: u8,
    h: u32,
    index: usize,
    batch: clause9_shared::digest::Digest,
    item: ClosedWindow,
) -> Contribution {
    Contribution {
        origin: Origin {
            agent: agent(n),
            boot: BootId(1),
            sequence: Sequence(u64::from(h) + 1),
            index: u32::try_from(index).unwrap(),
            batch,
        },
        item,
    }
}

/// A register in memory: just what the planner must be told of the past.
#[derive(Default)]
struct Memory {
    blocks: BTreeMap<PaneStart, Vec<KeptBlock>>,
    silent: BTreeMap<PaneStart, Vec<clause9_shared::ids::AgentId>>,
    standings: BTreeMap<(ObjectiveId, u32), Standing>,
    records: Vec<(String, String)>,
}

impl Memory {
    fn seal(&mut self, system: &KnownSystem, due: &Due, contributions: Vec<Contribution>) {
        let sealed = blocks::blocks(due.pane, contributions);
        assert!(sealed.overflowing.is_empty());
        let seal = Seal {
            system,
            clock: Clock::Replay,
            due,
            now: due.pane.end(HOUR),
        };
        let past_blocks = |blocks: &Vec<KeptBlock>| blocks.iter().map(PastBlock::of).collect();
        let known: BTreeMap<PaneStart, Vec<PastBlock>> = self
            .blocks
            .iter()
            .map(|(pane, blocks)| (*pane, past_blocks(blocks)))
            .collect();
        let needs = sealing::needs(&seal, &sealed);
        let sums = needs.sums.iter().map(|of| {
            let common = sealing::common(&known, &needs.mixes, of.window.panes(HOUR));
            let blocks = self.blocks.values().flatten();
            let blocks = blocks
                .filter(|b| of.takes(system, b) && common.takes(&b.key))
                .map(|b| &b.summary);
            (*of, sealing::sum_of(system, of.stream(), blocks))
        });
        let past = Past {
            sums: sums.collect(),
            blocks: known.clone(),
            silent: self.silent.clone(),
            gaps: Vec::new(),
            windows: BTreeMap::new(),
            standings: self.standings.clone(),
        };
        let pen = Pen {
            author: "test".to_owned(),
            now: Timestamp::EPOCH,
        };
        for action in sealing::plan(&seal, sealed, past, &pen).unwrap() {
            match action {
                Action::Append { written, .. } => self.records.push((
                    written.record.header.kind.as_str().to_owned(),
                    written.canonical.clone(),
                )),
                Action::Block(block) => self.blocks.entry(block.pane).or_default().push(*block),
                Action::Stand { of, standing } => {
                    self.standings.insert(of, *standing);
                }
                Action::Seal(row) => {
                    if !row.missing.is_empty() {
                        self.silent.insert(row.pane, row.missing.clone());
                    }
                }
                Action::Keep { .. } | Action::Window(_) => {}
            }
        }
    }

    fn of(&self, kind: &str) -> Vec<serde_json::Value> {
        self.records
            .iter()
            .filter(|(k, _)| k == kind)
            .map(|(_, text)| serde_json::from_str(text).unwrap())
            .collect()
    }
}

fn run(order: &[Contribution], hours: u32) -> Memory {
    run_with(&known(&[1, 2]), order, hours)
}

fn run_with(known: &Known, order: &[Contribution], hours: u32) -> Memory {
    let system = known.systems().next().unwrap();
    let mut memory = Memory::default();
    for h in 0..hours {
        let due = Due {
            pane: hour(h),
            silent: Vec::new(),
        };
        let waiting = order
            .iter()
            .filter(|c| blocks::waits_for(&c.item) == hour(h))
            .cloned()
            .collect();
        memory.seal(system, &due, waiting);
    }
    memory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_order_of_arrival_gives_the_same_records(
        order in Just(contributions(&Agents { rows: 7, ..Agents::new() }, 0..9)).prop_shuffle()
    ) {
        let plain = run(&contributions(&Agents { rows: 7, ..Agents::new() }, 0..9), 9);
        let shuffled = run(&order, 9);
        prop_assert_eq!(plain.of("block").len(), 9 * 2 + 6);
        prop_assert_eq!(plain.records, shuffled.records);
    }
}

#[test]
fn a_pane_is_sealed_when_all_agents_have_closed_it_and_in_order() {
    let progress = |one: Option<Timestamp>, two: Option<Timestamp>, now| Progress {
        sealed: None,
        pending: Some(hour(3)),
        watermarks: BTreeMap::from([(agent(1), one), (agent(2), two)]),
        now,
    };
    let (before, end) = (hour(3).0, hour(3).end(HOUR));
    let due = due::next_due(&progress(Some(end), Some(end), end), TIMING).unwrap();
    assert_eq!((due.pane, due.silent.len()), (hour(3), 0));
    for waiting in [None, Some(before)] {
        assert_eq!(
            due::next_due(&progress(Some(end), waiting, end), TIMING),
            None
        );
        let late = end + Span::from_secs(600);
        let due = due::next_due(&progress(Some(end), waiting, late), TIMING).unwrap();
        assert_eq!(
            due.silent,
            [agent(2)],
            "the clock forces it, and says who was silent"
        );
    }
    let next = Progress {
        sealed: Some(hour(3)),
        ..progress(Some(end), Some(end), end)
    };
    assert_eq!(
        due::next_due(&next, TIMING),
        None,
        "the next pane is not closed yet"
    );
}

#[test]
fn a_silence_is_waited_for_once_on_the_wall_clock() {
    let mut patience = Patience::default();
    let (start, second) = (hour(0).0, Span::from_secs(1));
    assert!(patience.is_over(&[], start), "nobody is waited for");
    assert!(!patience.is_over(&[agent(1)], start));
    assert!(!patience.is_over(&[agent(1), agent(2)], start + PATIENCE - second));
    assert!(
        !patience.is_over(&[agent(1), agent(2)], start + PATIENCE),
        "the second is new"
    );
    assert!(patience.is_over(&[agent(1)], start + PATIENCE + second));
    assert!(
        patience.is_over(&[agent(1)], start + PATIENCE + second),
        "the same silence"
    );
    assert!(patience.is_over(&[], start + PATIENCE));
    assert!(
        !patience.is_over(&[agent(1)], start + PATIENCE + second),
        "it spoke in between"
    );
}

#[test]
fn a_silent_agent_leaves_a_gap_and_its_late_items_go_to_the_next_seal() {
    let agents = Agents::new();
    let known = known(&[1, 2]);
    let system = known.systems().next().unwrap();
    let all = contributions(&agents, 0..2);
    let mut memory = Memory::default();
    let from_one = |c: &&Contribution| c.origin.agent == agent(1);
    let first = all
        .iter()
        .filter(|c| c.item.pane == hour(0))
        .filter(from_one);
    let first = first.cloned().collect();
    let forced = Due {
        pane: hour(0),
        silent: vec![agent(2)],
    };
    memory.seal(system, &forced, first);
    let rest = all
        .iter()
        .filter(|c| c.item.pane == hour(1) || c.origin.agent == agent(2))
        .cloned()
        .collect();
    let full = Due {
        pane: hour(1),
        silent: Vec::new(),
    };
    memory.seal(system, &full, rest);
    let gaps = memory.of("gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["body"]["agents"][0], agent(2).to_string());
    let late: Vec<_> = memory
        .of("block")
        .into_iter()
        .filter(|b| b["body"]["late"] == true)
        .collect();
    assert_eq!(
        late.len(),
        2,
        "the heartbeat and the traffic of the silent agent"
    );
    let measured = memory.of("measurement");
    let window = measured
        .iter()
        .find(|m| m["body"]["objective"] == "income-missing")
        .unwrap();
    assert_eq!(
        window["body"]["support"],
        4 * agents.rows,
        "what came late is in the window"
    );
    assert_eq!(window["body"]["silent_agents"][0], agent(2).to_string());
}

/// A pane of two agents at two rates: agent 1 has rows in the first shell and in the last one, agent 2
/// in the last one alone. Gives the newest measurement and verdict of an objective on traffic.
fn sealed_at(
    agents: &Agents,
    rates: [Option<u8>; 2],
) -> (serde_json::Value, serde_json::Value, u64) {
    let known = known(&[1, 2]);
    let system = known.systems().next().unwrap();
    let mut memory = Memory::default();
    for h in 0..4 {
        let part = |n: u8, from: u8, shell: Option<Shell>, index| {
            let mut item = agents.traffic(from, h);
            let rate = rates[usize::from(n) - 1].and_then(Halvings::new);
            item.key.shell = rate.and(shell);
            if let Stream::Traffic(coverage) = &mut item.stream {
                coverage.rates = rate.map(Rates::one);
            }
            let batch = clause9_shared::digest::Digest::of(&[n, index]);
            contribution(n, h, usize::from(index), batch, item)
        };
        let all = vec![
            part(1, 1, Shell::new(0), 0),
            part(1, 3, Some(Shell::LAST), 1),
            part(2, 2, Some(Shell::LAST), 0),
        ];
        let due = Due {
            pane: hour(h),
            silent: Vec::new(),
        };
        memory.seal(system, &due, all);
    }
    let newest = |kind| {
        let mut all = memory.of(kind).into_iter();
        let mine = all.rfind(|r| r["body"]["objective"] == "income-missing");
        mine.unwrap()["body"].clone()
    };
    let blocks = memory.of("block").len() as u64;
    (newest("measurement"), newest("verdict"), blocks)
}

#[test]
fn cases_of_unequal_rates_are_added_as_far_as_every_one_had_the_same_chance() {
    let agents = Agents::new();
    let rows = agents.rows as u64;
    let (measured, verdict, blocks) = sealed_at(&agents, [Some(0), Some(2)]);
    assert_eq!(blocks, 8, "two shells in each of four panes");
    let panes = measured["support"].as_u64().unwrap() / (2 * rows);
    assert!(panes > 0);
    assert_eq!(
        measured["support"],
        panes * 2 * rows,
        "the last shell of both"
    );
    assert_eq!(
        measured["set_aside"].as_array().unwrap().len() as u64,
        panes
    );
    assert_eq!(measured["coverage"]["halvings"]["fewest"], 0);
    assert_eq!(measured["coverage"]["halvings"]["most"], 2);
    assert_eq!(verdict["blocks"].as_array().unwrap().len(), 1);

    let (equal, verdict, _) = sealed_at(&agents, [Some(0), Some(0)]);
    assert_eq!(equal["support"], panes * 3 * rows);
    assert!(equal.get("set_aside").is_none());
    assert_eq!(verdict["blocks"].as_array().unwrap().len(), 2);
    let (untold, _, _) = sealed_at(&agents, [None, None]);
    assert_eq!(untold["support"], equal["support"]);
    assert_eq!(untold["value"], equal["value"]);
}

#[test]
fn what_cannot_be_made_equal_is_neither_measured_nor_judged() {
    let agents = Agents::new();
    let (measured, verdict, _) = sealed_at(&agents, [None, Some(2)]);
    assert_eq!(measured["status"], "not_measured");
    let reason = measured["reason"].as_str().unwrap();
    assert!(reason.contains("sampling.cap"), "{reason}");
    assert_eq!(verdict["step"]["taken"], "empty");
    assert!(verdict["blocks"].as_array().unwrap().is_empty());
}

#[test]
fn the_version_in_force_at_the_windows_start_judges() {
    let agents = Agents::new();
    let memory = run(&contributions(&agents, 20..28), 28);
    let mut seen = Vec::new();
    for m in memory.of("measurement") {
        if m["body"]["objective"] == "income-missing" {
            let start = m["body"]["start"].as_str().unwrap().to_owned();
            seen.push((start, m["body"]["version"].as_u64().unwrap()));
        }
    }
    for (start, version) in &seen {
        let expected = if start.as_str() < "2026-01-02" { 1 } else { 2 };
        assert_eq!(*version, expected, "{start}");
    }
    assert!(seen.iter().any(|(_, v)| *v == 1) && seen.iter().any(|(_, v)| *v == 2));
}

#[test]
fn nothing_measured_is_never_conforming() {
    let known = known(&[1, 2]);
    let system = known.systems().next().unwrap();
    let agents = Agents::new();
    let mut memory = Memory::default();
    for h in 0..30_u8 {
        let n = u32::from(h);
        let due = Due {
            pane: hour(n),
            silent: Vec::new(),
        };
        let digest = clause9_shared::digest::Digest::of(&[h]);
        let idle = vec![contribution(1, n, 0, digest, agents.heartbeat(n))];
        memory.seal(system, &due, idle);
    }
    let verdicts = memory.of("verdict");
    assert!(verdicts.len() > 60);
    for v in verdicts {
        assert_eq!(v["body"]["verdict"]["state"], "no_data", "{v}");
    }
    for m in memory.of("measurement") {
        assert_eq!(m["body"]["status"], "not_measured");
    }
}

/// The system with grades asked to be there, too: two features of one metric.
fn with_two_features() -> KnownSystem {
    let from = OBJECTIVES
        .find("  - id: income-missing\n    version: 2")
        .unwrap();
    let to = OBJECTIVES.find("  - id: accuracy").unwrap();
    let grades = OBJECTIVES[from..to]
        .replace("income-missing", "grade-missing")
        .replace("feature: income", "feature: grade");
    let document = loaded(&format!("{OBJECTIVES}{grades}"));
    let baseline = baseline(&document);
    let mut system = KnownSystem::new(document, baseline).unwrap();
    system.clock = Clock::Replay;
    system
}

#[test]
fn what_is_named_together_is_written_when_it_changes_and_only_then() {
    let system = with_two_features();
    let agents = Agents::of(&system.document);
    let mut memory = Memory::default();
    for h in 24..WRONG_FROM + 8 {
        let due = Due {
            pane: hour(h),
            silent: Vec::new(),
        };
        let contributions = contributions(&agents, h..h + 1);
        let waiting = contributions
            .into_iter()
            .filter(|c| blocks::waits_for(&c.item) == hour(h));
        memory.seal(&system, &due, waiting.collect());
    }
    let told = memory.of("together");
    assert_eq!(told.len(), 1, "{told:#?}");
    let body = &told[0]["body"];
    assert_eq!(body["named"], serde_json::json!(["income-missing"]));
    let members = body["members"].as_array().unwrap();
    assert_eq!(
        members.len(),
        2,
        "the version that is no longer in force is none of them"
    );
    // What it says of the evidence is what the verdicts of the same seal say.
    for member in members {
        let verdict = memory.of("verdict").into_iter().find(|verdict| {
            verdict["body"]["objective"] == member["objective"]
                && verdict["body"]["sealed_with"] == body["sealed_with"]
        });
        let verdict = verdict.unwrap();
        assert_eq!(verdict["body"]["step"]["evidence"], member["evidence"]);
    }
    let standing = |id: &str| {
        let of = (id.parse::<ObjectiveId>().unwrap(), 2);
        memory.standings[&of].together.unwrap()
    };
    assert!(standing("income-missing").named && !standing("grade-missing").named);
    assert_eq!(
        standing("income-missing").record,
        standing("grade-missing").record
    );
}

/// Accuracy with the worst assumed of cases that have no label so long after their pane.
fn assuming(delay: &str) -> (Known, Agents) {
    let labels = format!("label_delay: {delay}\n    labels: worst_case");
    let document = loaded(&OBJECTIVES.replacen("label_delay: 4h", &labels, 1));
    let agents = Agents {
        rows: 50,
        ..Agents::of(&document)
    };
    (known_of(document, &[1, 2]), agents)
}

#[test]
fn with_something_assumed_of_open_cases_each_pane_is_one_step_once_labels_had_their_time() {
    // Labels come three hours after their pane.
    let (known, agents) = assuming("4h");
    let all = contributions(&agents, 0..9);
    let memory = run_with(&known, &all, 9);
    let verdicts = memory.of("verdict");
    let of_accuracy = |v: &&serde_json::Value| v["body"]["objective"] == "accuracy";
    let steps: Vec<_> = verdicts.iter().filter(of_accuracy).collect();
    assert_eq!(steps.len(), 9, "each seal is a step");
    for (h, verdict) in steps.iter().enumerate() {
        let body = &verdict["body"];
        let (taken, blocks) = (&body["step"]["taken"], body["blocks"].as_array().unwrap());
        if h < 4 {
            assert_eq!((taken.as_str(), blocks.len()), (Some("empty"), 0), "{h}");
            assert_eq!(body["verdict"]["state"], "no_data");
            continue;
        }
        assert_eq!(taken, "judged", "{h}");
        let panes: Vec<_> = memory
            .of("block")
            .into_iter()
            .filter(|b| b["body"]["pane"] == body_pane(h - 4))
            .map(|b| b["body"]["summary"].clone())
            .collect();
        let named: Vec<_> = blocks.iter().map(|b| b["summary"].clone()).collect();
        assert_eq!(named, panes, "all blocks of the pane, of both streams");
        let cases = (h as u64 - 3) * 100;
        assert_eq!(body["verdict"]["labels"]["cases"], cases);
        assert_eq!(body["verdict"]["labels"]["known"], cases);
        assert_eq!(body["verdict"]["support"], cases);
    }
    let standing = &memory.standings[&("accuracy".parse().unwrap(), 1)];
    assert_eq!(standing.ledger.blocks, 9);
    let mut shuffled = all;
    shuffled.reverse();
    assert_eq!(run_with(&known, &shuffled, 9).records, memory.records);
}

fn body_pane(h: usize) -> serde_json::Value {
    serde_json::to_value(hour(u32::try_from(h).unwrap())).unwrap()
}

#[test]
fn labels_that_come_after_their_time_are_shown_and_not_judged() {
    let (known, agents) = assuming("2h");
    let memory = run_with(&known, &contributions(&agents, 0..9), 9);
    for verdict in memory.of("verdict") {
        let body = &verdict["body"];
        if body["objective"] == "accuracy" && body["step"]["taken"] == "judged" {
            let labels = &body["verdict"]["labels"];
            assert_eq!(
                (labels["known"].as_u64(), labels["breached_at"].is_null()),
                (Some(0), true)
            );
            assert!(body["verdict"]["state"] != "conforming", "{body}");
        }
    }
    let shown = memory
        .of("measurement")
        .into_iter()
        .any(|m| m["body"]["objective"] == "accuracy" && m["body"]["support"].as_u64() > Some(0));
    assert!(shown, "measured as labels came");
}
