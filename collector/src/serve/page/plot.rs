//! One drawing per objective on one time axis: values with their intervals and levels above, the
//! state after each seal in the middle, the ledger's evidence with its thresholds below.

use clause9_shared::objective::document::Levels;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::verdict::VerdictState;
use clause9_shared::window::PaneStart;
use maud::{Markup, html};

use super::{state, words};
use clause9_shared::evidence::body::Status;
use clause9_shared::sealing::WindowRow;

/// Size of the drawing, in its own units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 344.0;
/// Where the plots stand within it.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 668.0;
const TOP: f64 = 14.0;
const VALUE_BOTTOM: f64 = 188.0;
const STRIP: f64 = 210.0;
const EVIDENCE_TOP: f64 = 238.0;
const BOTTOM: f64 = 316.0;
/// Evidence below this is drawn as this: before any bet it is far below zero.
const LEAST_EVIDENCE: f64 = -3.0;

/// A verdict on the time axis.
pub(super) struct Mark {
    pub(super) at: Timestamp,
    pub(super) state: VerdictState,
    pub(super) evidence: f64,
}

/// What is drawn.
pub(super) struct Plot {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) pane: Span,
    pub(super) levels: Levels,
    pub(super) windows: Vec<WindowRow>,
    pub(super) marks: Vec<Mark>,
    pub(super) thresholds: Option<(f64, f64)>,
}

/// A linear scale.
#[derive(Clone, Copy)]
struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    fn at(self, value: f64) -> f64 {
        let (low, high) = self.from;
        let share = if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        };
        self.to.0 + share.clamp(0.0, 1.0) * (self.to.1 - self.to.0)
    }

    /// About four round numbers within the scale.
    fn ticks(self) -> Vec<f64> {
        let (low, high) = self.from;
        let rough = (high - low) / 4.0;
        if !(rough.is_finite() && rough > 0.0) {
            return vec![low];
        }
        let steps = (-9..9).flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(power)));
        let step = steps.into_iter().find(|s| *s >= rough).unwrap_or(rough);
        let first = (low / step).ceil();
        (0..8)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|t| *t <= high + step * 1e-9)
            .collect()
    }
}

fn px(x: f64) -> String {
    format!("{x:.1}")
}

impl Plot {
    pub(super) fn draw(&self) -> Markup {
        let time = self.time();
        let value = self.value_scale();
        let evidence = self.evidence_scale();
        html! {
            svg class="chart" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
                aria-labelledby={ (self.id) "-t " (self.id) "-d" } {
                title id={ (self.id) "-t" } { (self.title) }
                desc id={ (self.id) "-d" } { (self.describe()) }
                (axis(value, "value", TOP))
                (self.level_lines(value))
                @for row in &self.windows { (point(row, time, value)) }
                text class="label" x=(px(LEFT - 10.0)) y=(px(STRIP + 4.0)) text-anchor="end" { "state" }
                @for mark in self.strip() {
                    (state::shape(mark.state, time.at(mark.at.seconds_f64()), STRIP, 4.2))
                }
                (axis(evidence, "evidence, nats", EVIDENCE_TOP))
                (self.evidence_lines(evidence))
                polyline class="evidence" points=(self.evidence_points(time, evidence)) {}
                @if let Some(last) = self.marks.last() {
                    text class="label name" x=(px(RIGHT)) y=(px(EVIDENCE_TOP - 5.0)) text-anchor="end" {
                        "now " (words::number(last.evidence))
                    }
                }
                (self.time_axis(time))
            }
        }
    }

    fn span(&self) -> (Timestamp, Timestamp) {
        let starts = self.windows.iter().map(|w| w.window.start);
        let ends = self.windows.iter().map(|w| w.window.end);
        let first = starts.min().unwrap_or(Timestamp::EPOCH);
        let last = ends.chain(self.marks.iter().map(|m| m.at)).max();
        (first, last.unwrap_or(first))
    }

    fn time(&self) -> Scale {
        let (first, last) = self.span();
        Scale {
            from: (first.seconds_f64(), last.seconds_f64()),
            to: (LEFT, RIGHT),
        }
    }

    fn value_scale(&self) -> Scale {
        let mut all = vec![self.levels.action];
        all.extend(self.levels.alert);
        all.extend(self.levels.target);
        for row in &self.windows {
            all.extend(row.value);
            all.extend(row.interval.into_iter().flat_map(|(l, h)| [l, h]));
        }
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = ((high - low) * 0.07).max(1e-9);
        // Shares and distances are never below zero: do not draw room for it.
        let floor = if low >= 0.0 {
            (low - room).max(0.0)
        } else {
            low - room
        };
        Scale {
            from: (floor, high + room),
            to: (VALUE_BOTTOM, TOP),
        }
    }

    /// Evidence far beyond its threshold is drawn at the top edge and told in figures: whether the
    /// threshold was passed, and when, is what must be seen.
    fn evidence_scale(&self) -> Scale {
        let high = self.marks.iter().map(|m| m.evidence).fold(0.0, f64::max);
        let threshold = self.thresholds.map_or(1.0, |(_, at)| at);
        Scale {
            from: (
                LEAST_EVIDENCE,
                high.clamp(threshold * 1.15, threshold * 2.5),
            ),
            to: (BOTTOM, EVIDENCE_TOP),
        }
    }

    /// Marks that fit side by side: every k-th, and always the last.
    fn strip(&self) -> impl Iterator<Item = &Mark> {
        let every = self.marks.len().div_ceil(66).max(1);
        let last = self.marks.len().saturating_sub(1);
        self.marks
            .iter()
            .enumerate()
            .filter(move |(i, _)| (last - i).is_multiple_of(every))
            .map(|(_, m)| m)
    }

    fn level_lines(&self, scale: Scale) -> Markup {
        let levels = [
            ("action", Some(self.levels.action)),
            ("alert", self.levels.alert),
            ("target", self.levels.target),
        ];
        let mut placed: Vec<f64> = Vec::new();
        let mut lines = Vec::new();
        for (name, level) in levels {
            let Some(level) = level else { continue };
            let y = scale.at(level);
            // Labels of close levels are moved apart; the lines stay where they belong.
            let mut label = y;
            while placed.iter().any(|p| (p - label).abs() < 12.0) {
                label += if placed.iter().any(|p| *p > label) {
                    -4.0
                } else {
                    4.0
                };
            }
            placed.push(label);
            lines.push((name, level, y, label));
        }
        html! {
            @for (name, level, y, label) in lines {
                line class={ "level " (name) } x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
                text class={ "label " (name) } x=(px(RIGHT + 6.0)) y=(px(label + 4.0)) { (name) " " (words::number(level)) }
            }
        }
    }

    fn evidence_lines(&self, scale: Scale) -> Markup {
        let Some((warning, nonconformity)) = self.thresholds else {
            return html! {};
        };
        let mut label = scale.at(warning);
        if label - scale.at(nonconformity) < 12.0 {
            label = scale.at(nonconformity) + 12.0;
        }
        html! {
            line class="level zero" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(scale.at(0.0))) y2=(px(scale.at(0.0))) {}
            line class="level alert" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(scale.at(warning))) y2=(px(scale.at(warning))) {}
            text class="label alert" x=(px(RIGHT + 6.0)) y=(px(label + 4.0)) { "warning" }
            line class="level action" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(scale.at(nonconformity))) y2=(px(scale.at(nonconformity))) {}
            text class="label action" x=(px(RIGHT + 6.0)) y=(px(scale.at(nonconformity) + 4.0)) { "nonconformity" }
        }
    }

    fn evidence_points(&self, time: Scale, scale: Scale) -> String {
        let points = self.marks.iter().map(|m| {
            let y = scale.at(m.evidence.max(LEAST_EVIDENCE));
            format!("{:.1},{y:.1}", time.at(m.at.seconds_f64()))
        });
        points.collect::<Vec<_>>().join(" ")
    }

    fn time_axis(&self, time: Scale) -> Markup {
        let (first, last) = self.span();
        let length = last.since(first).micros();
        let parts = if self.pane >= Span::from_days(1) {
            4
        } else {
            3
        };
        let ticks: Vec<_> = (0..=parts)
            .filter_map(|i| {
                let at = PaneStart::of(first + Span::from_micros(length / parts * i)?, self.pane).0;
                Some((time.at(at.seconds_f64()), words::time(at, self.pane)))
            })
            .collect();
        let count = ticks.len();
        html! {
            line class="axis" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
            @for (i, (x, text)) in ticks.into_iter().enumerate() {
                line class="axis" x1=(px(x)) x2=(px(x)) y1=(px(BOTTOM)) y2=(px(BOTTOM + 4.0)) {}
                text class="label" x=(px(x)) y=(px(BOTTOM + 18.0))
                    text-anchor=(if i == 0 { "start" } else if i + 1 == count { "end" } else { "middle" }) { (text) }
            }
        }
    }

    fn describe(&self) -> String {
        let measured = self
            .windows
            .iter()
            .filter(|w| w.status == Status::Measured)
            .count();
        let last = self.windows.iter().rev().find_map(|w| w.value);
        let state = self.marks.last().map_or("none", |m| state::word(m.state));
        format!(
            "{} windows, {measured} measured; newest value {}; action level {}; state after the last seal: {state}; evidence then {} nats",
            self.windows.len(),
            last.map_or_else(|| "none".to_owned(), words::number),
            words::number(self.levels.action),
            self.marks
                .last()
                .map_or_else(|| "none".to_owned(), |m| words::number(m.evidence)),
        )
    }
}

fn axis(scale: Scale, title: &str, top: f64) -> Markup {
    html! {
        @for tick in scale.ticks() {
            @let y = scale.at(tick);
            line class="grid" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            text class="label" x=(px(LEFT - 10.0)) y=(px(y + 4.0)) text-anchor="end" { (words::number(tick)) }
        }
        text class="label name" x=(px(LEFT + 4.0)) y=(px(top - 2.0)) { (title) }
    }
}

fn point(row: &WindowRow, time: Scale, value: Scale) -> Markup {
    let middle = row.window.start
        + Span::from_micros(row.window.end.since(row.window.start).micros() / 2)
            .unwrap_or(Span::ZERO);
    let x = time.at(middle.seconds_f64());
    html! {
        @if let Some((low, high)) = row.interval {
            line class="interval" x1=(px(x)) x2=(px(x)) y1=(px(value.at(low))) y2=(px(value.at(high))) {}
        }
        @match (row.value, row.status) {
            (Some(v), Status::Measured) => circle class="value" cx=(px(x)) cy=(px(value.at(v))) r="2.8" {},
            (Some(v), Status::Insufficient | Status::NotMeasured) => circle class="value few" cx=(px(x)) cy=(px(value.at(v))) r="2.6" {},
            (None, _) => {
                line class="none" x1=(px(x - 2.5)) x2=(px(x + 2.5)) y1=(px(VALUE_BOTTOM - 5.0)) y2=(px(VALUE_BOTTOM)) {}
                line class="none" x1=(px(x - 2.5)) x2=(px(x + 2.5)) y1=(px(VALUE_BOTTOM)) y2=(px(VALUE_BOTTOM - 5.0)) {}
            }
        }
    }
}
