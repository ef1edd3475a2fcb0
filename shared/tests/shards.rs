//! The law the product rests on: replicas that each saw a part of the traffic, added up in any
//! order, are one agent that saw it all, byte for byte. T1.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

mod loan;

use std::collections::BTreeMap;

use clause9_shared::inference::Inference;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, Joined, Outcome, Prediction};
use clause9_shared::sketch::{
    Confusion, Histogram, PaneSummary, Summary, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::wire::codec::{Decode, Encode};
use loan::Dice;
use proptest::prelude::*;

/// Panes in which outcomes arrive.
const ARRIVALS: usize = 3;

/// Exchanges, and for each row its outcomes in the order in which they come, with the pane.
struct World {
    exchanges: Vec<Inference>,
    outcomes: Vec<(usize, Vec<(usize, Outcome)>)>,
}

impl World {
    fn random(dice: &mut Dice, exchanges: usize) -> Self {
        let exchanges: Vec<_> = (0..exchanges)
            .map(|_| {
                let rows = 1 + dice.below(8);
                loan::random_exchange(dice, rows)
            })
            .collect();
        let mut outcomes = Vec::new();
        for (exchange, inference) in exchanges.iter().enumerate() {
            for row in 0..inference.rows {
                let mut arrivals: Vec<_> =
                    (0..dice.below(4)).map(|_| dice.below(ARRIVALS)).collect();
                arrivals.sort_unstable();
                let told = arrivals
                    .into_iter()
                    .map(|pane| (pane, outcome(dice, row)))
                    .collect();
                outcomes.push((exchange, told));
            }
        }
        Self {
            exchanges,
            outcomes,
        }
    }

    /// What agents count that saw the exchanges in this order, each with the outcomes of its own.
    fn counted(&self, plan: &CapturePlan, order: &[usize], dice: &mut Dice) -> Counted {
        let mut counted = Counted::new(plan);
        let mut remembered: BTreeMap<(usize, usize), Prediction> = BTreeMap::new();
        for exchange in order {
            let inference = &self.exchanges[*exchange];
            let observations = plan.observations(inference).unwrap();
            for (row, observation) in observations.enumerate() {
                let prediction = plan.observe(observation, &mut counted.traffic);
                remembered.insert((*exchange, row), prediction);
                counted.rows += 1;
            }
        }
        let ours = self
            .outcomes
            .iter()
            .filter(|(exchange, _)| order.contains(exchange));
        let mut queues: Vec<_> = ours.map(|(e, told)| (*e, told.iter())).collect();
        let mut turns: Vec<usize> = queues
            .iter()
            .enumerate()
            .flat_map(|(i, (_, told))| vec![i; told.len()])
            .collect();
        dice.shuffle(&mut turns);
        for turn in turns {
            let (exchange, told) = &mut queues[turn];
            let (pane, outcome) = told.next().unwrap();
            let row = usize::try_from(outcome.row).unwrap();
            let prediction = remembered.get_mut(&(*exchange, row)).unwrap();
            let joined = plan.join(prediction, outcome, &mut counted.outcomes[*pane]);
            counted.labels += joined.labels;
            counted.groups += joined.attributes;
            assert!(joined != Joined::default() || outcome.label.is_none());
        }
        counted
    }
}

fn outcome(dice: &mut Dice, row: usize) -> Outcome {
    let label = match dice.below(6) {
        0 | 1 => Some(Scalar::Number(1.0)),
        2 | 3 => Some(Scalar::Bool(false)),
        4 => Some(Scalar::Text("perhaps".into())),
        _ => None,
    };
    let sex = ["female", "male", "other"][dice.below(3)];
    let told = dice.below(2) == 0;
    let attributes = told.then(|| ("sex".parse().unwrap(), sex.to_owned()));
    Outcome {
        request_id: "r".into(),
        row: u32::try_from(row).unwrap(),
        label,
        attributes: attributes.into_iter().collect(),
        available_at: None,
    }
}

struct Counted {
    traffic: PaneSummary,
    outcomes: Vec<PaneSummary>,
    rows: u64,
    labels: u64,
    groups: u64,
}

impl Counted {
    fn new(plan: &CapturePlan) -> Self {
        Self {
            traffic: plan.empty_traffic(),
            outcomes: vec![plan.empty_outcomes(); ARRIVALS],
            rows: 0,
            labels: 0,
            groups: 0,
        }
    }

    fn merge(&mut self, other: &Self) {
        // As a collector does it: from bytes.
        let sent = |pane: &PaneSummary| PaneSummary::from_bytes(&pane.to_bytes()).unwrap();
        self.traffic.merge(&sent(&other.traffic)).unwrap();
        for (mine, theirs) in self.outcomes.iter_mut().zip(&other.outcomes) {
            mine.merge(&sent(theirs)).unwrap();
        }
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        [&self.traffic]
            .into_iter()
            .chain(&self.outcomes)
            .map(Encode::to_bytes)
            .collect()
    }

    fn wild(&self) -> &Histogram {
        let of = SummaryOf::Feature("wild".parse().unwrap());
        Histogram::of(
            self.traffic
                .get(&SummaryKey::new(of, SummaryKind::Histogram))
                .unwrap(),
        )
        .unwrap()
    }

    fn outcome_total(&self, of: &SummaryOf) -> u64 {
        let key = SummaryKey::new(of.clone(), SummaryKind::Confusion);
        let tables = self
            .outcomes
            .iter()
            .filter_map(|pane| pane.get(&key).and_then(Confusion::of));
        tables.map(Confusion::total).sum()
    }
}

/// Splits exchanges over shards, each of which gets at least one.
fn split(dice: &mut Dice, exchanges: usize, shards: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..exchanges).collect();
    dice.shuffle(&mut order);
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); shards];
    for (i, exchange) in order.into_iter().enumerate() {
        let part = if i < shards { i } else { dice.below(shards) };
        parts[part].push(exchange);
    }
    parts
}

fn shards_equal_one(seed: u64, exchanges: usize, shards: usize) -> (Counted, Vec<Counted>) {
    let plan = loan::plan();
    let mut dice = Dice(seed);
    let world = World::random(&mut dice, exchanges);
    let mut everything: Vec<usize> = (0..exchanges).collect();
    let whole = world.counted(&plan, &everything, &mut dice);

    dice.shuffle(&mut everything);
    let shuffled = world.counted(&plan, &everything, &mut dice);
    assert_eq!(
        whole.bytes(),
        shuffled.bytes(),
        "order of arrival leaves no trace"
    );

    let mut parts: Vec<Counted> = split(&mut dice, exchanges, shards)
        .iter()
        .map(|part| world.counted(&plan, part, &mut dice))
        .collect();
    assert!(parts.iter().all(|part| part.rows > 0));
    dice.shuffle(&mut parts);
    let mut merged = Counted::new(&plan);
    for part in &parts {
        assert!(plan.fits(true, &part.traffic) && !plan.fits(false, &part.traffic));
        assert!(plan.fits(false, &part.outcomes[0]) && !plan.fits(true, &part.outcomes[0]));
        merged.merge(part);
    }
    assert_eq!(whole.bytes(), merged.bytes(), "shards leave no trace");
    assert_eq!(whole.traffic.digest(), merged.traffic.digest());
    (whole, parts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn replicas_added_up_are_one_agent_that_saw_everything(
        seed: u64,
        shards in 1..=4_usize,
        more in 0..160_usize,
    ) {
        let (whole, _) = shards_equal_one(seed, shards + more, shards);
        let by_sex = |of: fn(Option<clause9_shared::ids::Name>) -> SummaryOf| {
            whole.outcome_total(&of(Some("sex".parse().unwrap())))
        };
        // Each fact once, when it is complete.
        prop_assert_eq!(whole.outcome_total(&SummaryOf::DecisionByLabel(None)), whole.labels);
        prop_assert_eq!(by_sex(SummaryOf::Decision), whole.groups);
        prop_assert!(by_sex(SummaryOf::DecisionByLabel) <= whole.labels.min(whole.groups));
        for (key, summary) in whole.traffic.iter() {
            match summary {
                Summary::Hygiene(h) => prop_assert_eq!(h.rows(), whole.rows, "{}", key.of),
                Summary::Categories(c) => prop_assert_eq!(c.total(), whole.rows),
                Summary::Confusion(c) => prop_assert_eq!(c.total(), whole.rows),
                Summary::Gram(g) => prop_assert_eq!(g.n(), whole.rows),
                Summary::Projections(p) => prop_assert_eq!(p.n(), whole.rows),
                Summary::Histogram(_)
                | Summary::CutCounts(_)
                | Summary::ScoreCells(_)
                | Summary::Losses(_)
                | Summary::ClassTable(_)
                | Summary::Residuals(_)
                | Summary::Moments(_)
                | Summary::Traffic(_)
                | Summary::Distinct(_) => {}
            }
        }
    }
}

#[test]
fn cells_that_only_the_union_had_to_join_are_joined_alike() {
    let (whole, parts) = shards_equal_one(7, 900, 3);
    assert!(
        parts.iter().all(|part| part.wild().resolution() == 5),
        "no shard had to join cells"
    );
    assert_eq!(whole.wild().resolution(), 4, "the union had to");

    let (whole, parts) = shards_equal_one(8, 1400, 2);
    assert!(
        parts.iter().any(|part| part.wild().resolution() == 4),
        "a shard had to join cells"
    );
    assert_eq!(whole.wild().resolution(), 4);
}
