//! A bar for those who watch; nothing for those who do not.

use std::fs;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use crate::data::{Format, Table};

/// How far reading a table is. The bar goes away with it.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over the bytes of a table's file, or over its rows where the format says how many.
    pub(crate) fn over(table: &Table) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::none();
        }
        let bytes = || fs::metadata(&table.path).map_or(0, |m| m.len());
        let (length, template) = match table.format {
            Format::Csv | Format::JsonLines => (
                bytes(),
                "{msg} {bar:40} {bytes} of {total_bytes}, {eta} left",
            ),
            Format::Parquet => (
                table.rows.unwrap_or_default(),
                "{msg} {bar:40} {pos} of {len} rows, {eta} left",
            ),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(length).with_style(style);
        let file = table.path.file_name().unwrap_or_default();
        bar.set_message(file.to_string_lossy().into_owned());
        Self { bar }
    }

    /// No bar.
    pub(crate) fn none() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }

    /// A bar over so many steps.
    pub(crate) fn steps(what: &str, steps: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::none();
        }
        let style = ProgressStyle::with_template("{msg} {bar:40} {pos} of {len}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(steps).with_style(style);
        bar.set_message(what.to_owned());
        Self { bar }
    }

    /// One step further.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// Moves the bar.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
