//! Verdicts in plain words, for people who read no formulas. Nothing is decided here.

use super::Sums;
use super::table::Facts;
use crate::bet::fixed;
use crate::metric::{Grade, Unmeasurable};
use crate::objective::Unlabelled;
use crate::objective::document::Comparator;
use crate::verdict::{VerdictState, WithoutLabel};

/// Why a verdict is what it is.
pub(super) fn because(found: VerdictState, facts: &Facts<'_>, needed: Option<u64>) -> String {
    let said = of_labelled(found, facts, needed);
    match facts.compiled.without_label(facts.state) {
        Some(open) if open.known < open.cases => format!("{said}; {}", without_label(facts, &open)),
        Some(_) | None => said,
    }
}

/// What cases without a label count as, and what that leaves open.
fn without_label(facts: &Facts<'_>, open: &WithoutLabel) -> String {
    let objective = &facts.compiled.objective;
    let below = match objective.comparator {
        Comparator::AtLeast => "below",
        Comparator::AtMost => "above",
    };
    let assumed = match objective.labels {
        Unlabelled::AsObserved => "count as the others do".to_owned(),
        Unlabelled::WorstCase => "count against a breach, and against conformity".to_owned(),
        Unlabelled::Sensitivity(factor) => {
            format!(
                "may have odds up to {} times those of the others, or as many times less",
                number(factor)
            )
        }
    };
    let breach = open.breached_at.map_or_else(
        || "so few have a label that no breach can be confirmed".to_owned(),
        |level| {
            format!(
                "of those with a label the value must be {below} {} for a breach",
                number(level)
            )
        },
    );
    let tipping = match open.tipping {
        Some(share) if (0.0..=1.0).contains(&share) => format!(
            "all cases together are at the action level if {} of those without were decided rightly",
            number(share)
        ),
        Some(_) | None => {
            "however those without were decided, all cases together stay on this side of the action level".to_owned()
        }
    };
    format!(
        "{} of {} decided cases in this cycle have no label and {assumed}: {breach}; {tipping}",
        open.cases.saturating_sub(open.known),
        open.cases,
    )
}

fn of_labelled(found: VerdictState, facts: &Facts<'_>, needed: Option<u64>) -> String {
    match found {
        VerdictState::Nonconforming => nonconforming(facts),
        VerdictState::Warning => warning(facts),
        VerdictState::Watch => watch(facts),
        VerdictState::Conforming => conforming(facts),
        VerdictState::Inconclusive => inconclusive(facts, needed),
        VerdictState::NoData => format!(
            "nothing was measured in {}: {}",
            blocks(facts.state.blocks),
            window(facts)
        ),
    }
}

fn nonconforming(facts: &Facts<'_>) -> String {
    let objective = &facts.compiled.objective;
    let at = facts.state.confirmed_at.unwrap_or(facts.state.blocks);
    let since = facts.state.confirmed_since.map_or_else(String::new, |b| {
        format!(", estimated to have begun in block {b}")
    });
    let bound = match facts.compiled.grade {
        Grade::A => "the chance that this is a false alarm is at most",
        Grade::B => "by a normal approximation, the chance of a false alarm is about",
        Grade::C => "if the model behind it holds, the chance of a false alarm is about",
    };
    format!(
        "the evidence of a breach of the action level {} reached {} nats at block {at}{since}; {bound} {} in a \
         cycle of {} blocks; {}",
        number(objective.levels.action),
        nats(facts.compiled.nonconformity_at),
        number(objective.alpha + objective.reference_error.unwrap_or(0.0)),
        facts.compiled.steps_per_cycle,
        window(facts),
    )
}

fn warning(facts: &Facts<'_>) -> String {
    let compiled = facts.compiled;
    let levels = compiled.objective.levels;
    let (which, level, evidence) = if facts.evidence >= compiled.warning_at {
        ("action", levels.action, facts.evidence)
    } else {
        let level = levels.alert.unwrap_or(levels.action);
        (
            "alert",
            level,
            facts.alert_evidence.unwrap_or(facts.evidence),
        )
    };
    let end = if which == "action" {
        format!(
            "a nonconformity needs {} nats",
            nats(compiled.nonconformity_at)
        )
    } else {
        format!(
            "the alert level can only warn; at the action level {} the evidence is {} nats",
            number(levels.action),
            nats(facts.evidence)
        )
    };
    format!(
        "the evidence of a breach of the {which} level {} is {} nats, past the {} of a warning; {end}; {}",
        number(level),
        nats(evidence),
        nats(compiled.warning_at),
        window(facts),
    )
}

fn watch(facts: &Facts<'_>) -> String {
    let objective = &facts.compiled.objective;
    let side = match objective.comparator {
        Comparator::AtLeast => "below",
        Comparator::AtMost => "above",
    };
    let level = number(objective.levels.action);
    let proof = format!(
        "evidence {} of the {} nats of a warning",
        nats(facts.evidence.max(0)),
        nats(facts.compiled.warning_at)
    );
    let mean = facts.running.map_or(0.0, |r| r.mean);
    let title = name(facts);
    if facts.window_is_wrong() {
        let value = facts.measured.map_or(0.0, |e| e.value);
        format!(
            "{title} was {} in this window, {side} the action level {level}, but one window is not proof: {proof}",
            number(value)
        )
    } else {
        format!(
            "{title} was {} on average over this cycle, {side} the action level {level}, but that is not proof: {proof}",
            number(mean)
        )
    }
}

fn conforming(facts: &Facts<'_>) -> String {
    let objective = &facts.compiled.objective;
    let (low, high) = ends(facts);
    let side = match objective.comparator {
        Comparator::AtLeast => "at or above",
        Comparator::AtMost => "at or below",
    };
    let margin = if objective.margin > 0.0 {
        format!(" with its margin of {}", number(objective.margin))
    } else {
        String::new()
    };
    format!(
        "{} over this cycle lies between {low} and {high}, {side} the action level {}{margin}, on {} cases in {}; {}",
        name(facts),
        number(objective.levels.action),
        facts.state.support,
        blocks(facts.state.blocks),
        window(facts),
    )
}

fn inconclusive(facts: &Facts<'_>, needed: Option<u64>) -> String {
    let objective = &facts.compiled.objective;
    let more = needed.map_or_else(
        || "more cases are needed".to_owned(),
        |n| format!("about {n} more cases are needed"),
    );
    if facts.stale() && facts.clears() {
        return format!(
            "{} in the last {}; what was measured before no longer speaks for now",
            if facts.state.heard == 0 || facts.state.silent >= facts.compiled.stale_after {
                "nothing was measured".to_owned()
            } else {
                format!(
                    "there were {} cases, fewer than the least support of {},",
                    facts.state.heard, objective.min_support
                )
            },
            blocks(if facts.state.silent >= facts.compiled.stale_after {
                facts.state.silent
            } else {
                facts.state.thin
            })
        );
    }
    if !facts.enough() {
        return format!(
            "{} cases in this cycle, fewer than the least support of {}: {more}; {}",
            facts.state.support,
            objective.min_support,
            window(facts),
        );
    }
    if let (None, Sums::Normal { waiting, .. }) = (facts.running, &facts.state.sums) {
        return format!(
            "{} cases in {} are not enough yet for {} and its standard error: {more}; {}",
            waiting.cases,
            blocks(waiting.blocks),
            name(facts),
            window(facts),
        );
    }
    if facts.impossible() {
        return format!(
            "{} over this cycle comes out where it cannot be, so that its approximation does not hold and \
             nothing is claimed by it: {more}; {}",
            name(facts),
            window(facts),
        );
    }
    let (low, high) = ends(facts);
    format!(
        "{} over this cycle lies between {low} and {high}, which does not clear the action level {}: {more} (by the \
         width of the confidence sequence); {}",
        name(facts),
        number(objective.levels.action),
        window(facts),
    )
}

/// What the window shows, in a clause.
fn window(facts: &Facts<'_>) -> String {
    let title = name(facts);
    match facts.window {
        Ok(e) if facts.measured.is_some() => {
            format!(
                "in this window {title} was {} on {} cases",
                number(e.value),
                e.support
            )
        }
        Ok(e) => format!(
            "this window has {} cases, fewer than the least support of {}",
            e.support, facts.compiled.objective.min_support
        ),
        Err(Unmeasurable::NoData) => "this window has no data".to_owned(),
        Err(
            why @ (Unmeasurable::Undefined(_)
            | Unmeasurable::NoReferenceHits { .. }
            | Unmeasurable::LacksSummary(_)),
        ) => format!("this window has no value: {why}"),
    }
}

/// The metric's title within a sentence.
fn name(facts: &Facts<'_>) -> String {
    facts.compiled.objective.metric.spec().within_a_sentence()
}

/// The ends of the interval, within what the metric can be: what lies outside is no possible truth.
fn ends(facts: &Facts<'_>) -> (String, String) {
    let (least, most) = facts.compiled.objective.metric.spec().range;
    let end = |x: f64| number(x.clamp(least, most));
    facts.running.map_or_else(
        || ("?".to_owned(), "?".to_owned()),
        |r| (end(r.low), end(r.high)),
    )
}

fn blocks(n: u32) -> String {
    if n == 1 {
        "1 block".to_owned()
    } else {
        format!("{n} blocks")
    }
}

fn nats(fixed: i64) -> String {
    if fixed <= -fixed::LIMIT / 2 {
        return "no".to_owned();
    }
    format!("{:.1}", fixed::to_nats(fixed))
}

/// A number with at most four decimals, or two significant digits if it is small.
fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.001 {
        return format!("{x:.1e}");
    }
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
