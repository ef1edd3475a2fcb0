//! `clause9 plan`: what objectives will be able to tell, before they are in force.

use std::path::PathBuf;

use anyhow::Context as _;
use clause9_shared::baseline::Baseline;
use clause9_shared::judge::Compiled;
use clause9_shared::metric::Needs;
use clause9_shared::objective::document::{Attribute, Document, Objective};
use clause9_shared::planning::{self, Forecast, Planned, Situation};
use serde_json::json;

use crate::terminal::Terminal;
use crate::{Ended, check, read};

/// Show what objectives will be able to tell: how soon a breach is confirmed, how many false alarms a
/// cycle may have, and how much data shows that an objective is kept.
///
/// Figures are expectations for windows of equal size. Of drift and of calibration the shape that is found
/// first and the one that is found last are shown. How metrics of labels scatter is learnt from the
/// reference's labelled rows, and of the ways in which a ratio of counts or a loss can come to the breach
/// the one nearest to them is shown. Nothing is forecast where the baseline does not keep what a metric
/// reads, as of errors of predicted numbers and of quantiles.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    /// The objectives file.
    #[arg(long, value_name = "FILE")]
    objectives: PathBuf,
    /// The baseline.
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Cases in a pane.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rows: u64,
    /// The share of cases that is kept, by `sampling.rate` or by what a cap lowers it to.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 1.0)]
    rate: f64,
    /// The share of cases whose label (or late attribute) comes, for objectives that wait for it. Default:
    /// the objective's `expected_labelled`, else 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    labelled: Option<f64>,
    /// A breach to be planned for, as `accuracy=0.8`; may be given several times. Others are twice
    /// the level or odds, three quarters of a ratio, a tenth of a difference.
    #[arg(long, value_name = "OBJECTIVE=VALUE", value_parser = breach)]
    breach: Vec<(String, f64)>,
    /// For comparisons of groups: the reference group's rate.
    #[arg(long, value_name = "RATE", default_value_t = 0.4)]
    reference_rate: f64,
    /// For comparisons of groups: the compared group's share of both groups' cases.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    compared_share: f64,
    /// Answer in JSON, for programs.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    let share = share.filter(|share: &f64| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| format!("`{text}` is no share above 0 and at most 1, as 0.4"))
}

fn breach(text: &str) -> Result<(String, f64), String> {
    let (id, value) = text
        .split_once('=')
        .ok_or("write an objective and a value, as accuracy=0.8")?;
    let value: f64 = value
        .parse()
        .map_err(|_| format!("`{value}` is no number"))?;
    Ok((id.to_owned(), value))
}

pub(crate) fn run(args: &Plan, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let file = read::objectives(&args.objectives)?;
    let Ok(document) = &file.checked else {
        check::show(&file, terminal)?;
        return Ok(Ended::WithProblems);
    };
    let baseline = baseline(&args.baseline)?;
    for (id, _) in &args.breach {
        let known = document.objectives.iter().any(|o| o.id.as_str() == id);
        anyhow::ensure!(
            known,
            "--breach {id}: there is no such objective; name one of the file"
        );
    }
    let of = Planned {
        document,
        baseline: &baseline,
    };
    let (mut rows, mut ended) = (Vec::new(), Ended::Well);
    for objective in &document.objectives {
        match Compiled::new(document, objective, &baseline) {
            Ok(compiled) => rows.push(one(args, &compiled, of, terminal)?),
            Err(error) => {
                ended = Ended::WithProblems;
                if args.json {
                    rows.push(json!({ "objective": objective.id, "refused": error.to_string() }));
                } else {
                    terminal.line(&error.to_string())?;
                }
            }
        }
    }
    if args.json {
        terminal.json(&json!({ "ok": ended == Ended::Well, "objectives": rows }))?;
    }
    Ok(ended)
}

/// Reads a baseline.
pub(crate) fn baseline(path: &std::path::Path) -> anyhow::Result<Baseline> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Baseline::from_json(&text).with_context(|| format!("{name} is no baseline"))
}

fn one(
    args: &Plan,
    compiled: &Compiled,
    of: Planned<'_>,
    terminal: &mut Terminal,
) -> anyhow::Result<serde_json::Value> {
    let objective = &compiled.objective;
    let (usual, kept) = planning::usual(compiled);
    let named = args
        .breach
        .iter()
        .find(|(id, _)| objective.id.as_str() == id);
    let labelled = args.labelled.or(objective.expected_labelled);
    let (cases, compared_share) = kept_cases(args, of.document, objective);
    let situation = Situation {
        cases,
        labelled: labelled
            .filter(|_| objective.label_delay.is_some())
            .unwrap_or(1.0),
        breach: named.map_or(usual, |(_, value)| *value),
        kept,
        reference_rate: args.reference_rate,
        compared_share,
    };
    let forecast = planning::forecast(compiled, &situation, of);
    if !args.json {
        let id = format!("{} version {}", objective.id, objective.version);
        terminal.good(&id, "plan", &said(objective, &situation, forecast.as_ref()))?;
    }
    Ok(json!({
        "objective": objective.id, "version": objective.version, "metric": objective.metric,
        "level": objective.levels.action, "assumed": situation, "forecast": forecast,
        "grade": compiled.grade, "compiled": compiled.digest(),
    }))
}

/// Cases of a pane that are kept for an objective, on average, and the compared group's share of them: some
/// groups may be kept at a share of their own.
fn kept_cases(args: &Plan, document: &Document, objective: &Objective) -> (u64, f64) {
    let of = &objective.of;
    let named = |a: &&Attribute| of.attribute.as_ref() == Some(&a.name);
    let attribute = document.attributes.iter().find(named);
    let (Some(attribute), Some(group)) = (attribute, &of.group) else {
        return (sampled(args.rows, args.rate), args.compared_share);
    };
    let rate = |group: &str| {
        let least = document.least_share(attribute, group);
        least.map_or(args.rate, |least| least.max(args.rate))
    };
    let own = rate(group);
    match objective.metric.spec().needs {
        Needs::AttributeGroup | Needs::ClassOfAttributeGroup => {
            let compared = args.compared_share * own;
            let all = compared + (1.0 - args.compared_share) * rate(&attribute.reference);
            (sampled(args.rows, all), compared / all)
        }
        Needs::Group | Needs::ClassOfGroup => (sampled(args.rows, own), args.compared_share),
        Needs::Nothing
        | Needs::Feature
        | Needs::NumericFeature
        | Needs::CategoricalFeature
        | Needs::Attribute
        | Needs::Class => (sampled(args.rows, args.rate), args.compared_share),
    }
}

/// How many of so many cases are kept, on average.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no more than there were, and none below zero"
)]
fn sampled(cases: u64, rate: f64) -> u64 {
    if rate < 1.0 {
        (cases as f64 * rate).round() as u64
    } else {
        cases
    }
}

fn said(objective: &Objective, at: &Situation, forecast: Option<&Forecast>) -> String {
    let metric = objective.metric.spec().within_a_sentence();
    let Some(found) = forecast else {
        return format!(
            "{metric}: the baseline does not say how it scatters, so nothing is forecast"
        );
    };
    let windows = |n: u64| match n {
        1 => "1 pane".to_owned(),
        n => format!("{n} panes"),
    };
    let after = |n: Option<u64>| n.map(|n| format!("after about {}", windows(n)));
    let confirmed = after(found.blocks_to_confirm).map_or_else(
        || "never confirmed".to_owned(),
        |after| format!("confirmed {after}"),
    );
    let warned = after(found.blocks_to_warn).unwrap_or_else(|| "never".to_owned());
    let slowest = found
        .blocks_to_confirm_slowest
        .map_or_else(String::new, |n| {
            format!(" ({} for the shape that is found last)", windows(n))
        });
    let cases = found
        .cases_to_confirm
        .map_or_else(String::new, |n| format!(", {n} cases"));
    let labels = if at.labelled < 1.0 {
        format!(", {} of them labelled", short(at.labelled))
    } else {
        String::new()
    };
    let delay = found.blocks_of_delay.map_or_else(String::new, |n| {
        format!(
            ", each {} later than that, when labels have had their time",
            windows(n)
        )
    });
    let kept = short(at.kept);
    let conforms = match found.blocks_to_conform {
        Some(n) => format!(
            "{} of {metric} {kept} show that the objective is kept",
            windows(n)
        ),
        None if found.conforming_forecast => {
            format!("{metric} {kept} never shows that the objective is kept")
        }
        None => {
            format!("how soon {metric} {kept} shows that the objective is kept is not forecast")
        }
    };
    format!(
        "with {} cases in a pane{labels}, {metric} {} (level {}) is {confirmed}{slowest}{cases}, a \
         warning is given {warned}{delay}; in a cycle of {} panes the chance of any false nonconformity is at most \
         {}, false warnings are at most {} on average; {conforms}",
        at.cases,
        short(at.breach),
        short(objective.levels.action),
        found.steps_per_cycle,
        short(found.false_nonconformity),
        short(found.false_warnings),
    )
}

/// A number with at most four decimals.
fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
