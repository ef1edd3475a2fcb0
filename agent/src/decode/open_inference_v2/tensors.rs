//! The protocol's tensors, however they came: which hold one entry per case, and their values.

use std::borrow::Cow;

use clause9_shared::inference::{Tensor, Values};
use clause9_shared::window::UndecodableReason;

use super::data::{Data, Datatype};
use super::raw;
use crate::decode::body::bounded;
use crate::decode::{MAX_COLUMNS, MAX_ROWS};

/// A tensor as it came.
pub(in crate::decode) struct WireTensor<'a> {
    pub(in crate::decode) name: Cow<'a, str>,
    pub(in crate::decode) shape: Vec<u64>,
    pub(in crate::decode) datatype: Datatype,
    pub(in crate::decode) values: Contents<'a>,
}

/// A tensor's values as they came.
pub(in crate::decode) enum Contents<'a> {
    /// Read from JSON.
    Json(Data),
    /// Raw.
    Raw(&'a [u8]),
    /// Of their own type already.
    Typed(Values),
}

impl WireTensor<'_> {
    /// Rows and columns by the shape, if the tensor has a first dimension.
    fn layout(&self) -> Result<Option<(usize, usize)>, UndecodableReason> {
        let Some((first, others)) = self.shape.split_first() else {
            return Ok(None);
        };
        let columns = others
            .iter()
            .try_fold(1_u64, |product, n| product.checked_mul(*n));
        let cells = columns.and_then(|c| c.checked_mul(*first));
        let Some((columns, cells)) = columns.zip(cells) else {
            return Err(UndecodableReason::Malformed);
        };
        let count = match &self.values {
            Contents::Json(data) => Some(data.len()),
            Contents::Typed(values) => Some(values.len()),
            // Counted when they are read.
            Contents::Raw(_) => None,
        };
        if count.is_some_and(|count| count as u64 != cells) {
            return Err(UndecodableReason::Malformed);
        }
        match (usize::try_from(*first), usize::try_from(columns)) {
            (Ok(rows), Ok(columns)) if rows <= MAX_ROWS && columns <= MAX_COLUMNS => {
                Ok(Some((rows, columns)))
            }
            _ => Err(UndecodableReason::Unsupported),
        }
    }

    fn values(self, cells: usize) -> Result<Values, UndecodableReason> {
        let values = match self.values {
            Contents::Json(data) => data.typed(self.datatype)?,
            Contents::Typed(values) => values,
            Contents::Raw(bytes) => raw::read(self.datatype, bytes)?,
        };
        if values.len() == cells {
            Ok(values)
        } else {
            Err(UndecodableReason::Malformed)
        }
    }
}

/// The first input says how many cases there are.
pub(in crate::decode) fn rows_of(inputs: &[WireTensor<'_>]) -> Result<usize, UndecodableReason> {
    let first = inputs.first().ok_or(UndecodableReason::Malformed)?;
    let (rows, _) = first.layout()?.ok_or(UndecodableReason::Unsupported)?;
    Ok(rows)
}

/// The tensors that hold one entry per case; others (scalars, per-batch figures) are left out, and
/// an objective that points at one finds it absent.
pub(in crate::decode) fn kept(
    wire: Vec<WireTensor<'_>>,
    rows: usize,
) -> Result<Vec<Tensor>, UndecodableReason> {
    let mut kept = Vec::with_capacity(wire.len().min(MAX_COLUMNS));
    let mut total = 0_usize;
    for tensor in wire {
        match tensor.layout()? {
            Some((n, columns)) if n == rows => {
                total = total.saturating_add(columns);
                if total > MAX_COLUMNS {
                    return Err(UndecodableReason::Unsupported);
                }
                kept.push(Tensor {
                    name: bounded(&tensor.name)?,
                    columns,
                    values: tensor.values(rows * columns)?,
                });
            }
            Some(_) | None => {}
        }
    }
    Ok(kept)
}
