//! Where a breach began, from the register's integers alone. Pure.

use clause9_shared::window::PaneStart;

/// One step of an objective's ledger, as its verdict record tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The pane whose seal brought it.
    pub(super) sealed_with: PaneStart,
    /// The ledger's epoch.
    pub(super) epoch: u64,
    /// What each bet gained, in 2^-32 nats; empty if the step was not taken.
    pub(super) gains: Vec<i64>,
}

/// The step after the last reset of the bet that has gathered the most at the end of `steps`.
/// A bet that falls to zero or below begins anew with the next step.
pub(super) fn evidence_since(steps: &[Step]) -> Option<PaneStart> {
    let mut epoch = None;
    let mut bets: Vec<(i64, PaneStart)> = Vec::new();
    for step in steps {
        if epoch != Some(step.epoch) {
            epoch = Some(step.epoch);
            bets.clear();
        }
        bets.resize(bets.len().max(step.gains.len()), (0, step.sealed_with));
        for ((sum, since), gain) in bets.iter_mut().zip(&step.gains) {
            if *sum <= 0 {
                (*sum, *since) = (0, step.sealed_with);
            }
            *sum = sum.saturating_add(*gain);
        }
    }
    bets.into_iter()
        .max_by_key(|(sum, _)| *sum)
        .filter(|(sum, _)| *sum > 0)
        .map(|(_, since)| since)
}

/// The first window of the unbroken run of breaching windows that ends last. `None` marks a
/// window without a measurement, which neither belongs to a run nor breaks it.
pub(super) fn run_start(breaching: &[Option<bool>]) -> Option<usize> {
    let last = breaching.iter().rposition(|b| *b == Some(true))?;
    let broken = breaching[..last].iter().rposition(|b| *b == Some(false));
    let first = broken.map_or(0, |at| at + 1);
    (first..=last).find(|at| breaching[*at] == Some(true))
}

#[cfg(test)]
mod tests {
    use clause9_shared::time::{Span, Timestamp};

    use super::*;

    fn step(week: u32, epoch: u64, gains: &[i64]) -> Step {
        Step {
            sealed_with: at(week),
            epoch,
            gains: gains.into(),
        }
    }

    fn at(week: u32) -> PaneStart {
        PaneStart(Timestamp::EPOCH + Span::from_days(7 * week))
    }

    #[test]
    fn evidence_begins_after_the_last_reset_of_the_winning_bet() {
        let steps = [
            step(0, 1, &[5, -1]),
            step(1, 1, &[-9, -1]),
            step(2, 1, &[]),
            step(3, 1, &[4, -1]),
            step(4, 1, &[4, 9]),
        ];
        assert_eq!(evidence_since(&steps), Some(at(4)), "the second bet leads");
        assert_eq!(evidence_since(&steps[..4]), Some(at(3)));
        assert_eq!(evidence_since(&steps[..2]), None, "nothing gathered");
        assert_eq!(evidence_since(&[]), None);
    }

    #[test]
    fn a_new_epoch_forgets_the_old_one() {
        let steps = [step(0, 1, &[50]), step(1, 2, &[3])];
        assert_eq!(evidence_since(&steps), Some(at(1)));
    }

    #[test]
    fn a_run_goes_back_over_gaps_but_not_over_good_windows() {
        let (bad, good, none) = (Some(true), Some(false), None);
        assert_eq!(run_start(&[bad, good, none, bad, none, bad, good]), Some(3));
        assert_eq!(run_start(&[bad, bad]), Some(0));
        assert_eq!(run_start(&[none, bad, good]), Some(1));
        assert_eq!(run_start(&[good, none]), None);
    }
}
