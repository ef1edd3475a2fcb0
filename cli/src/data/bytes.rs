//! A file's bytes: what packs them, how far they were read, and their digest, taken on the way.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clause9_shared::digest::Digest;
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Format, Packing, Table, bad};

/// How far reading is, for a progress bar: bytes of the file, or rows where the format counts them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    at: Cell<u64>,
}

impl Meter {
    pub(crate) fn at(&self) -> u64 {
        self.at.get()
    }

    pub(super) fn set(&self, at: u64) {
        self.at.set(at);
    }
}

/// A part of a file, with what stands before it as if it began there.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    /// The file. It may have another name by now.
    pub(crate) file: Arc<File>,
    /// What is read first: the names of the columns.
    pub(crate) header: Arc<[u8]>,
    /// Where the part begins and ends, in bytes.
    pub(crate) part: Range<u64>,
}

/// A file from its beginning, or a stretch of one.
enum Bytes {
    Whole(File),
    Part {
        of: Stretch,
        /// Bytes of the header that were read.
        header: usize,
    },
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Whole(file) => file.read(buffer),
            Self::Part { of, header } if *header < of.header.len() => {
                let read = (&of.header[*header..]).read(buffer)?;
                *header += read;
                Ok(read)
            }
            Self::Part { of, .. } => {
                let left = of.part.end.saturating_sub(of.part.start);
                let most = usize::try_from(left).map_or(buffer.len(), |n| n.min(buffer.len()));
                let read = of.file.read_at(&mut buffer[..most], of.part.start)?;
                of.part.start += read as u64;
                Ok(read)
            }
        }
    }
}

/// A file that digests what is read of it and tells how far it is.
pub(super) struct Digesting<'a> {
    file: Bytes,
    sha: Sha256,
    position: u64,
    meter: Option<&'a Meter>,
}

impl<'a> Digesting<'a> {
    pub(super) fn open(table: &Table, meter: Option<&'a Meter>) -> anyhow::Result<Self> {
        let file = match &table.stretch {
            Some(of) => Bytes::Part {
                of: of.clone(),
                header: 0,
            },
            None => Bytes::Whole(
                File::open(&table.path).with_context(|| format!("cannot read {}", table.name))?,
            ),
        };
        Ok(Self {
            file,
            sha: Sha256::new(),
            position: 0,
            meter,
        })
    }

    /// Reads what is left and gives the digest of all of it.
    pub(super) fn finish(&mut self, name: &str) -> anyhow::Result<Digest> {
        io::copy(self, &mut io::sink()).with_context(|| format!("cannot read {name}"))?;
        let sha = std::mem::take(&mut self.sha);
        Ok(Digest::from_bytes(sha.finalize().into()))
    }
}

impl Read for Digesting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.sha.update(&buffer[..n]);
        self.position += n as u64;
        if let Some(meter) = self.meter {
            meter.set(self.position);
        }
        Ok(n)
    }
}

/// A file's bytes, unpacked.
pub(super) enum Unpacked<'a> {
    Plain(BufReader<Digesting<'a>>),
    Gzip(Box<MultiGzDecoder<BufReader<Digesting<'a>>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Digesting<'a>>>>),
}

impl<'a> Unpacked<'a> {
    pub(super) fn open(table: &Table, meter: &'a Meter) -> anyhow::Result<Self> {
        let bytes = BufReader::with_capacity(1 << 16, Digesting::open(table, Some(meter))?);
        Ok(match table.packing {
            Packing::Plain => Self::Plain(bytes),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(bytes))),
            Packing::Zstd => Self::Zstd(Box::new(
                zstd::stream::read::Decoder::with_buffer(bytes)
                    .with_context(|| format!("cannot read {}", table.name))?,
            )),
        })
    }

    /// The digest of the file's bytes.
    pub(super) fn digest(&mut self, name: &str) -> anyhow::Result<Digest> {
        match self {
            Self::Plain(bytes) => bytes.get_mut().finish(name),
            Self::Gzip(bytes) => bytes.get_mut().get_mut().finish(name),
            Self::Zstd(bytes) => bytes.get_mut().get_mut().finish(name),
        }
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Gzip(bytes) => bytes.read(buffer),
            Self::Zstd(bytes) => bytes.read(buffer),
        }
    }
}

/// A fault while reading: of the disk, or of what packs the bytes.
pub(super) fn fault<T>(name: &str, packing: Packing, error: io::Error) -> anyhow::Result<T> {
    let broken = matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    );
    match packing {
        Packing::Gzip if broken => bad(format!(
            "{name}: not a complete gzip file: {error}; write it again"
        )),
        // What zstd says of broken data has no kind of its own.
        Packing::Zstd if error.raw_os_error().is_none() => bad(format!(
            "{name}: not a complete zstd file: {error}; write it again"
        )),
        Packing::Plain | Packing::Gzip | Packing::Zstd => {
            Err(anyhow::Error::new(error).context(format!("cannot read {name}")))
        }
    }
}

/// Format and packing by the file's name; a Parquet file is known by its first bytes, too.
pub(super) fn recognise(path: &Path, name: &str) -> anyhow::Result<(Format, Packing)> {
    let mut first = [0_u8; 4];
    let read = File::open(path)
        .and_then(|mut file| file.read(&mut first))
        .with_context(|| format!("cannot read {name}"))?;
    if read == 4 && &first == b"PAR1" {
        return Ok((Format::Parquet, Packing::Plain));
    }
    let file = path
        .file_name()
        .map(|f| f.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let (stem, packing) = if let Some(stem) = file.strip_suffix(".gz") {
        (stem, Packing::Gzip)
    } else if let Some(stem) = file.strip_suffix(".zst") {
        (stem, Packing::Zstd)
    } else {
        (file.as_str(), Packing::Plain)
    };
    let ends = |suffixes: &[&str]| suffixes.iter().any(|s| stem.ends_with(s));
    if ends(&[".csv", ".tsv"]) {
        Ok((Format::Csv, packing))
    } else if ends(&[".jsonl", ".ndjson"]) {
        Ok((Format::JsonLines, packing))
    } else if ends(&[".parquet", ".parq", ".pq"]) {
        bad(format!(
            "{name}: not a Parquet file, though it is called one; write it again"
        ))
    } else {
        bad(format!(
            "{name}: its name does not tell its format; call it .csv, .tsv, .jsonl, .ndjson (each also .gz or .zst) or .parquet"
        ))
    }
}
