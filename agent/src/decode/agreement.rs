//! The same rows, sent by every protocol in every form that it has, are counted as the same bytes.

use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::objective::{self, Document};
use clause9_shared::plan::CapturePlan;
use clause9_shared::wire::codec::Encode;

use self::bodies::{CORPUS, Row, Sent, all};
use super::{DECODERS, find};

pub(crate) mod bodies;

const OBJECTIVES: &str = include_str!("agreement/objectives.yaml");

/// Every exchange of the corpus.
pub(crate) fn exchanges() -> impl Iterator<Item = crate::exchange::Exchange> {
    all().into_iter().map(|sent| sent.exchange)
}

/// Where the values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Under names.
    Names,
    /// By their places, where the protocol has no names.
    Places,
}

/// The objectives file; where values have no names, with their places.
fn document(naming: Naming, others: &str) -> Document {
    let known = "    - { name: credit, source: own }\n";
    let mut text = OBJECTIVES.replace(known, &format!("{known}{others}"));
    if naming == Naming::Places {
        for (column, name) in ["age", "income", "debt", "grade"].iter().enumerate() {
            text = text.replace(
                &format!("{{ input: {name} }}"),
                &format!("{{ input: instances, column: {column} }}"),
            );
        }
        text = text.replace("{ output: p }", "{ output: predictions }");
    }
    objective::load("objectives.yaml", &text).unwrap()
}

pub(crate) fn plan(naming: Naming) -> CapturePlan {
    plan_with(naming, "")
}

/// The same with further models, as lines of the document.
pub(crate) fn plan_with(naming: Naming, others: &str) -> CapturePlan {
    let document = document(naming, others);
    let mut builder = BaselineBuilder::new(&document, "reference");
    for row in CORPUS.iter().chain(&CORPUS) {
        let Row {
            age,
            income,
            debt,
            grade,
            p,
        } = *row;
        let debt = debt.map_or(Cell::Missing, Cell::Float);
        for (at, cell) in [
            Cell::Float(age),
            Cell::Float(income),
            debt,
            Cell::Int(grade),
        ]
        .into_iter()
        .enumerate()
        {
            builder.observe(at, cell);
        }
        builder.observe_score(p);
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    CapturePlan::new(&document, &baseline).unwrap()
}

/// The bytes of a pane in which this was counted.
fn counted(plan: &CapturePlan, sent: &Sent) -> Vec<u8> {
    let exchange = &sent.exchange;
    let decoder = find(DECODERS, &exchange.method, exchange.target.path()).unwrap();
    let mut inference = decoder
        .decode(exchange)
        .unwrap_or_else(|reason| panic!("{}: {}", sent.form, reason.as_str()));
    assert_eq!(inference.rows, CORPUS.len(), "{}", sent.form);
    plan.prepare(&mut inference);
    let mut pane = plan.empty_traffic();
    plan.observe_all(&inference, &mut pane, &mut Vec::new())
        .unwrap_or_else(|lacking| panic!("{}: {lacking}", sent.form));
    let mut bytes = clause9_shared::wire::codec::Writer::default();
    pane.encode(&mut bytes);
    bytes.into_bytes()
}

#[test]
fn one_corpus_sent_by_every_protocol_is_counted_as_the_same_bytes() {
    let plans = [Naming::Names, Naming::Places].map(|naming| (naming, plan(naming)));
    let sent = all();
    assert_eq!(sent.len(), 22, "as the page on protocols says");
    let mut first: Option<Vec<u8>> = None;
    for one in &sent {
        let (_, plan) = plans.iter().find(|(n, _)| *n == one.naming).unwrap();
        let bytes = counted(plan, one);
        let first = first.get_or_insert_with(|| bytes.clone());
        assert_eq!(*first, bytes, "{} is counted otherwise", one.form);
    }
    // Every protocol for rows took part; language models have no such rows.
    for decoder in DECODERS.iter().filter(|d| d.name() != "openai") {
        let took_part = sent.iter().any(|one| {
            let exchange = &one.exchange;
            decoder.matches(&exchange.method, exchange.target.path())
        });
        assert!(took_part, "{}", decoder.name());
    }
}

#[test]
fn other_rows_are_counted_as_other_bytes() {
    let plan = plan(Naming::Names);
    let sent = all();
    let named = sent.iter().find(|one| one.naming == Naming::Names).unwrap();
    let mut other = CORPUS;
    other[7].income += 0.125;
    let changed = bodies::first(&other);
    assert_ne!(counted(&plan, named), counted(&plan, &changed));
}
