//! Every metric of the table, of every subject that fits it, in every window; and the verdicts of the
//! document's objectives over the windows.

use std::collections::BTreeMap;

use clause9_shared::bet::fixed;
use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::ledger::many;
use clause9_shared::metric::{Answers, Beside, Measurement, MetricId, Needs, Seen, StreamKind};
use clause9_shared::objective::document::{Decision, Document, Subject};
use clause9_shared::objective::{Attribute, FeatureType, Objective};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::{PaneSummary, SummaryOf};
use clause9_shared::text::TextNumber;
use clause9_shared::time::{Span, Timestamp};

use super::counting::Window;
use super::late;
use super::report::{Arrived, NotJudged, NotMeasured, Row, Together, VerdictRow, WindowRow, ends};
use super::serving::Serving;
use super::windowing::Bounds;

/// What a metric is taken of, all of it.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    pub(crate) not_measured: Vec<NotMeasured>,
}

/// Why a metric fits nothing in a document.
fn lacks(metric: MetricId, document: &Document, labelled: bool) -> Option<&'static str> {
    let spec = metric.spec();
    if let Some(why) = answers_otherwise(spec.answers, document) {
        return Some(why);
    }
    if spec.needs_score && document.outputs.score.is_none() {
        Some("there is no score; name its column with --score")
    } else if spec.needs_decision && document.outputs.decision.is_none() {
        Some("there is no decision; name its column with --decision")
    } else if spec.needs_label && document.outputs.label.is_none() {
        Some("there is no label; name its column with --label")
    } else if matches!(metric, MetricId::Cost | MetricId::GroupCost)
        && document
            .outputs
            .decision
            .as_ref()
            .is_none_or(|decision| decision.costs.is_none())
    {
        Some("the document does not say what decisions cost; state `costs` under `decision`")
    } else if spec.needs_label && !labelled {
        Some("no row has a label; give labels with --label, or a file of them with --labels")
    } else {
        None
    }
}

/// Why a metric is of answers that the system does not give.
fn answers_otherwise(answers: Answers, document: &Document) -> Option<&'static str> {
    let decision = document.outputs.decision.as_ref();
    let classes = decision.is_some_and(|decision| decision.classes().is_some());
    let number = document.outputs.value.is_some();
    let list = document.outputs.ranking.is_some();
    match answers {
        Answers::Any => None,
        Answers::TwoValued => (classes || number || list).then_some("answers are not between two"),
        Answers::ClassScores => decision
            .and_then(Decision::class_scores)
            .is_none()
            .then_some("there is no score of each class; name their columns with `scores` beside `classes`"),
        Answers::List => (!list).then_some("answers are no ranked lists"),
        Answers::Classes => (!classes).then_some("decisions are not among several classes"),
        Answers::Number => {
            (!number).then_some("there is no predicted number; name its column with --prediction")
        }
    }
}

/// Subjects, each once for every class of the decision.
fn in_classes(document: &Document, of: &[Subject]) -> Vec<Subject> {
    let decision = document.outputs.decision.as_ref();
    let classes = decision.and_then(|decision| decision.classes());
    let classes = classes.unwrap_or_default().iter();
    let each = classes.flat_map(|class| {
        of.iter().map(|of| Subject {
            class: Some(class.to_string()),
            ..of.clone()
        })
    });
    each.collect()
}

/// The subjects of a metric in a document.
fn subjects(metric: MetricId, document: &Document) -> Vec<Subject> {
    let features = |kind: Option<FeatureType>| -> Vec<Subject> {
        let features = document.features.iter();
        let features = features.filter(|f| kind.is_none_or(|kind| f.kind == kind));
        features
            .map(|feature| Subject {
                feature: Some(feature.name.clone()),
                ..Subject::default()
            })
            .collect()
    };
    let of_attribute = |attribute: &Attribute, group: Option<&String>| Subject {
        attribute: Some(attribute.name.clone()),
        group: group.cloned(),
        ..Subject::default()
    };
    let groups = |with_reference: bool| -> Vec<Subject> {
        let attributes = document.attributes.iter();
        let groups = attributes.flat_map(|attribute| {
            let others = attribute.groups.iter();
            others
                .filter(|group| with_reference || **group != attribute.reference)
                .map(|group| of_attribute(attribute, Some(group)))
        });
        groups.collect()
    };
    match metric.spec().needs {
        Needs::Nothing => vec![Subject::default()],
        Needs::Feature => features(None),
        // Other numbers are no flags.
        Needs::NumericFeature if metric == MetricId::FlagRate => document
            .features
            .iter()
            .filter(|feature| feature.text.is_some_and(TextNumber::is_flag))
            .map(|feature| Subject {
                feature: Some(feature.name.clone()),
                ..Subject::default()
            })
            .collect(),
        Needs::NumericFeature => features(Some(FeatureType::Numeric)),
        Needs::CategoricalFeature => features(Some(FeatureType::Categorical)),
        Needs::AttributeGroup => groups(false),
        Needs::Group => groups(true),
        Needs::Class => in_classes(document, &[Subject::default()]),
        Needs::ClassOfGroup => in_classes(document, &groups(true)),
        Needs::ClassOfAttributeGroup => in_classes(document, &groups(false)),
        Needs::Attribute => {
            let attributes = document.attributes.iter();
            attributes.map(|a| of_attribute(a, None)).collect()
        }
    }
}

/// Whether a metric of a subject reads what comes late.
fn reads_outcomes(document: &Document, metric: MetricId, of: &Subject) -> bool {
    match metric.spec().stream {
        StreamKind::Traffic => false,
        StreamKind::Outcomes => true,
        StreamKind::ByAttribute => {
            let mut attributes = document.attributes.iter();
            let named = attributes.find(|a| Some(&a.name) == of.attribute.as_ref());
            named.is_some_and(|attribute| document.comes_late(attribute))
        }
    }
}

/// The summary of a window that a metric of a subject reads.
fn summary<'a>(
    document: &Document,
    metric: MetricId,
    of: &Subject,
    window: &'a Window,
) -> &'a PaneSummary {
    if reads_outcomes(document, metric, of) {
        &window.outcomes
    } else {
        &window.traffic
    }
}

fn measure(plan: &CapturePlan, metric: MetricId, of: &Subject, window: &Window) -> Measurement {
    metric.measure(seen(plan, metric, of, window))
}

/// What a metric sees of a window.
pub(super) fn seen<'a>(
    plan: &'a CapturePlan,
    metric: MetricId,
    of: &'a Subject,
    window: &'a Window,
) -> Seen<'a> {
    let document = plan.document();
    Seen {
        document,
        baseline: plan.baseline(),
        of,
        summary: summary(document, metric, of, window),
        beside: Beside {
            length: length(window),
            traffic: Some(&window.traffic),
            ages: Some(&window.ages),
        },
    }
}

/// Beginning and end of a window, as far as it has a time.
fn times(window: &Window) -> (Option<Timestamp>, Option<Timestamp>) {
    match (&window.bounds, window.times) {
        (Bounds::Time(start, end), _) => (Some(*start), Some(*end)),
        (Bounds::Rows(_, _), Some((first, last))) => (Some(first), Some(last)),
        (Bounds::Rows(_, _), None) => (None, None),
    }
}

/// How long a window is, if it is a stretch of time.
fn length(window: &Window) -> Option<Span> {
    match &window.bounds {
        Bounds::Time(start, end) => Some(end.since(*start)),
        Bounds::Rows(..) => None,
    }
}

/// The windows as the report lists them.
pub(crate) fn window_rows(
    document: &Document,
    windows: &[Window],
    known_until: Option<Timestamp>,
) -> Vec<WindowRow> {
    let labels = document.outputs.label.is_some() && windows.iter().any(|w| w.labelled > 0);
    let rows = windows.iter().map(|window| {
        let (start, end) = times(window);
        let finality = late::finality(window, known_until, late::allowed(document));
        let arrival = window.ages.curve().into_iter();
        WindowRow {
            window: window.name(),
            cut: window.windowing.to_string(),
            start,
            end,
            rows: window.rows,
            labelled: window.labelled,
            partial: window.partial(),
            finality: labels.then_some(finality),
            arrival: arrival
                .map(|(age, share, std_error)| Arrived {
                    seconds: age.micros() as f64 / 1e6,
                    share,
                    std_error,
                })
                .collect(),
            traffic: window.traffic.digest(),
            outcomes: window.outcomes.digest(),
        }
    });
    rows.collect()
}

/// Measures everything.
pub(crate) fn all(
    plan: &CapturePlan,
    windows: &[Window],
    serving: &Serving,
    known_until: Option<Timestamp>,
) -> Measured {
    let document = plan.document();
    let labelled = windows.iter().any(|w| w.labelled > 0);
    let mut measured = Measured {
        rows: Vec::new(),
        not_measured: Vec::new(),
    };
    let mut fitting = Vec::new();
    for metric in MetricId::ALL.iter().copied() {
        let mut why = lacks(metric, document, labelled);
        if why.is_none() {
            let all = subjects(metric, document);
            let named = !all.is_empty();
            let kept = |of: &Subject| {
                let reads = metric.reads(document, of);
                let told = |of: &SummaryOf| {
                    if let SummaryOf::Service(facet) = of {
                        serving.tells(*facet)
                    } else {
                        true
                    }
                };
                !reads.is_empty() && reads.iter().all(|key| plan.keeps(key) && told(&key.of))
            };
            let fits: Vec<Subject> = all.into_iter().filter(kept).collect();
            if fits.is_empty() {
                why = Some(if named {
                    "nothing here is of the kind that it reads"
                } else {
                    "the document names nothing of the kind that it is taken of"
                });
            }
            fitting.extend(fits.into_iter().map(|of| (metric, of)));
        }
        measured.not_measured.extend(why.map(|why| NotMeasured {
            metric,
            why: why.to_owned(),
        }));
    }
    for window in windows {
        let name = window.name();
        let finality = late::finality(window, known_until, late::allowed(document));
        for (metric, of) in &fitting {
            let found = measure(plan, *metric, of, window);
            let mut row = row(window, &name, *metric, of, &found);
            row.finality = reads_outcomes(document, *metric, of).then_some(finality);
            measured.rows.push(row);
        }
    }
    measured
}

fn row(window: &Window, name: &str, metric: MetricId, of: &Subject, found: &Measurement) -> Row {
    let (start, end) = times(window);
    let spec = metric.spec();
    let estimate = found.as_ref().ok();
    let shown = estimate.filter(|e| e.value.is_finite());
    Row {
        window: name.to_owned(),
        start,
        end,
        subject: of.clone(),
        metric,
        value: shown.map(|e| e.value),
        interval: shown.and_then(|e| e.interval).map(ends),
        // Said once all intervals are known.
        interval_from: None,
        no_interval: None,
        bound: shown.and_then(|e| e.bound).map(ends),
        n: Some(estimate.map_or(0, |e| e.support)),
        grade: spec.grade,
        unit: spec.unit.to_owned(),
        finality: None,
        undefined: match found {
            Ok(_) if shown.is_none() => Some("undefined: not a finite number".to_owned()),
            Ok(_) => None,
            Err(why) => Some(why.to_string()),
        },
    }
}

/// What judging gives.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) verdicts: Vec<VerdictRow>,
    pub(crate) together: Vec<Together>,
    pub(crate) refused: Vec<NotJudged>,
}

/// The version of each objective that is in force in a window: the one in force at its beginning,
/// or, where windows have no time, the newest.
fn in_force<'a>(document: &'a Document, window: &Window) -> Vec<&'a Objective> {
    let mut found: BTreeMap<&str, &Objective> = BTreeMap::new();
    let (start, _) = times(window);
    for objective in &document.objectives {
        let holds = start.is_none_or(|at| {
            at >= objective.effective_from && objective.effective_to.is_none_or(|to| at < to)
        });
        let newer = found
            .get(objective.id.as_str())
            .is_none_or(|other| other.version < objective.version);
        if holds && newer {
            found.insert(objective.id.as_str(), objective);
        }
    }
    found.into_values().collect()
}

/// Judges the objectives of the document over the windows: each window is a block of a ledger; each
/// way of cutting windows has ledgers of its own.
pub(crate) fn judge(
    plan: &CapturePlan,
    windows: &[Window],
    known_until: Option<Timestamp>,
) -> Judged {
    let document = plan.document();
    let mut judged = Judged::default();
    let mut compiled: Vec<(&Objective, Compiled)> = Vec::new();
    for objective in &document.objectives {
        let lacking = objective.metric.reads(document, &objective.of);
        let lacking = lacking.iter().find(|key| !plan.keeps(key));
        let result = match lacking {
            Some(key) => Err(format!("it reads {}, which is not kept", key.of)),
            None => Compiled::new(document, objective, plan.baseline()).map_err(|e| e.to_string()),
        };
        match result {
            Ok(bets) => compiled.push((objective, bets)),
            Err(why) => judged.refused.push(NotJudged {
                objective: objective.id.clone(),
                version: objective.version,
                why,
            }),
        }
    }
    let mut ledgers: BTreeMap<(String, &str, u32), LedgerState> = BTreeMap::new();
    for window in windows {
        for objective in in_force(document, window) {
            let Some((_, bets)) = compiled.iter().find(|(o, _)| std::ptr::eq(*o, objective)) else {
                continue;
            };
            let key = (
                window.windowing.to_string(),
                objective.id.as_str(),
                objective.version,
            );
            let state = ledgers.entry(key).or_insert_with(|| bets.start());
            if bets.cycle_is_over(state) && state.confirmed_at.is_none() {
                *state = bets.start();
            }
            let seen = seen(plan, objective.metric, &objective.of, window);
            let (block, _) = bets.take(state, seen);
            let mut row = verdict(window, bets, state, &block);
            let finality = late::finality(window, known_until, objective.label_delay);
            row.finality =
                reads_outcomes(document, objective.metric, &objective.of).then_some(finality);
            judged.verdicts.push(row);
        }
    }
    judged.together = together(&compiled, &ledgers, windows);
    judged
}

/// Looks at the ledgers of one metric on several features, of one error chance and cycle, together.
fn together(
    compiled: &[(&Objective, Compiled)],
    ledgers: &BTreeMap<(String, &str, u32), LedgerState>,
    windows: &[Window],
) -> Vec<Together> {
    type Side<'a> = (&'a Objective, i64, i64);
    let mut families: BTreeMap<(String, MetricId, u64, u32), Vec<Side<'_>>> = BTreeMap::new();
    for ((cut, id, version), state) in ledgers {
        let own = compiled
            .iter()
            .find(|(o, _)| o.id.as_str() == *id && o.version == *version);
        let Some((objective, bets)) = own else {
            continue;
        };
        if objective.of.feature.is_some() {
            let alpha = objective.alpha.to_bits();
            let key = (cut.clone(), objective.metric, alpha, bets.steps_per_cycle);
            let side = (*objective, state.action.evidence(), bets.nonconformity_at);
            families.entry(key).or_default().push(side);
        }
    }
    let several = families.into_iter().filter(|(_, sides)| sides.len() > 1);
    let found = several.map(|((cut, metric, _, steps), sides)| {
        let evidence: Vec<i64> = sides.iter().map(|(_, evidence, _)| *evidence).collect();
        let alpha = sides.first().map_or(0.0, |(objective, ..)| objective.alpha);
        let broken = many::which(&evidence, steps, alpha);
        let last = windows
            .iter()
            .rev()
            .find(|w| w.windowing.to_string() == cut);
        Together {
            metric,
            window: last.map_or_else(String::new, Window::name),
            cut,
            objectives: sides.iter().map(|(o, ..)| o.id.clone()).collect(),
            alpha,
            any: fixed::to_nats(many::any_of(&evidence).unwrap_or(0).max(0)),
            nonconformity_at: fixed::to_nats(sides.first().map_or(0, |(.., at)| *at)),
            broken: broken.into_iter().map(|i| sides[i].0.id.clone()).collect(),
        }
    });
    found.collect()
}

fn verdict(
    window: &Window,
    bets: &Compiled,
    state: &LedgerState,
    block: &Measurement,
) -> VerdictRow {
    let objective = &bets.objective;
    let verdict = bets.verdict(state, block);
    VerdictRow {
        objective: objective.id.clone(),
        version: objective.version,
        window: window.name(),
        cut: window.windowing.to_string(),
        metric: objective.metric,
        subject: objective.of.clone(),
        comparator: objective.comparator,
        action: objective.levels.action,
        value: block
            .as_ref()
            .ok()
            .map(|e| e.value)
            .filter(|x| x.is_finite()),
        state: verdict.state,
        grade: verdict.grade,
        evidence: fixed::to_nats(verdict.evidence.max(0)),
        warning_at: fixed::to_nats(verdict.warning_at),
        nonconformity_at: fixed::to_nats(verdict.nonconformity_at),
        running: verdict.running.map(|r| ends((r.low, r.high))),
        support: Some(verdict.support),
        needed: verdict.needed,
        finality: None,
        labels: verdict.labels,
        because: verdict.because,
    }
}
