//! Drift tolerances as bets: a feature's law within a distance of the baseline's, cell by cell.

use crate::baseline::Law;
use crate::bet::{Bets, CellBets, Divergence, NoBet, Tolerance, cells, reference, support};
use crate::metric::Against;

/// The baseline's counts of the cells that a drift metric compares: for numbers the cells between
/// the cuts and one for values that are missing or invalid; for categories those listed, all others,
/// and missing values. With them how many leading cells are ordered.
pub(super) fn baseline_cells(law: &Law) -> (Vec<u64>, usize) {
    match law {
        Law::Numeric {
            counts,
            missing,
            invalid,
            ..
        } => (
            [counts.as_slice(), &[missing.saturating_add(*invalid)]].concat(),
            counts.len(),
        ),
        Law::Categorical {
            counts,
            other,
            missing,
            ..
        } => ([counts.as_slice(), &[*other, *missing]].concat(), 0),
    }
}

/// Whether a distance is of the values that are there: then the cell of missing ones is none of its.
const fn of_present(divergence: Divergence) -> bool {
    match divergence {
        Divergence::KolmogorovSmirnov | Divergence::Wasserstein => true,
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::TotalVariation
        | Divergence::Hellinger
        | Divergence::JensenShannon => false,
    }
}

/// A tolerance of the subject's feature, handed to `then`; wider where the baseline's own scatter is
/// allowed for. `radius` brings a level to the divergence's own scale.
fn with_tolerance<T>(
    against: Against<'_>,
    divergence: Divergence,
    radius: fn(f64) -> f64,
    then: impl FnOnce(Tolerance<'_>) -> T,
) -> Option<T> {
    let feature = against.of.feature.as_ref()?;
    let (mut baseline, ordered) = baseline_cells(against.baseline.features.get(feature)?);
    if of_present(divergence) {
        baseline.truncate(ordered);
    }
    let positions: Vec<f64> = (0..ordered).map(|cell| cell as f64).collect();
    let wider = against
        .reference_error
        .and_then(|error| reference::widening(divergence, &baseline, error));
    let level = against.level + wider.unwrap_or(0.0);
    Some(then(Tolerance {
        divergence,
        baseline: &baseline,
        positions: &positions,
        radius: radius(level),
        level,
    }))
}

/// The bets against "the distance is at most the level", which `radius` brings to the divergence's own
/// scale.
pub(super) fn bets(
    against: Against<'_>,
    divergence: Divergence,
    radius: fn(f64) -> f64,
) -> Result<Bets, NoBet> {
    with_tolerance(against, divergence, radius, |of| {
        CellBets::drift(of).map(Bets::Cells)
    })
    .unwrap_or_else(|| Err(NoBet(NOT_THERE.to_owned())))
}

/// Why the tolerance cannot be told with this baseline, and what to do.
pub(super) fn refuses(
    against: Against<'_>,
    divergence: Divergence,
    radius: fn(f64) -> f64,
) -> Option<String> {
    with_tolerance(against, divergence, radius, |of| cells::refuse(&of))
        .unwrap_or_else(|| Some(NOT_THERE.to_owned()))
}

/// How many cases a block must have for its estimate to enter the running mean ([`support`]).
pub(super) fn approximates_from(
    against: Against<'_>,
    divergence: Divergence,
    radius: fn(f64) -> f64,
) -> u64 {
    with_tolerance(against, divergence, radius, |of| {
        support::cases_needed(of.divergence, of.baseline, of.radius)
    })
    .unwrap_or(0)
}

const NOT_THERE: &str = "its feature is not in the baseline; build the baseline again";

/// As [`family!`](super::family), of distances that judge: how the level becomes a radius on the
/// scale of which divergence.
macro_rules! judged {
    ($family:path, $reads:path; $($(#[$doc:meta])* $name:ident { $($field:ident: $value:expr),* $(,)? } within $radius:expr, of $divergence:path = $measure:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $crate::metric::Metric for $name {
            const SPEC: $crate::metric::MetricSpec = $crate::metric::MetricSpec {
                $($field: $value,)*
                grade: $crate::metric::Grade::A,
                sample: $crate::metric::SampleKind::Cells,
                ..$family
            };

            fn reads(
                document: &$crate::objective::document::Document,
                of: &$crate::objective::document::Subject,
            ) -> Vec<$crate::sketch::SummaryKey> {
                $reads(document, of)
            }

            fn measure(seen: $crate::metric::Seen<'_>) -> $crate::metric::Measurement {
                $measure(&seen)
            }

            fn bets(
                against: $crate::metric::Against<'_>,
            ) -> Result<$crate::bet::Bets, $crate::bet::NoBet> {
                $crate::metric::drift::ball::bets(against, $divergence, $radius)
            }

            fn refuses(against: $crate::metric::Against<'_>) -> Option<String> {
                $crate::metric::drift::ball::refuses(
                    against,
                    $divergence,
                    $radius,
                )
            }

            fn approximates_from(against: $crate::metric::Against<'_>) -> u64 {
                $crate::metric::drift::ball::approximates_from(
                    against,
                    $divergence,
                    $radius,
                )
            }
        }
    )* };
}
pub(super) use judged;
