//! The report's parts, from what was counted.

use clause9_shared::digest::Digest;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;

use super::counting::{Tally, Window};
use super::report::{
    ColumnTaken, Coverage, Data, Format, LabelCoverage, Objectives, Reference, RefusedRow, Report,
};
use super::serving::Serving;
use super::settling::Settled;
use super::watching::Watching;
use super::windows::MAX_EMPTY_WINDOWS;
use super::withheld::{Counted, Withheld};
use super::{Args, file_name, intervals, measuring, usable};
use crate::columns::{Finder, Source};
use crate::data::Table;
use crate::labels::Labels;

/// What a report tells of.
pub(super) struct Told<'a> {
    pub(super) args: &'a Args,
    pub(super) current: &'a Table,
    pub(super) labels: Option<(&'a Table, &'a Labels)>,
    pub(super) settled: &'a Settled,
    pub(super) finder: &'a Finder<'a>,
    pub(super) plan: &'a CapturePlan,
    pub(super) tally: &'a Tally,
    pub(super) windows: &'a [Window],
    pub(super) serving: &'a Serving,
    /// Up to when it is known which labels have come.
    pub(super) known_until: Option<Timestamp>,
    pub(super) watching: &'a Watching,
    pub(super) is_baseline_file: bool,
    /// Rows of the reference that could not be read.
    pub(super) refused: u64,
}

impl Told<'_> {
    /// Measures, judges, and puts everything together.
    pub(super) fn report(&self) -> anyhow::Result<Report> {
        let (document, baseline) = (self.plan.document(), self.plan.baseline());
        let mut measured = measuring::all(self.plan, self.windows, self.serving, self.known_until);
        intervals::add(
            self.plan,
            self.windows,
            self.args.resamples,
            &mut measured.rows,
        );
        let mut judged = measuring::judge(self.plan, self.windows, self.known_until);
        let counted: Vec<Counted<'_>> = self.windows.iter().map(Counted::from).collect();
        let least = self.args.least_group;
        let least = least.unwrap_or(document.reports.least_group);
        let withheld = Withheld::find(document, &counted, least);
        usable::tell(&measured.rows, &mut judged.verdicts);
        let unusable = usable::unusable(&measured.rows, self.windows);
        withheld.blank_rows(document, &mut measured.rows);
        withheld.blank_verdicts(document, &mut judged.verdicts);
        Ok(Report {
            clause9: Format::V1,
            program: format!("clause9 {}", env!("CARGO_PKG_VERSION")),
            current: Data {
                name: file_name(&self.args.current),
                format: self.current.format.as_str().to_owned(),
                digest: digest(self.tally),
            },
            reference: Reference {
                name: baseline.source.name.clone(),
                source: baseline.source.digest,
                baseline: baseline.digest(),
                rows: baseline.rows,
                refused: self.refused,
                is_baseline_file: self.is_baseline_file,
            },
            objectives: Objectives {
                system: document.system.id.to_string(),
                title: document.system.name.clone(),
                name: self.args.objectives.as_deref().map(file_name),
                digest: document.digest()?,
                inferred: self.settled.inferred,
                plan: self.plan.digest(),
            },
            columns: columns(self.finder, self.current, self.labels.map(|(t, _)| t)),
            coverage: Coverage {
                unusable_answers: unusable,
                ..coverage(self.tally, self.labels)
            },
            resamples: self.args.resamples,
            windows: measuring::window_rows(self.plan.document(), self.windows, self.known_until),
            rows: measured.rows,
            not_measured: measured.not_measured,
            verdicts: judged.verdicts,
            together: judged.together,
            detectors: self.watching.found(),
            not_judged: judged.refused,
            notes: self.notes(&withheld, unusable),
        })
    }
}

impl Told<'_> {
    /// What is worth knowing.
    fn notes(&self, withheld: &Withheld, unusable: Option<u64>) -> Vec<String> {
        let mut notes = self.settled.notes.clone();
        if let Some(unusable) = unusable.filter(|unusable| *unusable > 0) {
            notes.push(format!(
                "{unusable} of {} rows have no usable answer (no decision, a score beyond 0 to 1, no finite number): they are in no figure of performance, and `label_coverage` and the bounds of accuracy count them as not known",
                self.tally.counted
            ));
        }
        let windows = withheld.windows();
        if windows > 0 {
            notes.push(format!(
                "figures of groups of fewer than {} cases are withheld in {windows} of {} windows, with those from which they would follow; `reports.least_group` in an objectives file sets another number, and so does --least-group",
                withheld.least(),
                self.windows.len()
            ));
        }
        if self.tally.empty > 0 {
            notes.push(format!(
                "{} windows without rows lie between others, and are measured as such: no data",
                self.tally.empty
            ));
        }
        if self.tally.left_out > 0 {
            notes.push(format!(
                "in {} gaps between windows further windows without rows are left out, since no more than {MAX_EMPTY_WINDOWS} are listed for each way of cutting; cut longer windows with --window",
                self.tally.left_out
            ));
        }
        notes
    }
}

fn digest(tally: &Tally) -> Digest {
    // Counting ends with the digest of what it read.
    tally.digest.unwrap_or_else(|| Digest::of(b""))
}

fn columns(finder: &Finder<'_>, current: &Table, labels: Option<&Table>) -> Vec<ColumnTaken> {
    let of = |table: &Table, of_labels: bool| -> Vec<ColumnTaken> {
        let columns = table.columns.iter().enumerate();
        columns
            .map(|(index, column)| {
                let taken = finder.taken.iter().filter(|(source, at, _)| {
                    let joined = match source {
                        Source::Batch(_) => false,
                        Source::Joined(_) => true,
                    };
                    *at == index && joined == of_labels
                });
                ColumnTaken {
                    name: column.name.clone(),
                    taken_for: taken.map(|(_, _, role)| role.clone()).collect(),
                    of_labels,
                }
            })
            .collect()
    };
    let mut all = of(current, false);
    all.extend(labels.map(|table| of(table, true)).unwrap_or_default());
    all
}

fn coverage(tally: &Tally, labels: Option<(&Table, &Labels)>) -> Coverage {
    Coverage {
        rows: tally.rows,
        counted: tally.counted,
        after_as_of: tally.after_as_of,
        refused: tally.refused,
        refused_rows: tally
            .listed
            .iter()
            .map(|row| RefusedRow {
                line: row.line,
                why: row.why.clone(),
            })
            .collect(),
        labelled: tally.labelled,
        unlabelled: tally.counted - tally.labelled - tally.unlisted_labels,
        unlisted_labels: tally.unlisted_labels,
        unusable_answers: None,
        labels: labels.map(|(table, labels)| LabelCoverage {
            name: file_name(&table.path),
            rows: labels.rows,
            repeated: labels.repeated,
            too_late: labels.too_late,
            refused: labels.refused,
            joined: tally.joined,
            unknown: labels.kept().saturating_sub(tally.joined),
        }),
    }
}
