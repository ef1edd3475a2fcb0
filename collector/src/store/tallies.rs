//! How many windows of an objective version have a value, and how many had no traffic. Counted once:
//! the count is carried forward with time, and corrected in the transaction that measures a window
//! again. Derived: without it, or for another beginning, the windows are counted anew.

use clause9_shared::ids::{ObjectiveId, SystemId};
use clause9_shared::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::read::{count, point};
use super::write::word;
use super::{Appended, ReadStore, StoreError};
use clause9_shared::evidence::body::Status;
use clause9_shared::sealing::WindowRow;

/// Windows by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those with a value on enough cases.
    pub measured: u64,
    /// Those without a value in which there was no traffic.
    pub quiet: u64,
}

impl Tally {
    const fn of(row: &WindowRow) -> Self {
        Self {
            measured: matches!(row.status, Status::Measured) as u64,
            quiet: row.quiet as u64,
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            measured: self.measured.saturating_add(other.measured),
            quiet: self.quiet.saturating_add(other.quiet),
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            measured: self.measured.saturating_sub(other.measured),
            quiet: self.quiet.saturating_sub(other.quiet),
        }
    }
}

/// A count that is kept, and up to where it goes.
struct Kept {
    since: Timestamp,
    until: Timestamp,
    tally: Tally,
}

impl ReadStore<'_> {
    /// The windows of an objective version within a stretch, whose ends are ends of windows. Looks at
    /// those only that the kept count does not have.
    pub fn tally(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Tally, StoreError> {
        let kept = self.kept(system, objective, version)?;
        let count = |from, to| self.counted(system, objective, version, (from, to));
        match kept.filter(|kept| kept.since == from) {
            None => count(from, to),
            Some(kept) if kept.until <= to => Ok(kept.tally.plus(count(kept.until, to)?)),
            // The clock went back.
            Some(kept) => Ok(kept.tally.minus(count(to, kept.until)?)),
        }
    }

    fn kept(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
    ) -> Result<Option<Kept>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT since, until, measured, quiet FROM tallies
                 WHERE system = ?1 AND objective = ?2 AND version = ?3",
            )?
            .query_row(params![system.as_str(), objective.as_str(), version], |r| {
                Ok(Kept {
                    since: point(r, 0)?,
                    until: point(r, 1)?,
                    tally: Tally {
                        measured: count(r, 2)?,
                        quiet: count(r, 3)?,
                    },
                })
            })
            .optional()?)
    }

    fn counted(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Tally, StoreError> {
        if from >= to {
            return Ok(Tally::default());
        }
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE status = 'measured'), count(*) FILTER (WHERE quiet)
                 FROM windows WHERE system = ?1 AND objective = ?2 AND version = ?3
                 AND start >= ?4 AND start < ?5",
            )?
            .query_row(
                params![
                    system.as_str(),
                    objective.as_str(),
                    version,
                    from.micros(),
                    to.micros()
                ],
                |r| {
                    Ok(Tally {
                        measured: count(r, 0)?,
                        quiet: count(r, 1)?,
                    })
                },
            )?)
    }
}

impl Appended<'_> {
    /// Carries the count of an objective version forward to a point.
    pub(crate) fn carry_tally(
        &self,
        system: &SystemId,
        objective: &ObjectiveId,
        version: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let kept = self.read().kept(system, objective, version)?;
        if kept.is_some_and(|kept| kept.since == from && kept.until >= to) {
            return Ok(());
        }
        let tally = self.read().tally(system, objective, version, (from, to))?;
        self.tx
            .prepare_cached(
                "INSERT OR REPLACE INTO tallies(system, objective, version, since, until, measured, quiet)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                system.as_str(),
                objective.as_str(),
                version,
                from.micros(),
                to.micros(),
                word(tally.measured),
                word(tally.quiet),
            ])?;
        Ok(())
    }

    /// Corrects the count for a window that is measured, again or late. To be called before the row
    /// is written.
    pub(super) fn tally_again(&self, system: &SystemId, row: &WindowRow) -> Result<(), StoreError> {
        let (objective, version) = (&row.objective, row.version);
        let read = self.read();
        let Some(kept) = read.kept(system, objective, version)? else {
            return Ok(());
        };
        if row.window.start < kept.since || row.window.end > kept.until {
            return Ok(());
        }
        let stretch = (row.window.start, row.window.end);
        let before = read.counted(system, objective, version, stretch)?;
        let tally = kept.tally.minus(before).plus(Tally::of(row));
        self.tx
            .prepare_cached(
                "UPDATE tallies SET measured = ?4, quiet = ?5
                 WHERE system = ?1 AND objective = ?2 AND version = ?3",
            )?
            .execute(params![
                system.as_str(),
                objective.as_str(),
                version,
                word(tally.measured),
                word(tally.quiet),
            ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clause9_shared::digest::Digest;
    use clause9_shared::ids::Name;
    use clause9_shared::time::Span;
    use proptest::prelude::*;

    use super::*;
    use clause9_shared::sealing::Window;

    const HOUR: Span = Span::from_secs(3600);

    fn at(n: u32) -> Timestamp {
        Timestamp::EPOCH + HOUR.times(n)
    }

    fn row(n: u32, result: u8) -> WindowRow {
        WindowRow {
            objective: Name::new("accuracy").unwrap(),
            version: 1,
            window: Window {
                start: at(n),
                end: at(n + 1),
            },
            measurement: Digest::of(b"m"),
            status: if result == 0 {
                Status::Measured
            } else {
                Status::NotMeasured
            },
            reason: None,
            value: None,
            interval: None,
            support: 0,
            quiet: result == 1,
        }
    }

    /// A window is measured with one of three results, or time goes on to an hour.
    #[derive(Clone, Debug)]
    enum Event {
        Measured(u32, u8),
        Until(u32),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0..20_u32, 0..3_u8).prop_map(|(n, result)| Event::Measured(n, result)),
            (3..20_u32).prop_map(Event::Until),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_kept_count_is_what_counting_all_windows_gives(
            events in proptest::collection::vec(event(), 1..60)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut store = crate::store::open(folder.path()).unwrap();
            let system = Name::new("loan").unwrap();
            let objective = Name::new("accuracy").unwrap();
            store.commit(|to| {
                for event in &events {
                    match event {
                        Event::Measured(n, result) => to.keep_window(&system, &row(*n, *result))?,
                        Event::Until(n) => {
                            to.carry_tally(&system, &objective, 1, (at(3), at(*n)))?;
                        }
                    }
                    for end in [3, 10, 20] {
                        let stretch = (at(3), at(end));
                        let kept = to.read().tally(&system, &objective, 1, stretch)?;
                        let counted = to.read().counted(&system, &objective, 1, stretch)?;
                        assert_eq!(kept, counted, "up to {end}");
                    }
                }
                Ok(())
            }).unwrap();
        }
    }
}
