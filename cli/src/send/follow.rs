//! A file that grows: what was appended is sent once its lines are whole, and how far that is can be kept.
//!
//! The file is known by device and inode, not by its name: one that is moved away is read to its end before the
//! one that took its name is begun. One that was cut is read from its beginning.

use std::fs::{self, File, Metadata};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clause9_shared::objective::Document;
use serde::{Deserialize, Serialize};

use super::posting::Door;
use super::rows::Rows;
use super::{Send, Tally, report};
use crate::Ended;
use crate::data::{Format, MAX_LINE, Meter, Packing, Stretch, Table, bad};
use crate::progress::Progress;
use crate::terminal::Terminal;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a file that was moved away is still looked at.
const SETTLED: Duration = Duration::from_secs(5);
/// Most bytes that are looked at together, unless a line is longer.
const MOST_BYTES: usize = 1 << 20;
/// Longest state file, in bytes.
const MOST_STATE: u64 = 4096;

/// How far sending is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Which file.
    device: u64,
    inode: u64,
    /// Where the next line begins, in bytes.
    offset: u64,
    /// Lines before it.
    lines: u64,
}

/// Sends what a file holds and what is appended to it.
pub(super) fn run(
    args: &Send,
    document: &Document,
    door: &mut Door,
    terminal: &mut Terminal,
) -> anyhow::Result<Ended> {
    let [path] = &args.files[..] else {
        return bad("--follow goes on with one file; start another `clause9 send` for each other");
    };
    let mut kept = args
        .state
        .as_deref()
        .map(State::read)
        .transpose()?
        .flatten();
    let mut following = Following {
        args,
        door,
        terminal,
        ended: Ended::Well,
    };
    let mut tail: Option<Tail> = None;
    let mut since = Instant::now();
    loop {
        let mut grew = false;
        if let Some(open) = &mut tail {
            while let Some(part) = open.part()? {
                following.send(open, &part)?;
                grew = true;
            }
            if open.is_over(path, grew)? {
                if let Some(rest) = open.rest()? {
                    following.send(open, &rest)?;
                }
                tail = None;
                continue;
            }
        } else {
            tail = Tail::open(args, document, path, kept)?;
            if tail.is_some() {
                kept = None;
                continue;
            }
        }
        let idle = args.idle.map(Duration::from_secs);
        // Behind a file that was moved away stands the next one.
        if grew || tail.as_ref().is_some_and(|open| open.moved.is_some()) {
            since = Instant::now();
        } else if idle.is_some_and(|idle| since.elapsed() >= idle) {
            return Ok(following.ended);
        }
        std::thread::sleep(LOOK);
    }
}

/// What becomes of parts.
struct Following<'a> {
    args: &'a Send,
    door: &'a mut Door,
    terminal: &'a mut Terminal,
    ended: Ended,
}

impl Following<'_> {
    /// Sends a part, says what became of it, and keeps how far that is.
    fn send(&mut self, of: &mut Tail, part: &Part) -> anyhow::Result<()> {
        let mut tally = Tally::default();
        let sent = of.send(part, self.args, self.door, &mut tally);
        if tally.rows > 0 {
            report(self.args, &tally, self.terminal)?;
        }
        sent?;
        if matches!(tally.ended(), Ended::WithProblems) {
            self.ended = Ended::WithProblems;
        }
        match &self.args.state {
            Some(state) => of.at.write(state),
            None => Ok(()),
        }
    }
}

/// A file that is followed.
struct Tail {
    file: Arc<File>,
    table: Table,
    rows: Rows,
    name: String,
    /// The line with the columns' names, of CSV.
    header: Arc<[u8]>,
    /// Its lines, if it is CSV.
    named: u64,
    at: State,
    /// Since when another file has the name, and nothing came.
    moved: Option<Instant>,
}

/// Whole lines that were appended: their bytes, and how many lines they are.
struct Part {
    bytes: u64,
    lines: u64,
}

impl Tail {
    /// Opens the file, to go on where it was left if it is the same. None while it is not there, or says
    /// nothing of its columns yet.
    fn open(
        args: &Send,
        document: &Document,
        path: &Path,
        kept: Option<State>,
    ) -> anyhow::Result<Option<Self>> {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let file = match File::open(path) {
            Ok(file) => file,
            // Between moving one away and beginning the next, no file has the name.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        };
        let found = file
            .metadata()
            .with_context(|| format!("cannot read {name}"))?;
        if !found.is_file() {
            return bad(format!(
                "{name} is no file that grows; --follow reads regular files"
            ));
        }
        let table = Table::open(path);
        if fs::metadata(path).is_ok_and(|now| !State::of(&found).is_of(&now)) {
            // Another file took the name just now.
            return Ok(None);
        }
        let table = table?;
        if table.packing != Packing::Plain || table.format == Format::Parquet {
            return bad(format!(
                "{}: nothing can be appended to it; --follow reads .csv, .tsv, .jsonl and .ndjson",
                table.name
            ));
        }
        let first = first_row(&file, table.format);
        let Some(first) = first.with_context(|| format!("cannot read {name}"))? else {
            return Ok(None);
        };
        let rows = Rows::find(args, document, &table, &name)?;
        let header: Arc<[u8]> = match table.format {
            Format::Csv => first.into(),
            Format::JsonLines | Format::Parquet => Arc::default(),
        };
        let named = whole(&header, table.format).map_or(0, |named| named.lines);
        let mut at = State::of(&found);
        if let Some(kept) = kept.filter(|kept| kept.is_of(&found) && kept.offset <= found.len()) {
            at = kept;
        } else if !header.is_empty() {
            (at.offset, at.lines) = (header.len() as u64, named);
        }
        Ok(Some(Self {
            file: Arc::new(file),
            table,
            rows,
            name,
            header,
            named,
            at,
            moved: None,
        }))
    }

    /// What was appended, as far as its lines are whole; none if there is none.
    fn part(&self) -> anyhow::Result<Option<Part>> {
        let say = || format!("cannot read {}", self.name);
        let length = self.file.metadata().with_context(say)?.len();
        let left = length.saturating_sub(self.at.offset);
        let mut most = MOST_BYTES;
        loop {
            let wanted = usize::try_from(left).map_or(most, |left| left.min(most));
            let mut bytes = vec![0; wanted];
            let read = self.file.read_at(&mut bytes, self.at.offset);
            bytes.truncate(read.with_context(say)?);
            if let Some(part) = whole(&bytes, self.table.format) {
                return Ok(Some(part));
            }
            if bytes.len() < most {
                return Ok(None);
            }
            if most > MAX_LINE {
                return bad(format!(
                    "{}:{}: the row has more than {MAX_LINE} bytes; write one a line, and close its quotes",
                    self.name,
                    self.at.lines + 1
                ));
            }
            most *= 2;
        }
    }

    /// Sends a part, and is behind it then.
    fn send(
        &mut self,
        part: &Part,
        args: &Send,
        door: &mut Door,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let end = self.at.offset + part.bytes;
        self.table.stretch = Some(Stretch {
            file: Arc::clone(&self.file),
            header: Arc::clone(&self.header),
            part: self.at.offset..end,
        });
        let file = super::File {
            table: &self.table,
            rows: &self.rows,
            name: &self.name,
            before: self.at.lines.saturating_sub(self.named),
            most: args.batch,
        };
        file.send(
            args.from,
            (&Meter::default(), &Progress::none()),
            door,
            tally,
        )?;
        self.at.offset = end;
        self.at.lines += part.lines;
        Ok(())
    }

    /// Whether there is nothing more to come: the file was cut, or another has its name and nothing came for a
    /// while. Whoever wrote it may have gone on writing until it was told.
    fn is_over(&mut self, path: &Path, grew: bool) -> anyhow::Result<bool> {
        let own = self.file.metadata();
        let own = own.with_context(|| format!("cannot read {}", self.name))?;
        if own.len() < self.at.offset {
            return Ok(true);
        }
        let moved = fs::metadata(path).is_ok_and(|other| !self.at.is_of(&other));
        if !moved || grew {
            self.moved = None;
        }
        let since = moved.then(|| *self.moved.get_or_insert_with(Instant::now));
        Ok(since.is_some_and(|since| since.elapsed() >= SETTLED))
    }

    /// The last line of a file that is over, if nothing ended it.
    fn rest(&self) -> anyhow::Result<Option<Part>> {
        let own = self.file.metadata();
        let own = own.with_context(|| format!("cannot read {}", self.name))?;
        let bytes = own.len().saturating_sub(self.at.offset);
        Ok((bytes > 0).then_some(Part { bytes, lines: 1 }))
    }
}

/// The first row with its end, once it is there.
fn first_row(file: &File, format: Format) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut reader = BufReader::new(file).take(MAX_LINE as u64);
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        if whole(&bytes, format).is_some() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// The lines that are whole. A line's end within quotes of CSV ends no row.
fn whole(bytes: &[u8], format: Format) -> Option<Part> {
    let (mut quoted, mut lines, mut found) = (false, 0, None);
    for (bytes, byte) in (1..).zip(bytes) {
        match byte {
            b'"' if format == Format::Csv => quoted = !quoted,
            b'\n' => {
                lines += 1;
                if !quoted {
                    found = Some(Part { bytes, lines });
                }
            }
            _ => {}
        }
    }
    found
}

impl State {
    /// The beginning of a file.
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            offset: 0,
            lines: 0,
        }
    }

    fn is_of(&self, found: &Metadata) -> bool {
        (self.device, self.inode) == (found.dev(), found.ino())
    }

    /// What was kept; none if nothing was yet.
    fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        let mut text = String::new();
        let read = file.take(MOST_STATE).read_to_string(&mut text);
        read.with_context(|| format!("cannot read {shown}"))?;
        match serde_json::from_str(&text) {
            Ok(state) => Ok(Some(state)),
            Err(error) => bad(format!(
                "{shown} does not say how far sending is: {error}; name another file, or remove it to begin again"
            )),
        }
    }

    /// Keeps it, whole or not at all.
    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let say = || format!("cannot write {}", path.display());
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut file = File::create(&beside).with_context(say)?;
        serde_json::to_writer(&file, self).with_context(say)?;
        file.write_all(b"\n").with_context(say)?;
        file.sync_all().with_context(say)?;
        fs::rename(&beside, path).with_context(say)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, format: Format) -> Option<(u64, u64)> {
        whole(text.as_bytes(), format).map(|part| (part.bytes, part.lines))
    }

    #[test]
    fn a_row_is_whole_once_its_line_is_ended_outside_quotes() {
        assert_eq!(of("", Format::Csv), None);
        assert_eq!(of("a,b", Format::Csv), None);
        assert_eq!(of("a,b\nc", Format::Csv), Some((4, 1)));
        assert_eq!(of("a,\"b\nc", Format::Csv), None);
        assert_eq!(of("a,\"b\nc\"\nd", Format::Csv), Some((8, 2)));
        assert_eq!(of("a,\"\"\"\n\"\n\n", Format::Csv), Some((9, 3)));
        assert_eq!(of("{\"a\":\"\n", Format::JsonLines), Some((7, 1)));
    }
}
