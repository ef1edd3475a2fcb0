//! The records of a segment: each with its length and its CRC-32, so that what was torn off or has
//! changed on the disk is noticed. Version 1; the header's first field is the version.

use clause9_shared::digest::Digest;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::codec::{Malformed, Reader, Writer};

use crate::engine::Origin;
use crate::sample::Tag;

/// What every segment begins with.
pub(super) const MAGIC: &[u8; 4] = b"C9J1";
/// Bytes of a record's length and checksum.
pub(super) const FRAME: usize = 8;
/// Largest record.
pub(super) const MAX_RECORD: usize = 8 << 20;
/// Longest name of a model or a version.
const MAX_NAME: usize = 4096;
const VERSION: u64 = 1;

/// Under what the predictions of a segment were made, and by which run of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// What is counted and how: cells and groups mean nothing under another plan.
    pub(super) plan: Digest,
    /// The public name of the system's key.
    pub(super) salt: Digest,
    pub(super) clock: Clock,
    /// Bytes of one packed prediction.
    pub(super) stride: usize,
    pub(super) boot: u64,
}

impl Header {
    /// Whether predictions under the one can be joined under the other.
    pub(super) fn fits(&self, other: &Self) -> bool {
        let same = Self {
            boot: other.boot,
            ..self.clone()
        };
        same == *other
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// The first one.
    Header(Header),
    /// Where requests come from; they name it by its number, from 0 in each segment.
    Origin(Origin),
    /// A request with its packed predictions.
    Request {
        tag: Tag,
        origin: u64,
        rows: Vec<u8>,
    },
    /// What one of its predictions became by an outcome that arrived in that pane.
    Amended {
        tag: Tag,
        row: u32,
        arrival: PaneStart,
        packed: Vec<u8>,
    },
    /// What arrived before this point is about to be handed over.
    HandedOver(Timestamp),
    /// What stands before this is put by, with open panes, under this number.
    PutBy(u64),
    /// What that run of the agent put by under that number was found by a later run.
    Restored { boot: u64, number: u64 },
}

/// What stands at a place.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A record of so many bytes.
    Whole(Record, usize),
    /// The beginning of one, or nothing: the file ends here.
    Torn,
    /// No record.
    Damaged,
}

/// Writes a record behind what is there.
pub(super) fn write(record: &Record, into: &mut Vec<u8>) {
    let mut w = Writer::default();
    match record {
        Record::Header(header) => {
            w.byte(0);
            w.unsigned(VERSION);
            w.raw(header.plan.as_bytes());
            w.raw(header.salt.as_bytes());
            w.byte(match header.clock {
                Clock::Live => 0,
                Clock::Replay => 1,
            });
            w.unsigned(header.stride as u64);
            w.unsigned(header.boot);
        }
        Record::Origin((pane, (model, version))) => {
            w.byte(1);
            w.signed(pane.0.micros());
            w.text(model);
            w.text(version);
        }
        Record::Request { tag, origin, rows } => {
            w.byte(2);
            w.raw(&tag.bytes());
            w.unsigned(*origin);
            w.bytes(rows);
        }
        Record::Amended {
            tag,
            row,
            arrival,
            packed,
        } => {
            w.byte(3);
            w.raw(&tag.bytes());
            w.unsigned(u64::from(*row));
            w.signed(arrival.0.micros());
            w.bytes(packed);
        }
        Record::HandedOver(before) => {
            w.byte(4);
            w.signed(before.micros());
        }
        Record::PutBy(number) => {
            w.byte(5);
            w.unsigned(*number);
        }
        Record::Restored { boot, number } => {
            w.byte(6);
            w.unsigned(*boot);
            w.unsigned(*number);
        }
    }
    let body = w.into_bytes();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&checksum(&body).to_le_bytes());
    into.extend_from_slice(&body);
}

fn checksum(body: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(body);
    sum.sum()
}

/// Length of the body that a frame announces.
pub(super) fn length(frame: [u8; FRAME]) -> usize {
    let [a, b, c, d, ..] = frame;
    u32::from_le_bytes([a, b, c, d]) as usize
}

/// Reads the record at the beginning of these bytes.
pub(super) fn read(bytes: &[u8]) -> Read {
    let Some((frame, rest)) = bytes.split_first_chunk::<FRAME>() else {
        return Read::Torn;
    };
    let length = length(*frame);
    if length == 0 || length > MAX_RECORD {
        return Read::Damaged;
    }
    let Some(body) = rest.get(..length) else {
        return Read::Torn;
    };
    let [.., a, b, c, d] = *frame;
    if checksum(body) != u32::from_le_bytes([a, b, c, d]) {
        return Read::Damaged;
    }
    parse(body).map_or(Read::Damaged, |record| Read::Whole(record, FRAME + length))
}

fn parse(body: &[u8]) -> Result<Record, Malformed> {
    let mut r = Reader::new(body);
    let record = match r.byte()? {
        0 => {
            if r.unsigned()? != VERSION {
                return Err(Malformed::Value("version"));
            }
            Record::Header(Header {
                plan: Digest::from_bytes(r.array()?),
                salt: Digest::from_bytes(r.array()?),
                clock: match r.byte()? {
                    0 => Clock::Live,
                    1 => Clock::Replay,
                    _ => return Err(Malformed::Value("clock")),
                },
                stride: usize::try_from(r.unsigned()?).map_err(|_| Malformed::TooLong)?,
                boot: r.unsigned()?,
            })
        }
        1 => Record::Origin((
            PaneStart(time(&mut r)?),
            (r.text(MAX_NAME)?.into(), r.text(MAX_NAME)?.into()),
        )),
        2 => Record::Request {
            tag: Tag::from_bytes(r.array()?),
            origin: r.unsigned()?,
            rows: r.bytes(MAX_RECORD)?.to_vec(),
        },
        3 => Record::Amended {
            tag: Tag::from_bytes(r.array()?),
            row: u32::try_from(r.unsigned()?).map_err(|_| Malformed::Value("row"))?,
            arrival: PaneStart(time(&mut r)?),
            packed: r.bytes(MAX_RECORD)?.to_vec(),
        },
        4 => Record::HandedOver(time(&mut r)?),
        5 => Record::PutBy(r.unsigned()?),
        6 => Record::Restored {
            boot: r.unsigned()?,
            number: r.unsigned()?,
        },
        _ => return Err(Malformed::Value("record")),
    };
    if r.remaining() > 0 {
        return Err(Malformed::TooLong);
    }
    Ok(record)
}

fn time(r: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    Timestamp::from_micros(r.signed()?).ok_or(Malformed::Value("timestamp"))
}
