//! The register as a log: `GET /log/checkpoint` and `GET /log/tile/...` (C2SP tlog-tiles, with `/log` as the prefix);
//! `GET /v1/evidence/{digest}/proof` (C2SP tlog-proof) and `GET /v1/log/consistency?from=SIZE`. Leaves are names of records, so
//! nothing is told here of what they say.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use clause9_shared::digest::{Digest, NotADigest};
use clause9_shared::evidence::merkle;
use clause9_shared::evidence::proof::LogProof;
use clause9_shared::evidence::tiles::{self, Place, Tiled, Tiles as _, WIDTH};
use serde::Deserialize;
use serde_json::{Value, json};

use super::v1::Params;
use super::{ApiError, Shared};
use crate::store::{CheckpointRow, ReadStore};

const NOTE: &str = "text/plain; charset=utf-8";
/// What never changes may be kept by whoever asked.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// What can be proved by now, of a log of at least so many records.
fn newest(read: &ReadStore<'_>, least: u64) -> Result<CheckpointRow, ApiError> {
    let none = || {
        ApiError::NotFound(
            "the register has no checkpoint yet; one is signed soon after the collector's start"
                .to_owned(),
        )
    };
    read.shown_checkpoint(least)?.ok_or_else(none)
}

pub(super) async fn checkpoint(State(shared): State<Shared>) -> Result<Response, ApiError> {
    let note = shared
        .read(|_, read| Ok(newest(read, 0)?.note.to_string()))
        .await?;
    Ok(([(header::CONTENT_TYPE, NOTE)], note).into_response())
}

pub(super) async fn tile(
    State(shared): State<Shared>,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    let place = tiles::parse_path(&format!("tile/{path}"));
    let (level, number, width) = place.ok_or_else(|| {
        ApiError::Bad(
            "not the path of a tile: it is LEVEL/NUMBER or entries/NUMBER, as 0/x001/234.p/5"
                .to_owned(),
        )
    })?;
    let bytes = shared.read(move |_, read| {
        let size = read.last_checkpoint()?.map_or(0, |row| row.checkpoint.size);
        let place = Place {
            level: level.unwrap_or(0),
            number,
        };
        if place.width(size) < width {
            return Err(ApiError::NotFound(format!(
                "the log of {size} records has no such tile yet"
            )));
        }
        match level {
            Some(_) => {
                let hashes = read.tile(place, width)?;
                Ok(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
            }
            None => bundle(read, number, width),
        }
    });
    let mut response = (
        [(header::CONTENT_TYPE, "application/octet-stream")],
        bytes.await?,
    )
        .into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, FOR_EVER);
    Ok(response)
}

fn bundle(read: &ReadStore<'_>, number: u64, width: usize) -> Result<Vec<u8>, ApiError> {
    let names = read.leaves_from(number * WIDTH as u64, width)?;
    let entries = names.iter().map(|name| name.as_bytes().as_slice());
    // Names have 32 bytes.
    Ok(tiles::bundle(entries).unwrap_or_default())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Under {
    /// Under the first checkpoint that covers the record, not under the newest.
    #[serde(default)]
    first: bool,
}

pub(super) async fn proof(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Params(Under { first }): Params<Under>,
) -> Result<Response, ApiError> {
    let name: Digest = name
        .parse()
        .map_err(|e: NotADigest| ApiError::Bad(e.to_string()))?;
    let proof = shared.read(move |_, read| prove(read, name, first)).await?;
    Ok(([(header::CONTENT_TYPE, NOTE)], proof.to_string()).into_response())
}

/// The proof that a record is in the log. Under the first checkpoint over it, the record of a new key proves itself to whoever
/// knows the one before.
fn prove(read: &ReadStore<'_>, name: Digest, first: bool) -> Result<LogProof, ApiError> {
    let absent = || ApiError::NotFound(format!("no record is named {name}"));
    let young = || {
        ApiError::NotFound(
            "the record is younger than the newest checkpoint; ask again in a minute".to_owned(),
        )
    };
    let index = read.leaf_of(name)?.ok_or_else(absent)?;
    let under = if first {
        read.checkpoint_over(index + 1)?.ok_or_else(young)?
    } else {
        newest(read, index + 1)?
    };
    let size = under.checkpoint.size;
    let hashes = merkle::inclusion(&Tiled::new(read, size), index, size)?;
    Ok(LogProof {
        index,
        hashes: hashes.ok_or_else(young)?,
        note: under.note,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    from: u64,
}

pub(super) async fn consistency(
    State(shared): State<Shared>,
    Params(From { from }): Params<From>,
) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(move |_, read| {
        let newest = newest(read, from)?;
        let size = newest.checkpoint.size;
        let proof = merkle::consistency(&Tiled::new(read, size), from, size)?;
        let shorter = || ApiError::Bad(format!("the log has {size} records, fewer than {from}: it is another log, or it was set back"));
        let proof: Vec<_> = proof.ok_or_else(shorter)?.iter().map(ToString::to_string).collect();
        Ok(json!({ "from": from, "size": size, "proof": proof, "checkpoint": newest.note.to_string() }))
    });
    answer.await.map(Json)
}
