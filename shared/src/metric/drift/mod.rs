//! Drift: how a feature's traffic differs from the frozen baseline.
//!
//! Two readings, as in [`crate::drift`]: counts over cells, and the common refinement of all places
//! at which both distribution functions are known. One of each family judges; its conventional
//! variants and its p-value are rows of their own, shown and never judged: a verdict rests on ledgers.

mod ball;
mod counted;
mod divergence;
mod function;
mod joint;
mod level;
mod psi;
mod read;
mod resampled;
mod table;
mod transport;
mod uniform;
mod values;
mod variation;

pub(super) use counted::{MissingRate, RangeConformity, TypeConformity, Unseen, Vanished};
pub(super) use divergence::{
    Chi2Distance, Hellinger, HellingerPlain, JsDistance, JsDistanceNats, JsDistancePlain, Kl,
    KlFloor,
};
pub(super) use function::{
    AndersonDarling, AndersonDarlingP, CramerVonMises, CramerVonMisesP, Ks, KsP, Kuiper, KuiperP,
};
pub(super) use joint::{
    CentroidCosine, CorrelationShift, CorrelationShiftP, DirectionKs, DirectionPsi, Frechet,
    Hotelling, HotellingP, LinearAuc, Mahalanobis, Mmd, PcaError, PcaErrorRatio,
};
pub(super) use level::{MeanShift, VarianceRatio, Welch, WelchP};
pub(super) use psi::{Psi, PsiFloor, PsiSmoothed};
pub use resampled::{RESAMPLES, Resampling, resampled};
pub(super) use table::{
    Chi2, Chi2Fit, Chi2FitP, Chi2P, Chi2Yates, Chi2YatesP, CramersV, G, GFit, GFitP, GP,
};
pub(super) use transport::{
    Energy, Wasserstein, WassersteinIqr, WassersteinOverRefStd, WassersteinStd,
};
pub(super) use uniform::{
    HellingerUniform20, JsDistanceUniform20, KlUniform20, LInfinityUniform20, PsiUniform20,
    TotalVariationUniform20,
};
pub(super) use values::{FlagRate, Mean, Median, Quantile25, Quantile75, StandardDeviation};
pub(super) use variation::{
    LInfinity, LInfinityPlain, TotalVariation, TotalVariationCorrected, TotalVariationPlain,
};

/// Defines metrics of one family: what each card says beyond what the family's do, which summaries
/// they read, how each is measured and, for those that judge, by which bets.
macro_rules! family {
    ($family:path, $reads:path; $($(#[$doc:meta])* $name:ident { $($field:ident: $value:expr),* $(,)? } $(by $bets:expr, $(broken $breach:expr,)?)? = $measure:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $crate::metric::Metric for $name {
            const SPEC: $crate::metric::MetricSpec = $crate::metric::MetricSpec {
                $($field: $value,)*
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

            $(fn bets(
                against: $crate::metric::Against<'_>,
            ) -> Result<$crate::bet::Bets, $crate::bet::NoBet> {
                $bets(&against)
            }

            $(fn breach(against: $crate::metric::Against<'_>) -> Option<$crate::bet::Breach> {
                $breach(&against)
            })?)?
        }
    )* };
}
use family;
