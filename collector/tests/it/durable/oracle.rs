//! What a register must be after whatever happened to its disk: a state that the undisturbed collector
//! once committed, not older than what was acknowledged, and one whose parts agree with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use clause9_shared::digest::Digest;
use clause9_shared::evidence;
use clause9_shared::evidence::merkle::Hash;
use clause9_shared::evidence::tiles::{Edge, Place};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::window::{Coverage, OutcomeCoverage};
use clause9_shared::wire::batch::{self, ClosedWindow, Envelope, Stream};
use clause9_shared::wire::codec::Decode;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

/// What is in a register, told apart from every other content. `None` before there is any table.
pub(crate) fn state(file: &Path) -> Result<Option<Digest>, String> {
    if !file.exists() {
        return Ok(None);
    }
    let db = Connection::open(file).map_err(|e| e.to_string())?;
    dump(&db).map_err(|e| format!("{}: {e}", file.display()))
}

fn dump(db: &Connection) -> rusqlite::Result<Option<Digest>> {
    let tables: Vec<String> = db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?
        .query_map([], |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    if tables.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for table in tables {
        all.extend_from_slice(table.as_bytes());
        let columns = db
            .prepare(&format!("SELECT * FROM {table}"))?
            .column_count();
        let order: Vec<_> = (1..=columns).map(|n| n.to_string()).collect();
        let order = order.join(", ");
        let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                push(&mut all, row.get_ref(column)?);
            }
        }
    }
    Ok(Some(Digest::of(&all)))
}

fn push(all: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => all.push(0),
        ValueRef::Integer(n) => {
            all.push(1);
            all.extend_from_slice(&n.to_le_bytes());
        }
        ValueRef::Real(x) => {
            all.push(2);
            all.extend_from_slice(&x.to_le_bytes());
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            all.push(3);
            all.extend_from_slice(&bytes.len().to_le_bytes());
            all.extend_from_slice(bytes);
        }
    }
}

fn named(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get(column).map(Digest::from_bytes)
}

/// Exchanges and labels: what must be neither lost nor counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    seen: u64,
    labels: u64,
}

impl Counted {
    fn traffic(&mut self, coverage: &Coverage) {
        self.seen += coverage.seen;
    }

    fn outcomes(&mut self, coverage: &OutcomeCoverage) {
        self.labels += coverage.labels;
    }

    fn item(&mut self, item: &ClosedWindow) {
        match &item.stream {
            Stream::Traffic(coverage) => self.traffic(coverage),
            Stream::Outcomes { coverage, .. } => self.outcomes(coverage),
        }
    }
}

/// Names of the batches that a register has, once its parts agree with each other. An error says
/// what does not.
pub(crate) fn agreed(file: &Path) -> Result<BTreeSet<Digest>, String> {
    let db = Connection::open(file).map_err(|e| e.to_string())?;
    let (batches, problems) = look(&db).map_err(|e| e.to_string())?;
    if problems.is_empty() {
        return Ok(batches);
    }
    Err(problems)
}

fn look(db: &Connection) -> rusqlite::Result<(BTreeSet<Digest>, String)> {
    let mut problems = String::new();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
    if sound != "ok" {
        writeln!(problems, "integrity: {sound}").unwrap();
    }
    names(db, &mut problems)?;
    tree(db, &mut problems)?;
    let batches = batches(db, &mut problems)?;
    tables(db, &mut problems)?;
    Ok((batches, problems))
}

/// Tiles and checkpoints are those of the records, and no checkpoint covers more.
fn tree(db: &Connection, problems: &mut String) -> rusqlite::Result<()> {
    let mut checkpoints = BTreeMap::new();
    let mut statement = db.prepare("SELECT size, note FROM checkpoints")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (size, note): (i64, String) = (row.get(0)?, row.get(1)?);
        checkpoints.insert(
            size.cast_unsigned(),
            note.lines().nth(2).unwrap_or_default().to_owned(),
        );
    }
    let mut tiles = BTreeMap::new();
    let mut statement = db.prepare("SELECT level, number, hashes FROM tiles")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let place = Place {
            level: row.get(0)?,
            number: row.get::<_, i64>(1)?.cast_unsigned(),
        };
        tiles.insert(place, row.get::<_, Vec<u8>>(2)?);
    }
    let mut edge = Edge::default();
    let mut statement = db.prepare("SELECT digest FROM records ORDER BY leaf")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for full in edge.push(Hash::leaf(named(row, 0)?.as_bytes())) {
            if tiles.remove(&full.place) != Some(full.hashes) {
                writeln!(
                    problems,
                    "the tile {:?} is not that of its records",
                    full.place
                )
                .unwrap();
            }
        }
        if checkpoints
            .remove(&edge.size())
            .is_some_and(|root| root != edge.root().to_string())
        {
            writeln!(
                problems,
                "the checkpoint over {} records has another root",
                edge.size()
            )
            .unwrap();
        }
    }
    if !tiles.is_empty() || !checkpoints.is_empty() {
        writeln!(
            problems,
            "tiles {:?} and checkpoints {checkpoints:?} of no records",
            tiles.keys()
        )
        .unwrap();
    }
    Ok(())
}

/// Leaves are numbered without holes, and everything is what its name says.
fn names(db: &Connection, problems: &mut String) -> rusqlite::Result<()> {
    let mut statement = db.prepare(
        "SELECT r.leaf, r.digest, c.bytes FROM records r LEFT JOIN contents c ON c.digest = r.digest
         ORDER BY r.leaf",
    )?;
    let mut rows = statement.query([])?;
    let mut next = 0;
    while let Some(row) = rows.next()? {
        let (leaf, name): (i64, _) = (row.get(0)?, named(row, 1)?);
        let bytes: Option<Vec<u8>> = row.get(2)?;
        let text = bytes.and_then(|b| String::from_utf8(b).ok());
        if leaf != next || text.is_none_or(|t| evidence::digest(&t) != name) {
            writeln!(problems, "leaf {leaf} is not record {next} {name}").unwrap();
        }
        next = leaf + 1;
    }
    let mut statement = db.prepare("SELECT digest, kind, bytes FROM contents")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind): (_, String) = (named(row, 0)?, row.get(1)?);
        let bytes: Vec<u8> = row.get(2)?;
        let good = match kind.as_str() {
            "batch" => batch::digest(&bytes) == name,
            "summary" => PaneSummary::from_bytes(&bytes).is_ok_and(|s| s.digest() == name),
            _ => !bytes.is_empty(),
        };
        if !good {
            writeln!(problems, "a {kind} is not what its name {name} says").unwrap();
        }
    }
    Ok(())
}

/// Each batch is there with its bytes and one record, and each of its items is counted once: it waits,
/// or it is in a block.
fn batches(db: &Connection, problems: &mut String) -> rusqlite::Result<BTreeSet<Digest>> {
    let mut recorded: BTreeMap<String, u32> = BTreeMap::new();
    let mut statement = db.prepare(
        "SELECT json_extract(CAST(c.bytes AS TEXT), '$.body.batch'),
           json_extract(CAST(c.bytes AS TEXT), '$.body.taken')
         FROM records r JOIN contents c ON c.digest = r.digest WHERE r.type = 'batch'",
    )?;
    let mut rows = statement.query([])?;
    let mut taken = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        *recorded.entry(name.clone()).or_default() += 1;
        taken.insert(name, row.get::<_, i64>(1)?);
    }
    let mut statement = db.prepare(
        "SELECT b.digest, c.bytes FROM batches b LEFT JOIN contents c ON c.digest = b.digest",
    )?;
    let mut rows = statement.query([])?;
    let (mut all, mut sent) = (BTreeSet::new(), Counted::default());
    while let Some(row) = rows.next()? {
        let name = named(row, 0)?;
        let bytes: Option<Vec<u8>> = row.get(1)?;
        let batch = bytes.and_then(|b| Envelope::parse(&b).ok()?.open().ok());
        let once = recorded.remove(&name.to_string()) == Some(1);
        let Some(batch) = batch.filter(|_| once) else {
            writeln!(problems, "batch {name} has not its bytes and one record").unwrap();
            continue;
        };
        // What is sent here is taken whole or not at all.
        if usize::try_from(taken[&name.to_string()]) == Ok(batch.items.len()) {
            batch.items.iter().for_each(|item| sent.item(item));
        }
        all.insert(name);
    }
    if !recorded.is_empty() {
        writeln!(problems, "records without a batch: {recorded:?}").unwrap();
    }
    let kept = kept(db, problems)?;
    if kept != sent {
        writeln!(problems, "sent {sent:?}, kept {kept:?}").unwrap();
    }
    Ok(all)
}

/// What waits and what is in blocks, together.
fn kept(db: &Connection, problems: &mut String) -> rusqlite::Result<Counted> {
    let mut kept = Counted::default();
    let mut statement =
        db.prepare("SELECT p.place, c.bytes FROM pending p JOIN contents c ON c.digest = p.batch")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (place, bytes): (u16, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let batch = Envelope::parse(&bytes).ok().and_then(|e| e.open().ok());
        match batch
            .as_ref()
            .and_then(|batch| batch.items.get(usize::from(place)))
        {
            Some(item) => kept.item(item),
            None => writeln!(problems, "no waiting item at {place} of its batch").unwrap(),
        }
    }
    let mut statement = db.prepare("SELECT stream, coverage FROM blocks")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (stream, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let read = match stream {
            1 => Coverage::from_bytes(&bytes).map(|c| kept.traffic(&c)),
            _ => OutcomeCoverage::from_bytes(&bytes).map(|c| kept.outcomes(&c)),
        };
        if let Err(e) = read {
            writeln!(problems, "a block's coverage: {e}").unwrap();
        }
    }
    Ok(kept)
}

/// The tables that are derived say the same as the records: blocks, windows, ledgers.
fn tables(db: &Connection, problems: &mut String) -> rusqlite::Result<()> {
    const SAME: [(&str, &str); 5] = [
        (
            "blocks have records",
            "SELECT (SELECT count(*) FROM blocks) = (SELECT count(*) FROM records WHERE type = 'block')
               AND NOT EXISTS(SELECT 1 FROM blocks WHERE block NOT IN (SELECT digest FROM records))",
        ),
        (
            "blocks have their sums",
            "SELECT NOT EXISTS(SELECT 1 FROM blocks WHERE summary NOT IN (SELECT digest FROM contents))",
        ),
        (
            "windows have measurements",
            "SELECT NOT EXISTS(SELECT 1 FROM windows WHERE measurement NOT IN (SELECT digest FROM records))",
        ),
        (
            "what waits is in a batch that is kept",
            "SELECT NOT EXISTS(SELECT 1 FROM pending WHERE batch NOT IN (SELECT digest FROM batches))",
        ),
        (
            "nothing waits for a pane that is sealed",
            "SELECT NOT EXISTS(SELECT 1 FROM pending p WHERE waits_for <=
               (SELECT max(pane) FROM seals s WHERE s.system = p.system))",
        ),
    ];
    for (what, sql) in SAME {
        if !db.query_row(sql, [], |r| r.get::<_, bool>(0))? {
            writeln!(problems, "not so: {what}").unwrap();
        }
    }
    Ok(())
}
