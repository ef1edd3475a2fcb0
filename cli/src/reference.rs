//! Reference data: CSV rows into a baseline builder, one at a time, with the digest of the file's
//! bytes taken on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::Context as _;
use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::objective::document::Scalar;
use clause9_shared::objective::{Document, Feature, FeatureType};
use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

/// What is wrong with a reference file, told to people; faults of the disk are [`io::Error`]s.
#[derive(Debug)]
pub(crate) struct BadReference(pub(crate) String);

impl std::fmt::Display for BadReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadReference {}

fn bad<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(BadReference(message.into()).into())
}

/// A file that digests what is read of it and tells how far it is.
struct Digesting<'a> {
    file: File,
    sha: Sha256,
    read: &'a dyn Fn(u64),
    position: u64,
}

impl Read for Digesting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.sha.update(&buffer[..n]);
        self.position += n as u64;
        (self.read)(self.position);
        Ok(n)
    }
}

/// Builds a baseline from a reference file. `progress` is told the bytes read so far.
pub(crate) fn build(
    document: &Document,
    path: &Path,
    score: Option<&str>,
    progress: &dyn Fn(u64),
) -> anyhow::Result<Baseline> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    let mut source = Digesting {
        file,
        sha: Sha256::new(),
        read: progress,
        position: 0,
    };
    let file_name = path.file_name().map_or_else(
        || name.clone(),
        |file_name| file_name.to_string_lossy().into_owned(),
    );
    let builder = BaselineBuilder::new(document, &file_name);
    let buffered = BufReader::with_capacity(1 << 16, &mut source);
    let builder = if path.extension().is_some_and(|e| e == "gz") {
        rows(
            document,
            &name,
            MultiGzDecoder::new(buffered),
            score,
            builder,
        )?
    } else {
        rows(document, &name, buffered, score, builder)?
    };
    io::copy(&mut source, &mut io::sink()).with_context(|| format!("cannot read {name}"))?;
    let digest = Digest::from_bytes(source.sha.finalize().into());
    builder
        .finish(digest)
        .or_else(|error| bad(format!("{name}: {error}")))
}

fn rows(
    document: &Document,
    name: &str,
    data: impl Read,
    score: Option<&str>,
    mut builder: BaselineBuilder,
) -> anyhow::Result<BaselineBuilder> {
    let mut reader = ReaderBuilder::new().from_reader(data);
    let columns = Columns::find(document, name, reader.headers(), score)?;
    let mut record = StringRecord::new();
    let mut row = 0_u64;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => row += 1,
            Ok(false) => return Ok(builder),
            Err(error) => return unreadable(name, error),
        }
        let line = record.position().map_or(0, csv::Position::line);
        let place = |column: &str| format!("{name}:{line}: row {row}, column `{column}`");
        for (index, feature) in document.features.iter().enumerate() {
            let text = record.get(columns.features[index]).unwrap_or_default();
            let cell = cell(feature, text)
                .or_else(|message| bad(format!("{}: {message}", place(feature.name.as_str()))))?;
            builder.observe(index, cell);
        }
        if let Some((column, index)) = columns.score {
            let text = record.get(index).unwrap_or_default().trim();
            if !text.is_empty() {
                let score =
                    probability(text).or_else(|m| bad(format!("{}: {m}", place(column))))?;
                builder.observe_score(score);
            }
        }
        builder.end_row();
    }
}

/// Where the columns are that are read.
struct Columns<'a> {
    /// Of each feature, in the document's order.
    features: Vec<usize>,
    score: Option<(&'a str, usize)>,
}

impl<'a> Columns<'a> {
    fn find(
        document: &Document,
        name: &str,
        headers: csv::Result<&StringRecord>,
        score: Option<&'a str>,
    ) -> anyhow::Result<Self> {
        let headers = match headers {
            Ok(headers) => headers,
            Err(error) => return unreadable(name, error),
        };
        let headers: Vec<&str> = headers
            .iter()
            .map(|h| h.trim_start_matches('\u{feff}').trim())
            .collect();
        let place = |wanted: &str, what: &str| {
            let mut found = headers.iter().enumerate().filter(|(_, h)| **h == wanted);
            match (found.next(), found.next()) {
                (Some((index, _)), None) => Ok(index),
                (Some(_), Some(_)) => bad(format!(
                    "{name}:1: two columns are called `{wanted}`; rename one of them"
                )),
                (None, _) => bad(format!(
                    "{name}:1: there is no column `{wanted}`{what}; there are: {}",
                    listed(&headers)
                )),
            }
        };
        let features = document.features.iter().map(|f| {
            place(
                f.name.as_str(),
                ", which is a feature of the objectives file",
            )
        });
        Ok(Self {
            features: features.collect::<anyhow::Result<_>>()?,
            score: match score {
                Some(column) => Some((column, place(column, " for the score")?)),
                None => None,
            },
        })
    }
}

fn listed(headers: &[&str]) -> String {
    const SHOWN: usize = 40;
    let shown: Vec<_> = headers
        .iter()
        .take(SHOWN)
        .map(|h| format!("`{h}`"))
        .collect();
    match headers.len() {
        n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
        _ => shown.join(", "),
    }
}

/// A cell of a feature's column as its type.
fn cell<'a>(feature: &Feature, text: &'a str) -> Result<Cell<'a>, String> {
    if text.trim().is_empty() {
        return Ok(Cell::Missing);
    }
    match feature.kind {
        FeatureType::Categorical => Ok(Cell::Text(text)),
        FeatureType::Numeric => match text.trim().parse::<f64>() {
            Ok(x) => Ok(Cell::Float(x)),
            Err(_) if stands_for_missing(feature, text) => Ok(Cell::Text(text)),
            Err(_) => Err(format!(
                "`{}` is not a number; write one, leave the cell empty, or list the value under `missing` of the feature",
                text.chars().take(60).collect::<String>()
            )),
        },
    }
}

fn stands_for_missing(feature: &Feature, text: &str) -> bool {
    feature.missing.values.iter().any(|value| match value {
        Scalar::Text(missing) => missing == text,
        Scalar::Number(_) | Scalar::Bool(_) => false,
    })
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|score| (0.0..=1.0).contains(score))
        .ok_or_else(|| {
            format!(
                "`{}` is not a score from 0 to 1; name the column of probabilities",
                text.chars().take(60).collect::<String>()
            )
        })
}

/// A fault of the disk stays one; anything else is wrong with the file.
fn unreadable<T>(name: &str, error: csv::Error) -> anyhow::Result<T> {
    if let csv::ErrorKind::Io(io) = error.kind()
        && !matches!(
            io.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        )
    {
        return Err(anyhow::Error::new(error).context(format!("cannot read {name}")));
    }
    let line = error.position().map_or(1, csv::Position::line);
    let kind = error.kind();
    bad(
        if let csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } = kind
        {
            format!(
                "{name}:{line}: the row has {len} cells, the header {expected_len}; quote cells that hold a comma"
            )
        } else if let csv::ErrorKind::Utf8 { .. } = kind {
            format!("{name}:{line}: not UTF-8; save the file in UTF-8")
        } else if let csv::ErrorKind::Io(io) = kind {
            format!("{name}: not a complete gzip file: {io}; write it again")
        } else {
            format!("{name}:{line}: not CSV: {error}")
        },
    )
}
