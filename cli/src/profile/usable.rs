//! Answers that are of no use: what is in no figure must be seen all the same.

use std::fmt::Write as _;

use clause9_shared::metric::MetricId;
use clause9_shared::objective::Document;
use clause9_shared::sketch::{Defect, Hygiene, SummaryKey, SummaryKind, SummaryOf};

use super::counting::Window;
use super::report::{Row, VerdictRow};
use crate::data::bad;

/// Refuses scores that are mostly none: a column of other numbers named by mistake would be measured on
/// the few of them that happen to lie between 0 and 1.
pub(super) fn check_scores(
    document: &Document,
    windows: &[Window],
    named: Option<&str>,
) -> anyhow::Result<()> {
    let Some(score) = &document.outputs.score else {
        return Ok(());
    };
    let column = named.unwrap_or(score.from.output.as_str());
    let key = SummaryKey::new(SummaryOf::Score, SummaryKind::Hygiene);
    let (mut beyond, mut numbers) = (0_u64, 0_u64);
    for window in windows {
        if let Some(found) = window.traffic.get(&key).and_then(Hygiene::of) {
            beyond += found.count(Defect::OutOfRange);
            numbers += found.usable();
        }
    }
    if beyond * 2 <= numbers {
        return Ok(());
    }
    let share = 100.0 * beyond as f64 / numbers as f64;
    bad(format!(
        "{share:.0} % of the numbers in column `{column}` lie outside 0 to 1, so it holds no scores \
         (probabilities of the positive class); divide percentages by 100, or name another column"
    ))
}

/// Rows without a usable answer in a window, of so many.
fn of_window(row: &Row) -> Option<(u64, u64)> {
    let share = row
        .value
        .filter(|_| row.metric == MetricId::UnusableAnswerRate)?;
    let cases = row.n?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let unusable = (share * cases as f64).round() as u64;
    Some((unusable, cases))
}

/// Rows without a usable answer in all windows of the first way of cutting. Nothing if nothing is known of
/// answers.
pub(super) fn unusable(rows: &[Row], windows: &[Window]) -> Option<u64> {
    let first = windows.first()?.windowing;
    let of_first = windows.iter().filter(|window| window.windowing == first);
    let names: Vec<String> = of_first.map(Window::name).collect();
    let found: Vec<u64> = rows
        .iter()
        .filter(|row| names.contains(&row.window))
        .filter_map(|row| of_window(row).map(|(unusable, _)| unusable))
        .collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

/// Says of each verdict on labelled cases how many cases it could not see.
pub(super) fn tell(rows: &[Row], verdicts: &mut [VerdictRow]) {
    for row in rows {
        let Some((unusable, cases)) = of_window(row).filter(|(unusable, _)| *unusable > 0) else {
            continue;
        };
        let concerned = verdicts
            .iter_mut()
            .filter(|v| v.window == row.window && v.metric.spec().needs_label);
        for verdict in concerned {
            let _ = write!(
                verdict.because,
                "; {unusable} of the window's {cases} cases have no usable answer and are not in it"
            );
        }
    }
}
