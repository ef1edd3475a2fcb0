//! Rows counted as they come, in the way an agent counts them: parsed ones, with score, label and two
//! attributes, one exchange each and in exchanges of many rows; and events from their bytes to all columns counted. One thread, CPU time.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Named, Tensor, Values};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::time::Timestamp;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::json;

use super::{Bench, median, meter, profile, profile_data as data};

/// Goals in microseconds: a parsed row, an event from its bytes.
pub const GOALS_US: [f64; 2] = [0.5, 1.5];
/// Different rows; few enough to stay in the processor's cache, as one that was just parsed does.
const ROWS: usize = 256;
/// Rows in an exchange of many.
const MANY: usize = 32;
/// Names of the second attribute's groups.
const AGES: [&str; 5] = ["18", "30", "40", "50", "65"];

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Rounds; each way runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Rows in each run.
    #[arg(long, default_value_t = 500_000)]
    rows: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// One way in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// What was done for each row.
    pub way: &'static str,
    /// Microseconds of processor time for each row.
    pub us: f64,
}

/// A way of counting, with what it needs.
struct Way {
    name: &'static str,
    goal: Option<f64>,
    /// Counts so many rows; how many were counted.
    count: Box<dyn FnMut(usize) -> anyhow::Result<u64>>,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.rounds > 0 && self.rows > 0,
            "no rounds or no rows: nothing would be measured"
        );
        let mut ways = vec![single()?, many()?, labelled()?];
        ways.extend(events()?);
        let mut runs: Vec<Run> = Vec::new();
        for way in &mut ways {
            (way.count)(ROWS * 40)?;
        }
        for round in 1..=self.rounds {
            for way in &mut ways {
                let before = meter::cpu_nanoseconds(std::process::id())?;
                let counted = (way.count)(self.rows)?;
                let used = meter::cpu_nanoseconds(std::process::id())? - before;
                anyhow::ensure!(used > 0 && counted > 0, "{}: nothing was counted", way.name);
                let us = used as f64 / 1e3 / counted as f64;
                if !self.json {
                    writeln!(out, "round {round} {}: {us:.3} us", way.name)?;
                }
                runs.push(Run {
                    round,
                    way: way.name,
                    us,
                });
            }
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&runs)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`; medians:", profile()?)?;
        for way in &ways {
            let of = runs.iter().filter(|run| run.way == way.name);
            let middle = median(of.map(|run| run.us).collect());
            let middle = middle.with_context(|| format!("{}: not measured", way.name))?;
            let goal = way.goal.map_or_else(
                || "no goal of its own".to_owned(),
                |goal| format!("goal {goal} us"),
            );
            writeln!(out, "{middle:.3} us ({goal}): {}", way.name)?;
        }
        Ok(())
    }
}

/// The plan of 25 columns; with score, decision, label and two attributes of the request, if wanted.
pub(super) fn plan(with_outputs: bool) -> anyhow::Result<CapturePlan> {
    let mut document = serde_json::to_value(profile::document()?)?;
    if with_outputs {
        document["outputs"] = json!({
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "granted" },
            "label": { "positive": 1, "negative": 0 },
        });
        let from = |name: &str| json!({ "request": { "input": name } });
        document["attributes"] = json!([
            { "name": "sex", "from": from("sex"), "groups": ["f", "m"], "reference": "m" },
            { "name": "age", "from": from("age"), "groups": AGES, "reference": "40" },
        ]);
    }
    let document: Document = serde_json::from_value(document)?;
    let mut builder = BaselineBuilder::new(&document, "reference");
    let reference = exchange(20_000, 1);
    for row in 0..reference.rows {
        for index in 0..document.features.len() {
            builder.observe(index, reference.inputs[index].cell(row, 0));
        }
        builder.end_row();
    }
    Ok(CapturePlan::new(
        &document,
        &builder.finish(Digest::of(b"reference"))?,
    )?)
}

/// An exchange of so many rows.
pub(super) fn exchange(rows: usize, seed: u64) -> Inference {
    let tensor = |name: &str, values: Values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let (numbers, codes) = data::draw(rows, seed);
    let numbers = (0..).zip(numbers);
    let mut inputs: Vec<Tensor> = numbers
        .map(|(i, values): (usize, _)| tensor(&format!("n{i:02}"), Values::Float(values)))
        .collect();
    for (column, codes) in codes.iter().enumerate() {
        let texts = codes
            .iter()
            .map(|code| data::category(column, *code).into());
        inputs.push(tensor(&format!("c{column}"), Values::Text(texts.collect())));
    }
    let turn = |i: usize| i.wrapping_mul(2_654_435_761) >> 7;
    let sexes = (0..rows).map(|i| ["f", "m"][turn(i) % 2].into());
    inputs.push(tensor("sex", Values::Text(sexes.collect())));
    let ages = (0..rows).map(|i| AGES[turn(i) % AGES.len()].into());
    inputs.push(tensor("age", Values::Text(ages.collect())));
    let scores = (0..rows).map(|i| (turn(i) % 1000) as f64 / 1000.0);
    Inference {
        model: "model".into(),
        model_version: "".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows,
        inputs,
        outputs: vec![tensor("p", Values::Float(scores.collect()))],
    }
}

/// One row of an exchange as an exchange of its own.
fn row_of(whole: &Inference, row: usize) -> Inference {
    let one = |tensor: &Tensor| Tensor {
        values: match &tensor.values {
            Values::Float(v) => Values::Float(vec![v[row]]),
            Values::Text(v) => Values::Text(vec![v[row].clone()]),
            Values::Int(_)
            | Values::Uint(_)
            | Values::Bool(_)
            | Values::Mixed(_)
            | Values::Named(_) => Values::Mixed(Vec::new()),
        },
        ..tensor.clone()
    };
    Inference {
        rows: 1,
        inputs: whole.inputs.iter().map(one).collect(),
        outputs: whole.outputs.iter().map(one).collect(),
        ..whole.clone()
    }
}

fn counting(name: &'static str, exchanges: Vec<Inference>, labels: bool) -> anyhow::Result<Way> {
    let plan = plan(true)?;
    let (mut traffic, mut outcomes) = (plan.gathering(), plan.empty_outcomes());
    let mut known = Vec::new();
    let label = |label: f64| Outcome {
        request_id: String::new(),
        row: 0,
        label: Some(Scalar::Number(label)),
        attributes: std::collections::BTreeMap::new(),
        available_at: None,
    };
    let both = [label(0.0), label(1.0)];
    Ok(Way {
        name,
        goal: Some(GOALS_US[0]),
        count: Box::new(move |rows| {
            let mut counted = 0;
            for exchange in exchanges.iter().cycle() {
                known.clear();
                plan.gather(&plan.fit(exchange)?, &mut traffic, &mut known);
                if labels {
                    for (i, prediction) in known.iter_mut().enumerate() {
                        plan.join(prediction, &both[(i + counted) / 3 % 2], &mut outcomes);
                    }
                }
                counted += known.len();
                if counted >= rows {
                    break;
                }
            }
            // Rows that wait are part of what is timed.
            plan.settle(&mut traffic);
            Ok(counted as u64)
        }),
    })
}

fn single() -> anyhow::Result<Way> {
    let whole = exchange(ROWS, 3);
    let rows = (0..ROWS).map(|row| row_of(&whole, row)).collect();
    counting(
        "a parsed row of 25 columns, score, decision and two attributes",
        rows,
        false,
    )
}

fn labelled() -> anyhow::Result<Way> {
    let whole = exchange(ROWS, 3);
    let rows = (0..ROWS).map(|row| row_of(&whole, row)).collect();
    counting("the same with its label", rows, true)
}

fn many() -> anyhow::Result<Way> {
    let exchanges = (0..ROWS / MANY)
        .map(|i| exchange(MANY, 4 + i as u64))
        .collect();
    counting(
        "the same with its label, in exchanges of 32 rows",
        exchanges,
        true,
    )
}

/// Reads events of known fields into columns that are kept for their room.
#[derive(Default)]
struct Columns {
    names: Vec<Box<str>>,
    numbers: Vec<Vec<f64>>,
    texts: Vec<Coded>,
}

/// Codes of texts, the texts in the order of their codes, and their codes by text.
type Coded = (Vec<u32>, Arc<Vec<Box<str>>>, HashMap<Box<str>, u32>);

struct Text<'a>(&'a mut Coded);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let (codes, names, index) = self.0;
        let code = if let Some(code) = index.get(text) {
            *code
        } else {
            let code = u32::try_from(names.len()).map_err(E::custom)?;
            Arc::make_mut(names).push(text.into());
            index.insert(text.into(), code);
            code
        };
        codes.push(code);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Columns {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Columns {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Events mostly name their fields in one order.
        let mut next = 0;
        while let Some(key) = map.next_key::<&str>()? {
            if self.names.get(next).is_none_or(|name| **name != *key) {
                if let Some(place) = self.names.iter().position(|name| **name == *key) {
                    next = place;
                } else {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            if let Some(column) = self.numbers.get_mut(next) {
                column.push(map.next_value()?);
            } else if let Some(text) = self.texts.get_mut(next - data::NUMERIC) {
                map.next_value_seed(Text(text))?;
            } else {
                return Err(A::Error::custom("a field without a column"));
            }
            next += 1;
        }
        Ok(())
    }
}

impl Columns {
    /// The columns as an exchange; they are given back by [`Self::take_back`].
    fn give(&mut self, exchange: &mut Inference, rows: usize) {
        exchange.rows = rows;
        for (tensor, column) in exchange.inputs.iter_mut().zip(&mut self.numbers) {
            tensor.values = Values::Float(std::mem::take(column));
        }
        let texts = exchange.inputs[data::NUMERIC..].iter_mut();
        for (tensor, (codes, names, _)) in texts.zip(&mut self.texts) {
            tensor.values = Values::Named(Named {
                codes: std::mem::take(codes),
                names: Arc::clone(names),
            });
        }
    }

    fn take_back(&mut self, exchange: &mut Inference) {
        let (numeric, texts) = exchange.inputs.split_at_mut(data::NUMERIC);
        for (tensor, column) in numeric.iter_mut().zip(&mut self.numbers) {
            if let Values::Float(values) = &mut tensor.values {
                values.clear();
                std::mem::swap(values, column);
            }
        }
        for (tensor, text) in texts.iter_mut().zip(&mut self.texts) {
            if let Values::Named(named) = &mut tensor.values {
                named.codes.clear();
                std::mem::swap(&mut named.codes, &mut text.0);
                named.names = Arc::default();
            }
        }
    }
}

/// Events as JSON, one after the other: their bytes, and how many there are.
fn written() -> (Vec<String>, f64) {
    let (numbers, codes) = data::draw(ROWS, 9);
    let events: Vec<String> = (0..ROWS)
        .map(|row| {
            let numbers = (0..).zip(&numbers);
            let fields =
                numbers.map(|(i, column): (usize, _)| format!("\"n{i:02}\":{}", column[row]));
            let texts = codes.iter().enumerate();
            let texts =
                texts.map(|(i, column)| format!("\"c{i}\":\"{}\"", data::category(i, column[row])));
            format!("{{{}}}", fields.chain(texts).collect::<Vec<_>>().join(","))
        })
        .collect();
    let bytes = events.iter().map(String::len).sum::<usize>();
    (events, bytes as f64 / ROWS as f64)
}

/// From bytes: to columns alone, and to all columns counted.
fn events() -> anyhow::Result<[Way; 2]> {
    let (events, bytes) = written();
    anyhow::ensure!((300.0..700.0).contains(&bytes), "events of {bytes} bytes");
    let columns = || Columns {
        names: (0..data::NUMERIC)
            .map(|i| format!("n{i:02}"))
            .chain((0..data::CATEGORIES.len()).map(|i| format!("c{i}")))
            .map(String::into_boxed_str)
            .collect(),
        numbers: vec![Vec::new(); data::NUMERIC],
        texts: vec![Default::default(); data::CATEGORIES.len()],
    };
    let plan = plan(false)?;
    let (mut traffic, mut known) = (plan.empty_traffic(), Vec::new());
    let mut batch = exchange(1, 5);
    let (mut parsed, mut counted) = (columns(), columns());
    let copy = events.clone();
    Ok([
        Way {
            name: "the bytes of an event of 25 fields read into columns alone (serde_json)",
            goal: None,
            count: Box::new(move |rows| {
                read(&copy, rows, &mut parsed, |columns, _| {
                    columns.numbers.iter_mut().for_each(Vec::clear);
                    columns.texts.iter_mut().for_each(|text| text.0.clear());
                    Ok(())
                })
            }),
        },
        Way {
            name: "the same, and all columns counted, 32 events at a time",
            goal: Some(GOALS_US[1]),
            count: Box::new(move |rows| {
                read(&events, rows, &mut counted, |columns, rows| {
                    columns.give(&mut batch, rows);
                    known.clear();
                    plan.observe_all(&batch, &mut traffic, &mut known)?;
                    columns.take_back(&mut batch);
                    Ok(())
                })
            }),
        },
    ])
}

/// Reads events over and over, and passes them on in lots of [`MANY`].
fn read(
    events: &[String],
    rows: usize,
    columns: &mut Columns,
    mut full: impl FnMut(&mut Columns, usize) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let (mut held, mut all) = (0, 0);
    for event in events.iter().cycle().take(rows.div_ceil(MANY) * MANY) {
        let mut json = serde_json::Deserializer::from_slice(event.as_bytes());
        columns.deserialize(&mut json)?;
        held += 1;
        all += 1;
        if held == MANY {
            full(columns, held)?;
            held = 0;
        }
    }
    Ok(all)
}
