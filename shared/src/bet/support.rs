//! How many cases the running mean of a divergence needs before its normal approximation is taken.
//!
//! The sum of a few terms that hardly ever occur is not normal, and cells that expect less than a case can
//! lose all of theirs unseen. Therefore each of the baseline's cells must expect [`EXPECTED`] cases (Cochran
//! 1954), but for those too rare to matter at the level. And what chance adds to a divergence of counted
//! shares must be small against the level, or nothing could ever be shown to be kept.

use super::Divergence;
use super::cells::smoothed;

/// Cases that a cell must expect.
pub const EXPECTED: f64 = 5.0;
/// Which part of the level's radius the cells that need not expect so many hold together at most.
const LEFT_ASIDE: f64 = 0.05;
/// Which part of the level's radius chance may add where nothing has moved.
const CHANCE: f64 = 0.25;
/// The most that is ever asked for; beyond, the answer is "more than that".
const MOST: f64 = 1e12;

/// From how many cases on the divergence's estimate is about normal around no less than the truth, given the
/// baseline's counts by cell and the level's radius. 0 of distances that need no support of single cells:
/// their running means contain what chance adds, whatever it is. Cells that the baseline does not have ask
/// for nothing: they can only be seen to fill.
pub fn cases_needed(divergence: Divergence, baseline: &[u64], radius: f64) -> u64 {
    let Some(scale) = per_chi_square(divergence) else {
        return 0;
    };
    let mut shares: Vec<f64> = baseline
        .iter()
        .zip(smoothed(baseline))
        .filter_map(|(count, share)| (*count > 0).then_some(share))
        .collect();
    shares.sort_by(f64::total_cmp);
    let mut together = 0.0;
    let rarest = shares.into_iter().find(|share| {
        together += share;
        together > LEFT_ASIDE * radius
    });
    let expecting = EXPECTED / rarest.unwrap_or(1.0);
    let degrees = baseline.len().saturating_sub(1) as f64;
    let needed = expecting.max(degrees / (scale * CHANCE * radius));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0 and a million million; no number is as many as there can be"
    )]
    let needed = needed.min(MOST).ceil().max(0.0) as u64;
    needed
}

/// What makes so many cases times the divergence about chi-square where nothing has moved.
const fn per_chi_square(divergence: Divergence) -> Option<f64> {
    match divergence {
        Divergence::Psi | Divergence::ChiSquare => Some(1.0),
        Divergence::KullbackLeibler => Some(2.0),
        Divergence::Hellinger | Divergence::JensenShannon => Some(8.0),
        Divergence::TotalVariation | Divergence::KolmogorovSmirnov | Divergence::Wasserstein => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_cell_says_how_many_cases_are_needed() {
        let mut baseline = vec![37_600; 1];
        baseline.extend([38; 63]);
        let needed = cases_needed(Divergence::Psi, &baseline, 0.04);
        // 63 / (0.04 / 4) = 6300, and 5 cases at a share of 38.5 / 40026.
        assert_eq!(needed, 6300);
        assert_eq!(cases_needed(Divergence::Psi, &baseline, 0.1), 5199);
    }

    #[test]
    fn cells_too_rare_to_matter_and_cells_that_are_not_there_ask_for_nothing() {
        let even = [2500, 2500, 2500, 2500];
        let needed = cases_needed(Divergence::Psi, &even, 0.1);
        assert_eq!(needed, 120);
        let with_missing = [2500, 2500, 2500, 2500, 0];
        assert_eq!(cases_needed(Divergence::Psi, &with_missing, 0.1), 160);
        let with_few = [2500, 2500, 2500, 2500, 30];
        assert_eq!(cases_needed(Divergence::Psi, &with_few, 0.1), 160);
        let with_more = [2500, 2500, 2500, 2500, 80];
        assert_eq!(cases_needed(Divergence::Psi, &with_more, 0.1), 627);
    }

    #[test]
    fn what_contains_chance_asks_for_nothing_and_no_level_for_more_than_there_is() {
        let even = [500, 500];
        for distance in [
            Divergence::TotalVariation,
            Divergence::KolmogorovSmirnov,
            Divergence::Wasserstein,
        ] {
            assert_eq!(cases_needed(distance, &even, 0.1), 0);
        }
        assert_eq!(cases_needed(Divergence::Psi, &even, 0.0), 1_000_000_000_000);
    }
}
