//! What is replayed: which row of the data comes when, and what becomes known of it later.
//! Pure: the same options give the same rows.

use std::str::FromStr;

use anyhow::{Context, ensure};
use clause9_shared::time::{Span, Timestamp};

use crate::case::{Case, TimeSource};
use crate::columns::Columns;
use crate::history;
use crate::table::Table;

/// Where the replay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Before this production row.
    Row(usize),
    /// Before this time.
    Time(Timestamp),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(row) = text.parse() {
            return Ok(Self::Row(row));
        }
        let time = text.parse().map(Self::Time);
        time.map_err(|_| {
            format!("`{text}` is neither a row number nor a time as 2019-03-31T00:00:00Z")
        })
    }
}

/// One row of production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which row of the data it is.
    pub(crate) source: usize,
    /// When it comes.
    pub(crate) at: Timestamp,
}

/// Something that becomes known of a row after its prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// Position of the row in production.
    pub(crate) position: usize,
    /// When it becomes known.
    pub(crate) available_at: Timestamp,
    /// What becomes known.
    pub(crate) known: Known,
}

/// What becomes known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The label.
    Label(bool),
    /// A protected attribute: name and value.
    Attribute(&'static str, Box<str>),
}

/// The whole replay of a case.
#[derive(Debug)]
pub(crate) struct Production {
    /// Model inputs by row of the data.
    pub(crate) columns: Columns,
    /// Rows in order of time.
    pub(crate) rows: Vec<Row>,
    /// Late knowledge in order of time.
    pub(crate) late: Vec<Late>,
    /// First position of the changed population, if it is known to change and is replayed.
    pub(crate) drift_at: Option<usize>,
}

/// Which row of the data stands at each of `total` positions when the change, in the data from row
/// `drift_row` on, is to begin at position `drift_at`. Rows before and after the change repeat
/// from their beginning when more are needed than there are.
pub(crate) fn order(total: usize, drift_row: usize, drift_at: usize) -> Vec<usize> {
    let (before, after) = (drift_row.max(1), (total - drift_row).max(1));
    (0..total)
        .map(|position| match position.checked_sub(drift_at) {
            None => position % before,
            Some(since) => drift_row + since % after,
        })
        .collect()
}

/// A time as the data writes it: `2018-10-30 18:08:43.152`, in UTC.
fn time(text: &str) -> anyhow::Result<Timestamp> {
    format!("{}Z", text.replacen(' ', "T", 1))
        .parse()
        .with_context(|| format!("cannot read the time `{text}`"))
}

/// Times and late knowledge before anything is cut off.
struct Timed {
    rows: Vec<Row>,
    late: Vec<Late>,
    drift_at: Option<usize>,
}

impl Production {
    /// Reads a case's production part. `drift_at` moves the change of the population.
    pub(crate) fn read(
        case: &Case,
        until: Option<Until>,
        drift_at: Option<usize>,
    ) -> anyhow::Result<Self> {
        let table = Table::read("analysis.csv.gz", case.production)?;
        let columns = Columns::read(&table, case.numeric, case.texts)?;
        let Timed {
            mut rows,
            mut late,
            drift_at,
        } = match case.time {
            TimeSource::Recorded { labels, drift_row } => {
                recorded(case, &table, labels, drift_row, drift_at)?
            }
            TimeSource::Synthetic {
                start,
                length,
                label_delay,
                attribute,
            } => synthetic(case, &table, (start, length), label_delay, attribute)?,
        };
        let keep = match until {
            None => rows.len(),
            Some(Until::Row(row)) => row.min(rows.len()),
            Some(Until::Time(end)) => rows.partition_point(|row| row.at < end),
        };
        ensure!(
            keep > 0,
            "nothing is left to replay: the first row of {} comes at {}; choose a later --until, or another --case",
            case.name,
            rows[0].at
        );
        rows.truncate(keep);
        late.retain(|l| l.position < keep);
        late.sort_by_key(|l| (l.available_at, l.position));
        Ok(Self {
            columns,
            rows,
            late,
            drift_at: drift_at.filter(|at| *at < keep),
        })
    }
}

/// Rows and labels with the times that the data has. When the change is moved, position `i` keeps
/// the time of row `i`, and each label its delay.
fn recorded(
    case: &Case,
    table: &Table,
    labels: &[u8],
    drift_row: usize,
    drift_at: Option<usize>,
) -> anyhow::Result<Timed> {
    let times: Vec<Timestamp> = table
        .texts("timestamp")?
        .iter()
        .map(|t| time(t))
        .collect::<anyhow::Result<_>>()?;
    let drift_at = drift_at.unwrap_or(drift_row);
    let rows: Vec<Row> = order(times.len(), drift_row, drift_at)
        .into_iter()
        .zip(&times)
        .map(|(source, at)| Row { source, at: *at })
        .collect();
    let truths = truths(case, table, labels)?;
    let late = rows
        .iter()
        .enumerate()
        .map(|(position, row)| {
            let (label, known_at) = truths[row.source];
            Late {
                position,
                available_at: row.at + known_at.since(times[row.source]),
                known: Known::Label(label),
            }
        })
        .collect();
    Ok(Timed {
        rows,
        late,
        drift_at: Some(drift_at),
    })
}

/// Label and time it became known, by row of the data.
fn truths(case: &Case, table: &Table, labels: &[u8]) -> anyhow::Result<Vec<(bool, Timestamp)>> {
    let known = Table::read("labels.csv.gz", labels)?;
    let values = history::labels(&known, case.label)?;
    let mut by_id = std::collections::HashMap::new();
    for ((id, label), at) in known
        .texts("id")?
        .iter()
        .zip(values)
        .zip(known.texts("available_at")?)
    {
        by_id.insert(&**id, (label, time(at)?));
    }
    let of = |id: &str| {
        let found = by_id.get(id).copied();
        found.with_context(|| format!("labels.csv.gz has no label for id {id}"))
    };
    table.texts("id")?.iter().map(|id| of(id)).collect()
}

/// Rows laid out evenly, for data without times.
fn synthetic(
    case: &Case,
    table: &Table,
    (start, length): (i64, Span),
    label_delay: Span,
    (attribute, attribute_delay): (&'static str, Span),
) -> anyhow::Result<Timed> {
    let start = Timestamp::from_micros(start).context("the case starts outside of time")?;
    let total = i64::try_from(table.rows())?;
    let at = |position: i64| {
        Span::from_micros(length.micros() * position / total).map(|since| start + since)
    };
    let (labels, groups) = (history::labels(table, case.label)?, table.texts(attribute)?);
    let (mut rows, mut late) = (Vec::new(), Vec::new());
    for (position, (label, group)) in labels.into_iter().zip(groups).enumerate() {
        let at = at(i64::try_from(position)?).context("a row outside of time")?;
        rows.push(Row {
            source: position,
            at,
        });
        late.push(Late {
            position,
            available_at: at + attribute_delay,
            known: Known::Attribute(attribute, group.clone()),
        });
        late.push(Late {
            position,
            available_at: at + label_delay,
            known: Known::Label(label),
        });
    }
    Ok(Timed {
        rows,
        late,
        drift_at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseName;

    #[test]
    fn without_a_moved_change_every_row_stands_where_the_data_has_it() {
        assert_eq!(order(10, 5, 5), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn before_the_change_only_earlier_rows_stand_and_after_it_only_later_ones() {
        for total in [2, 7, 10, 50] {
            for drift_row in 1..total {
                for drift_at in 0..=total {
                    let order = order(total, drift_row, drift_at);
                    assert_eq!(order.len(), total);
                    let (before, after) = order.split_at(drift_at);
                    assert!(before.iter().all(|source| *source < drift_row));
                    assert!(after.iter().all(|s| (drift_row..total).contains(s)));
                    // Each part begins at its first row and repeats only once it is used up.
                    let expected: Vec<_> = (0..drift_at).map(|i| i % drift_row).collect();
                    assert_eq!(before, expected);
                    let distinct: std::collections::BTreeSet<_> = after.iter().collect();
                    assert_eq!(distinct.len(), after.len().min(total - drift_row));
                }
            }
        }
    }

    #[test]
    fn a_moved_change_keeps_times_in_order_and_each_label_its_delay() {
        let case = CaseName::CarLoan.case();
        let plain = Production::read(case, None, None).unwrap();
        let moved = Production::read(case, None, Some(10_000)).unwrap();
        assert_eq!((plain.rows.len(), plain.late.len()), (50_000, 50_000));
        assert_eq!(plain.drift_at, Some(25_000));
        assert!(moved.rows.is_sorted_by(|a, b| a.at < b.at));
        assert!(moved.late.is_sorted_by_key(|l| l.available_at));
        assert_eq!(moved.rows[10_000].source, 25_000);
        assert_eq!(moved.rows[9_999].source, 9_999);
        let of = |production: &Production, position: usize| {
            let late = production.late.iter().find(|l| l.position == position);
            let late = late.unwrap();
            let delay = late.available_at.since(production.rows[position].at);
            (late.known.clone(), delay)
        };
        assert_eq!(of(&plain, 25_000), of(&moved, 10_000));
        let day = Span::from_days(1).micros();
        for late in &plain.late {
            let delay = late
                .available_at
                .since(plain.rows[late.position].at)
                .micros()
                / day;
            assert!((29..90).contains(&delay), "{delay} days");
        }
    }

    #[test]
    fn until_leaves_out_rows_and_what_would_become_known_of_them() {
        let case = CaseName::CarLoan.case();
        let by_row = Production::read(case, Some(Until::Row(25_000)), None).unwrap();
        assert_eq!(by_row.rows.len(), 25_000);
        assert_eq!(by_row.late.len(), 25_000);
        assert_eq!(by_row.drift_at, None);
        let end = by_row.rows[999].at;
        let by_time = Production::read(case, Some(Until::Time(end)), None).unwrap();
        assert_eq!(by_time.rows.len(), 999);
        assert!(Production::read(case, Some(Until::Row(0)), None).is_err());
        assert_eq!("12".parse(), Ok(Until::Row(12)));
        assert!("yesterday".parse::<Until>().is_err());
    }

    #[test]
    fn credit_rows_are_laid_out_evenly_with_label_and_sex_later() {
        let production = Production::read(CaseName::GermanCredit.case(), None, None).unwrap();
        assert_eq!((production.rows.len(), production.late.len()), (500, 1_000));
        assert_eq!(production.rows[0].at.to_string(), "2024-01-03T00:00:00Z");
        let in_first_pane = production
            .rows
            .partition_point(|r| r.at < "2024-01-08T00:00:00Z".parse().unwrap());
        assert_eq!(in_first_pane, 125);
    }
}
