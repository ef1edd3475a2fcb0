//! How the model was served, where a file says it: which columns, and what of a row.

use clause9_shared::inference::Cell;
use clause9_shared::objective::Document;
use clause9_shared::service::{Facet, Served};

use crate::columns::{Finder, Source};
use crate::data::{Batch, Form, bad};

/// Which columns say how an answer was served.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "How the model was served")]
pub(crate) struct Columns {
    /// The column of times to the answer's last byte, in seconds.
    #[arg(long, value_name = "COLUMN")]
    latency: Option<String>,
    /// The column of times to the answer's first byte, in seconds.
    #[arg(long, value_name = "COLUMN")]
    first_byte: Option<String>,
    /// The column of requests' sizes in bytes.
    #[arg(long, value_name = "COLUMN")]
    request_bytes: Option<String>,
    /// The column of answers' sizes in bytes.
    #[arg(long, value_name = "COLUMN")]
    response_bytes: Option<String>,
    /// The column of answers' status (HTTP): 200, 503.
    #[arg(long, value_name = "COLUMN")]
    status: Option<String>,
}

impl Columns {
    fn of(&self, facet: Facet) -> Option<&str> {
        let named = match facet {
            Facet::Answers => &self.status,
            Facet::Latency => &self.latency,
            Facet::FirstByte => &self.first_byte,
            Facet::RequestBytes => &self.request_bytes,
            Facet::ResponseBytes => &self.response_bytes,
        };
        named.as_deref()
    }

    /// Those that were named.
    pub(crate) fn named(&self) -> Vec<&str> {
        Facet::ALL.iter().filter_map(|f| self.of(*f)).collect()
    }
}

/// Where a row's facts of serving are found.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    sources: Vec<(Facet, usize)>,
}

impl Serving {
    /// Finds the columns that were named; of the others those that are there by their own names, if
    /// the document counts how the model is served.
    pub(crate) fn find(
        document: &Document,
        finder: &mut Finder<'_>,
        columns: &Columns,
    ) -> anyhow::Result<Self> {
        let mut serving = Self::default();
        for facet in Facet::ALL {
            let (flag, own) = match facet {
                Facet::Answers => ("status", "status"),
                Facet::Latency => ("latency", "latency"),
                Facet::FirstByte => ("first-byte", "first_byte"),
                Facet::RequestBytes => ("request-bytes", "request_bytes"),
                Facet::ResponseBytes => ("response-bytes", "response_bytes"),
            };
            let named = columns.of(facet);
            if document.service.is_none() {
                if named.is_some() {
                    return bad(format!(
                        "--{flag} says how the model was served, which the objectives file does not \
                         count; add `service: {{}}` to it"
                    ));
                }
                continue;
            }
            let role = format!("service {own}");
            let found = match named {
                Some(name) => {
                    let what = format!(", which was given as --{flag}");
                    Some(finder.find(&[name], Form::Number, &role, &what)?)
                }
                None => finder.maybe(&[own], Form::Number, &role)?,
            };
            // What came later than the answer says nothing of how it was served.
            if let Some(Source::Batch(column)) = found {
                serving.sources.push((facet, column));
            }
        }
        Ok(serving)
    }

    /// What is told; how many rows there are always is.
    pub(crate) fn tells(&self, facet: Facet) -> bool {
        facet == Facet::Answers || self.sources.iter().any(|(told, _)| *told == facet)
    }

    /// The facts of a row.
    pub(crate) fn of(&self, batch: &Batch, row: usize) -> Served {
        let mut served = Served::default();
        for (facet, column) in &self.sources {
            let number = match batch.columns[*column].cell(row) {
                Cell::Missing | Cell::Text(_) => None,
                cell @ (Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_)) => {
                    cell.number()
                }
            };
            match facet {
                Facet::Answers => served.status = number.and_then(status),
                Facet::Latency => served.latency = number,
                Facet::FirstByte => served.first_byte = number,
                Facet::RequestBytes => served.request_bytes = number,
                Facet::ResponseBytes => served.response_bytes = number,
            }
        }
        served
    }
}

/// A number as a status, if it is a whole one of three digits.
fn status(number: f64) -> Option<u16> {
    let fits = (100.0..1000.0).contains(&number) && number.fract().abs() < f64::EPSILON;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of three digits"
    )]
    fits.then_some(number as u16)
}
