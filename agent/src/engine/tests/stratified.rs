//! Groups that are sampled more often: their rows enter the tables by group, and nothing else.

use clause9_shared::sketch::{Confusion, SummaryKey, SummaryKind, SummaryOf};

use super::*;

/// Two attributes of the request and their intersection.
const ATTRIBUTES: &str = "attributes:
  - name: site
    from: { request: { input: site } }
    groups: [main, small]
    reference: main
  - name: channel
    from: { request: { input: channel } }
    groups: [desk, web]
    reference: desk
  - name: site_channel
    of: [site, channel]
objectives:
";
const WHOLE: &str = "    sampled_at_least: { small: 1 }\n";
const REFERENCE: &str = "    reference: main\n";

fn stratified(rate: f64, shares: &str) -> Settings {
    let attributes = ATTRIBUTES.replacen(REFERENCE, &format!("{REFERENCE}{shares}"), 1);
    let text = OBJECTIVES.replacen("\nobjectives:\n", &format!("\n{attributes}"), 1);
    let document = objective::load("objectives.yaml", &text).unwrap();
    let before = settings(rate);
    let plan = CapturePlan::new(&document, before.plan.baseline()).unwrap();
    Settings {
        plan: Arc::new(plan),
        remembered: 10_000,
        waiting: 2_000,
        ..before
    }
}

fn is_small(exchange: u32, row: usize) -> bool {
    (exchange as usize + row).is_multiple_of(5)
}

fn exchange(i: u32, rows: usize) -> Inference {
    let text = |of: &dyn Fn(usize) -> &'static str| {
        Values::Text((0..rows).map(|row| of(row).into()).collect())
    };
    let column = |name: &str, values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let mut inference = inference(Some(&format!("id-{i}")), rows);
    let site = text(&|row| if is_small(i, row) { "small" } else { "main" });
    let channel = text(&|row| {
        if (i as usize + row).is_multiple_of(2) {
            "desk"
        } else {
            "web"
        }
    });
    inference.inputs.push(column("site", site));
    inference.inputs.push(column("channel", channel));
    inference
}

/// A pane of exchanges of one to three rows each, with the labels of all of them, in one world.
fn told(rate: f64, shares: &str, exchanges: u32) -> (World, Vec<ClosedWindow>) {
    let mut world = World::new(stratified(rate, shares));
    for i in 0..exchanges {
        let decoded = Ok(exchange(i, 1 + i as usize % 3));
        world.tell(looked(minute(0), decoded), 0);
    }
    for i in 0..exchanges {
        for row in 0..=i % 3 {
            let positive = f64::from((i + row) % 2);
            world.join(label(&format!("id-{i}"), row, positive, 30), 30);
        }
    }
    let items = world.close(0, u64::from(exchanges));
    (world, items)
}

/// Cases in a table of decisions, of those chosen by their group's place.
fn cases(sum: &PaneSummary, of: SummaryOf, chosen: impl Fn(Option<u8>) -> bool) -> u64 {
    let key = SummaryKey::new(of, SummaryKind::Confusion);
    let table = Confusion::of(sum.get(&key).unwrap()).unwrap();
    table.sum(|_, _, group| chosen(group))
}

fn tables(by: Option<&str>) -> [SummaryOf; 2] {
    let by = || by.map(|name| name.parse().unwrap());
    [SummaryOf::Decision(by()), SummaryOf::DecisionByLabel(by())]
}

/// What all blocks of each stream add up to: traffic, then outcomes.
fn sums(world: &World, items: &[ClosedWindow]) -> [PaneSummary; 2] {
    let plan = &world.engine.settings.plan;
    let mut sums = [plan.empty_traffic(), plan.empty_outcomes()];
    for item in items {
        let place = usize::from(matches!(item.stream, Stream::Outcomes { .. }));
        let summary = PaneSummary::from_bytes(&item.summary).unwrap();
        sums[place].merge(&summary).unwrap();
    }
    sums
}

/// Exchange and row of all cases of such exchanges that are so.
fn rows(exchanges: u32, so: impl Fn(u32, usize) -> bool) -> u64 {
    let all = (0..exchanges).flat_map(|i| (0..=i as usize % 3).map(move |row| (i, row)));
    all.filter(|(i, row)| so(*i, *row)).count() as u64
}

fn kept_at(rate: f64) -> impl Fn(u32) -> bool {
    let sampler = Sampler::new([9; 32], rate);
    move |i| sampler.keeps(sampler.tag(format!("id-{i}").as_bytes()))
}

#[test]
fn a_small_groups_tables_hold_all_its_cases_and_nothing_else_is_touched() {
    let (world, items) = told(0.25, WHOLE, 600);
    let sums = sums(&world, &items);
    let kept = kept_at(0.25);
    let all = rows(600, |i, _| kept(i));
    let small = rows(600, is_small);
    let main = rows(600, |i, row| kept(i) && !is_small(i, row));
    assert!(all < 400 && small > 200, "{all} {small}");
    let pairs = |by| sums.iter().zip(tables(by));
    for (sum, of) in pairs(None) {
        assert_eq!(cases(sum, of, |_| true), all);
    }
    for (sum, of) in pairs(Some("channel")) {
        assert_eq!(cases(sum, of, |_| true), all, "another attribute's groups");
    }
    for (sum, of) in pairs(Some("site")) {
        assert_eq!(cases(sum, of.clone(), |group| group == Some(1)), small);
        assert_eq!(cases(sum, of, |group| group == Some(0)), main);
    }
    for (sum, of) in pairs(Some("site_channel")) {
        // Combinations in order: main & desk, main & web, small & desk, small & web.
        let of_small = |group| matches!(group, Some(2 | 3));
        assert_eq!(cases(sum, of.clone(), of_small), small);
        assert_eq!(cases(sum, of, |group| !of_small(group)), main);
    }
}

#[test]
fn coverage_tells_them_apart_and_adds_up() {
    let (_, items) = told(0.25, WHOLE, 600);
    let kept = kept_at(0.25);
    let coverage = traffic(&items);
    let whole = (0..600).filter(|i| kept(*i)).count() as u64;
    assert_eq!((coverage.seen, coverage.sampled), (600, whole));
    assert_eq!(coverage.sampled_out, 600 - whole);
    assert_eq!(coverage.rows, rows(600, |i, _| kept(i)));
    let has_small = |i: &u32| (0..=*i as usize % 3).any(|row| is_small(*i, row));
    let by_group = (0..600).filter(|i| !kept(*i) && has_small(i)).count() as u64;
    assert_eq!(coverage.for_groups, by_group);
    let labels = outcomes(&items);
    let sum = |of: fn(&OutcomeCoverage) -> u64| labels.iter().map(|(_, _, c)| of(c)).sum::<u64>();
    assert_eq!(
        sum(|c| c.labels),
        coverage.rows,
        "what the share of labelled cases is of"
    );
    let extra = rows(600, |i, row| !kept(i) && is_small(i, row));
    assert_eq!(sum(|c| c.for_groups), extra);
    let rest = rows(600, |i, row| !kept(i) && !is_small(i, row));
    assert_eq!(sum(|c| c.sampled_out), rest, "none is unknown");
}

#[test]
fn all_other_summaries_are_those_of_a_plan_without_such_groups() {
    let [with, without] = [WHOLE, ""].map(|shares| {
        let (world, items) = told(0.25, shares, 300);
        sums(&world, &items)
    });
    let mut compared = 0;
    for ((key, with), (same, without)) in with
        .iter()
        .zip(&without)
        .flat_map(|(a, b)| a.iter().zip(b.iter()))
    {
        assert_eq!(key, same);
        if !key.of.to_string().contains("site") {
            assert_eq!(with, without, "{}", key.of);
            compared += 1;
        }
    }
    assert!(compared > 8, "{compared}");
}

#[test]
fn a_share_below_one_chooses_by_the_same_hash_as_the_rate_for_all() {
    let (world, items) = told(0.25, "    sampled_at_least: { small: 0.5 }\n", 600);
    let sums = sums(&world, &items);
    let half = kept_at(0.5);
    let small = rows(600, |i, row| half(i) && is_small(i, row));
    for (sum, of) in sums.iter().zip(tables(Some("site"))) {
        assert_eq!(cases(sum, of, |group| group == Some(1)), small);
    }
}

#[test]
fn a_share_below_the_rate_for_all_asks_for_nothing() {
    let (_, items) = told(0.5, "    sampled_at_least: { small: 0.25 }\n", 200);
    let (_, plain) = told(0.5, "", 200);
    assert_eq!(traffic(&items), traffic(&plain));
    let bytes =
        |items: &[ClosedWindow]| items.iter().map(|i| i.summary.clone()).collect::<Vec<_>>();
    assert_eq!(bytes(&items), bytes(&plain));
}

#[test]
fn labels_that_come_before_their_request_find_it_or_turn_out_to_be_left_out() {
    let mut world = World::new(stratified(0.25, WHOLE));
    let left_out = |i: &u32| !kept_at(0.25)(*i);
    let of_small = (0..100).find(|i| left_out(i) && is_small(*i, 0)).unwrap();
    let of_main = (0..100)
        .find(|i| left_out(i) && i % 3 == 0 && !is_small(*i, 0))
        .unwrap();
    for i in [of_small, of_main] {
        let report = world.join(label(&format!("id-{i}"), 0, 1.0, 5), 5);
        assert_eq!(report.waiting, 1);
        world.tell(looked(minute(0), Ok(exchange(i, 1))), 10);
    }
    let items = world.close(0, 2);
    let found = outcomes(&items);
    let sum = |of: fn(&OutcomeCoverage) -> u64| found.iter().map(|(_, _, c)| of(c)).sum::<u64>();
    assert_eq!(
        (
            sum(|c| c.for_groups),
            sum(|c| c.sampled_out),
            sum(|c| c.unknown_id)
        ),
        (1, 1, 0)
    );
}
