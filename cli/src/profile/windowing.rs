//! How rows are cut into windows: by their number, or by their time.

use std::str::FromStr;

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;

/// A way of cutting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windowing {
    /// One window.
    All,
    /// So many rows each, in the file's order.
    Rows(u64),
    /// A fixed length of time, aligned to the Unix epoch in UTC.
    Span(Span),
    /// Calendar months in UTC.
    Month,
    /// Calendar years in UTC.
    Year,
}

impl FromStr for Windowing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "`{text}` is no window; write all, rows:5000, month, year or a length of time as 7d or 1h"
            )
        };
        match text {
            "all" => Ok(Self::All),
            "month" => Ok(Self::Month),
            "year" => Ok(Self::Year),
            _ => match text.strip_prefix("rows:") {
                Some(rows) => match rows.parse() {
                    Ok(rows) if rows > 0 => Ok(Self::Rows(rows)),
                    _ => Err(refuse()),
                },
                None => match text.parse() {
                    Ok(span) if span >= Span::from_secs(1) => Ok(Self::Span(span)),
                    _ => Err(refuse()),
                },
            },
        }
    }
}

impl std::fmt::Display for Windowing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Rows(rows) => write!(f, "rows:{rows}"),
            Self::Span(span) => write!(f, "{span}"),
            Self::Month => f.write_str("month"),
            Self::Year => f.write_str("year"),
        }
    }
}

/// Where a window lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// Rows from the first (0 is the file's first) up to, not including, the second.
    Rows(u64, u64),
    /// From one point in time up to, not including, another.
    Time(Timestamp, Timestamp),
}

impl Bounds {
    /// Whether they may have rows in common. Of a number of rows and a stretch of time that is not known.
    pub(crate) fn overlap(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(first, end), Self::Rows(from, to)) => first < to && from < end,
            (Self::Time(first, end), Self::Time(from, to)) => first < to && from < end,
            (Self::Rows(..), Self::Time(..)) | (Self::Time(..), Self::Rows(..)) => true,
        }
    }

    /// Whether it is known which of them overlap: all rows overlap whatever there is.
    pub(crate) const fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(..), Self::Rows(..)) | (Self::Time(..), Self::Time(..)) => true,
            (Self::Rows(first, end), Self::Time(..)) | (Self::Time(..), Self::Rows(first, end)) => {
                *first == 0 && *end == u64::MAX
            }
        }
    }

    /// Whether a row lies within.
    pub(crate) fn hold(&self, row: u64, at: Option<Timestamp>) -> bool {
        match self {
            Self::Rows(first, end) => (*first..*end).contains(&row),
            Self::Time(start, end) => at.is_some_and(|at| at >= *start && at < *end),
        }
    }
}

impl Windowing {
    /// Whether rows must have a time.
    pub(crate) const fn needs_time(self) -> bool {
        match self {
            Self::All | Self::Rows(_) => false,
            Self::Span(_) | Self::Month | Self::Year => true,
        }
    }

    /// The window of a row; nothing if it needs a time and has none.
    pub(crate) fn bounds(self, row: u64, at: Option<Timestamp>) -> Option<Bounds> {
        match self {
            Self::All => Some(Bounds::Rows(0, u64::MAX)),
            Self::Rows(rows) => {
                let first = row / rows * rows;
                Some(Bounds::Rows(first, first.saturating_add(rows)))
            }
            Self::Span(span) => {
                let start = PaneStart::of(at?, span);
                Some(Bounds::Time(start.0, start.end(span)))
            }
            Self::Month => {
                let (year, month) = year_and_month(at?)?;
                let next = if month == 12 {
                    (year + 1, 1)
                } else {
                    (year, month + 1)
                };
                Some(Bounds::Time(
                    first_of(year, month)?,
                    first_of(next.0, next.1)?,
                ))
            }
            Self::Year => {
                let (year, _) = year_and_month(at?)?;
                Some(Bounds::Time(first_of(year, 1)?, first_of(year + 1, 1)?))
            }
        }
    }

    /// The window's name: `all`, `size:3`, `period:2019-04`, `period:2019`, `from:2019-04-04T00:00:00Z`.
    /// A partial window of rows has `:partial` after it.
    pub(crate) fn name(self, bounds: &Bounds, rows: u64) -> String {
        match (self, bounds) {
            (Self::Rows(size), Bounds::Rows(first, _)) => {
                let partial = if rows < size { ":partial" } else { "" };
                format!("size:{}{partial}", first / size)
            }
            (Self::Month, Bounds::Time(start, _)) => format!("period:{}", prefix(*start, 7)),
            (Self::Year, Bounds::Time(start, _)) => format!("period:{}", prefix(*start, 4)),
            (Self::Span(_), Bounds::Time(start, _)) => format!("from:{start}"),
            (Self::All | Self::Rows(_) | Self::Span(_) | Self::Month | Self::Year, _) => {
                "all".to_owned()
            }
        }
    }
}

fn prefix(at: Timestamp, length: usize) -> String {
    at.to_string().chars().take(length).collect()
}

/// Year and month of a point in time, read off its text.
fn year_and_month(at: Timestamp) -> Option<(i32, u32)> {
    let text = at.to_string();
    Some((text.get(..4)?.parse().ok()?, text.get(5..7)?.parse().ok()?))
}

fn first_of(year: i32, month: u32) -> Option<Timestamp> {
    format!("{year:04}-{month:02}-01T00:00:00Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_written_as_they_are_read() {
        for text in ["all", "rows:5000", "7d", "1h", "month", "year"] {
            assert_eq!(text.parse::<Windowing>().unwrap().to_string(), text);
        }
        for text in ["", "rows:0", "rows:", "0s", "week", "-1d"] {
            assert!(text.parse::<Windowing>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_month_of_a_year_ends_with_it() {
        let at = "2019-12-31T23:59:59.999999Z".parse().unwrap();
        let bounds = Windowing::Month.bounds(0, Some(at)).unwrap();
        let end = "2020-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            bounds,
            Bounds::Time("2019-12-01T00:00:00Z".parse().unwrap(), end)
        );
        assert!(bounds.hold(0, Some(at)) && !bounds.hold(0, Some(end)) && !bounds.hold(0, None));
        assert_eq!(Windowing::Month.name(&bounds, 3), "period:2019-12");
    }

    #[test]
    fn a_rest_of_rows_is_partial() {
        let windowing = Windowing::Rows(10);
        let bounds = windowing.bounds(25, None).unwrap();
        assert_eq!(bounds, Bounds::Rows(20, 30));
        assert_eq!(windowing.name(&bounds, 6), "size:2:partial");
        assert_eq!(windowing.name(&bounds, 10), "size:2");
    }
}
