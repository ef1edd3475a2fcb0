//! How wrong scores were, by group: log loss and Brier loss of labelled cases, added up exactly, and
//! what calibration errors of equal-width bins need.
//!
//! The loss of a case is taken when its label comes and rounded to a multiple of 2^-40, so that sums
//! do not depend on order or replica. Log loss clips scores to 2^-52 from their ends.

use crate::sketch::confusion::read_groups;
use crate::sketch::wide::{FRACTION, Fixed, MAX_WIDE, Sums, Wide, power_of_two};
use crate::sketch::{MAX_GROUPS, MAX_VARINT, MergeError, Sketch, add_totals, bump};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// How near its ends a score counts in log loss: 2^-52.
const CLIP: f64 = f64::EPSILON;
/// Into how many bins of equal width scores are counted, each way.
const WIDTHS: [usize; 2] = [10, 15];
const BINS: usize = WIDTHS[0] + WIDTHS[1];
const FIRST_OF_FIFTEEN: u8 = 10;
const _: () = assert!(FIRST_OF_FIFTEEN as usize == WIDTHS[0]);
const MAX_ENTRY: usize =
    1 + MAX_VARINT + 2 * Sums::MAX_BYTES + WIDTHS.len() + BINS * (1 + 2 * MAX_VARINT + MAX_WIDE);

/// Losses of labelled cases with a score, by group. Without an attribute there is one group, of
/// index 0, that holds all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The unknown group is the last one.
    groups: Vec<GroupLosses>,
}

/// Losses of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupLosses {
    n: u64,
    log: Sums,
    brier: Sums,
    /// Ten bins, then fifteen.
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    n: u64,
    positives: u64,
    scores: Wide,
}

/// One of the bins of equal width that the range from 0 to 1 is cut into. A score on an edge belongs
/// to the bin above it; the last bin holds 1, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBin {
    /// Labelled cases in it.
    pub n: u64,
    /// Those whose label is positive.
    pub positives: u64,
    /// Sum of their scores, each rounded to a multiple of 2^-40.
    pub scores: f64,
}

/// What one labelled case adds: taken once, whatever groups the case is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CaseLoss {
    positive: bool,
    log: Fixed,
    brier: Fixed,
    score: Fixed,
    /// One of the ten bins and one of the fifteen.
    bins: [u8; 2],
}

impl CaseLoss {
    /// None of a score that is none, or not within 0 to 1.
    pub(crate) fn of(score: Option<f64>, positive: bool) -> Option<Self> {
        let score = score.filter(|score| (0.0..=1.0).contains(score))?;
        let clipped = score.clamp(CLIP, 1.0 - CLIP);
        let likelihood = if positive { clipped } else { 1.0 - clipped };
        let gap = score - f64::from(u8::from(positive));
        // Losses of a score within 0 to 1 are far below the limit of fixed point.
        Some(Self {
            positive,
            log: Fixed::of(-libm::log(likelihood))?,
            brier: Fixed::of(gap * gap)?,
            score: Fixed::of(score)?,
            bins: [bin_of(score, 0), FIRST_OF_FIFTEEN + bin_of(score, 1)],
        })
    }
}

impl GroupLosses {
    const EMPTY: Self = Self {
        n: 0,
        log: Sums::ZERO,
        brier: Sums::ZERO,
        bins: [Bin {
            n: 0,
            positives: 0,
            scores: Wide::ZERO,
        }; BINS],
    };

    fn add(&mut self, case: &CaseLoss) {
        bump(&mut self.n);
        self.log.add(case.log);
        self.brier.add(case.brier);
        for bin in case.bins {
            let bin = &mut self.bins[usize::from(bin)];
            bump(&mut bin.n);
            bin.positives += u64::from(case.positive);
            bin.scores = bin.scores.plus(case.score.wide());
        }
    }

    /// Labelled cases with a score.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// The mean log loss in nats. None of no cases.
    pub fn log_loss(&self) -> Option<f64> {
        self.mean(&self.log)
    }

    /// The variance of single log losses, with divisor n - 1. None of fewer than two cases.
    pub fn log_loss_variance(&self) -> Option<f64> {
        self.variance(&self.log)
    }

    /// The mean squared distance of the score from the label (1 or 0). None of no cases.
    pub fn brier(&self) -> Option<f64> {
        self.mean(&self.brier)
    }

    /// The variance of single Brier losses, with divisor n - 1. None of fewer than two cases.
    pub fn brier_variance(&self) -> Option<f64> {
        self.variance(&self.brier)
    }

    /// Ten bins of equal width, ascending, empty ones too.
    pub fn ten_bins(&self) -> impl Iterator<Item = ScoreBin> {
        self.bins[..WIDTHS[0]].iter().map(Bin::shown)
    }

    /// Fifteen bins of equal width, ascending, empty ones too.
    pub fn fifteen_bins(&self) -> impl Iterator<Item = ScoreBin> {
        self.bins[WIDTHS[0]..].iter().map(Bin::shown)
    }

    fn mean(&self, sums: &Sums) -> Option<f64> {
        (self.n > 0).then(|| sums.sum() / self.n as f64)
    }

    fn variance(&self, sums: &Sums) -> Option<f64> {
        (self.n > 1).then(|| sums.central(self.n) / (self.n - 1) as f64)
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.log.merge(&other.log);
        self.brier.merge(&other.brier);
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            mine.n += theirs.n;
            mine.positives += theirs.positives;
            mine.scores = mine.scores.plus(theirs.scores);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score within 0 to 1 times the bins is a small number"
)]
fn bin_of(score: f64, way: usize) -> u8 {
    let bins = WIDTHS[way];
    ((score * bins as f64) as usize).min(bins - 1) as u8
}

impl Bin {
    fn shown(&self) -> ScoreBin {
        ScoreBin {
            n: self.n,
            positives: self.positives,
            scores: self.scores.to_f64() * power_of_two(-FRACTION.cast_signed()),
        }
    }
}

impl Losses {
    /// Losses of nothing. None unless there are 1 to [`MAX_GROUPS`] groups.
    pub fn new(groups: u8) -> Option<Self> {
        (1..=MAX_GROUPS).contains(&groups).then(|| Self {
            groups: vec![GroupLosses::EMPTY; usize::from(groups) + 1],
        })
    }

    /// Counts a labelled case. A score that is none, or not within 0 to 1, has no loss and leaves no
    /// trace here; a group beyond the last one is unknown.
    pub fn add(&mut self, score: Option<f64>, positive: bool, group: Option<u8>) {
        if let Some(case) = CaseLoss::of(score, positive) {
            self.add_case(&case, group);
        }
    }

    /// Counts a labelled case whose losses are known.
    pub(crate) fn add_case(&mut self, case: &CaseLoss, group: Option<u8>) {
        let group = self.place(group);
        self.groups[group].add(case);
    }

    /// Losses of a group (none: of cases whose group is not known).
    pub fn group(&self, group: Option<u8>) -> &GroupLosses {
        &self.groups[self.place(group)]
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub fn groups(&self) -> u8 {
        u8::try_from(self.groups.len() - 1).unwrap_or(MAX_GROUPS)
    }

    /// Cases counted.
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.n).sum()
    }

    fn place(&self, group: Option<u8>) -> usize {
        let unknown = self.groups.len() - 1;
        group.map_or(unknown, |group| usize::from(group).min(unknown))
    }
}

impl Sketch for Losses {
    const MAX_BYTES: usize = 1 + MAX_VARINT + (MAX_GROUPS as usize + 1) * MAX_ENTRY;

    fn max_bytes(&self) -> usize {
        1 + MAX_VARINT + self.groups.len() * MAX_ENTRY
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.groups.len() != other.groups.len() {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        for (mine, theirs) in self.groups.iter_mut().zip(&other.groups) {
            mine.merge(theirs);
        }
    }
}

impl Encode for Losses {
    fn encode(&self, w: &mut Writer) {
        w.byte(self.groups());
        let filled = || self.groups.iter().enumerate().filter(|(_, g)| g.n > 0);
        w.unsigned(filled().count() as u64);
        let mut next = 0;
        for (index, group) in filled() {
            w.unsigned((index - next) as u64);
            next = index + 1;
            w.unsigned(group.n);
            group.log.encode(w);
            group.brier.encode(w);
            let (ten, fifteen) = group.bins.split_at(WIDTHS[0]);
            for bins in [ten, fifteen] {
                encode_bins(bins, w);
            }
        }
    }
}

fn encode_bins(bins: &[Bin], w: &mut Writer) {
    let filled = || bins.iter().enumerate().filter(|(_, bin)| bin.n > 0);
    w.unsigned(filled().count() as u64);
    let mut next = 0;
    for (index, bin) in filled() {
        w.unsigned((index - next) as u64);
        next = index + 1;
        w.unsigned(bin.n);
        w.unsigned(bin.positives);
        bin.scores.encode(w);
    }
}

impl Decode for Losses {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let groups = read_groups(r)?;
        let mut read = Self::new(groups).ok_or(Malformed::Value("number of groups"))?;
        let filled = r.count(read.groups.len())?;
        let (mut next, mut total) = (0, 0_u64);
        for _ in 0..filled {
            let index = place(r, next, read.groups.len())?;
            next = index + 1;
            let group = decode_group(r)?;
            total = total
                .checked_add(group.n)
                .ok_or(Malformed::Value("sum of counters"))?;
            read.groups[index] = group;
        }
        Ok(read)
    }
}

/// Reads the place of a sparse entry: so many after the next one.
pub(super) fn place(r: &mut Reader<'_>, next: usize, places: usize) -> Result<usize, Malformed> {
    usize::try_from(r.unsigned()?)
        .ok()
        .and_then(|gap| gap.checked_add(next))
        .filter(|index| *index < places)
        .ok_or(Malformed::Value("place of a group or bin"))
}

fn decode_group(r: &mut Reader<'_>) -> Result<GroupLosses, Malformed> {
    let mut group = GroupLosses {
        n: r.unsigned()?,
        ..GroupLosses::EMPTY
    };
    group.log = Sums::decode(r, group.n)?;
    group.brier = Sums::decode(r, group.n)?;
    let (ten, fifteen) = group.bins.split_at_mut(WIDTHS[0]);
    let mut sums = Vec::with_capacity(2);
    for bins in [ten, fifteen] {
        let filled = r.count(bins.len())?;
        let mut next = 0;
        let mut sum = (0_u64, 0_u64, Wide::ZERO);
        for _ in 0..filled {
            let index = place(r, next, bins.len())?;
            next = index + 1;
            let bin = decode_bin(r)?;
            let overflow = || Malformed::Value("sum of counters");
            sum.0 = sum.0.checked_add(bin.n).ok_or_else(overflow)?;
            sum.1 += bin.positives;
            sum.2 = sum.2.plus(bin.scores);
            bins[index] = bin;
        }
        sums.push(sum);
    }
    // Every case is in one bin each way.
    if group.n > 0 && sums[0].0 == group.n && sums[0] == sums[1] {
        Ok(group)
    } else {
        Err(Malformed::Value("bins of scores"))
    }
}

fn decode_bin(r: &mut Reader<'_>) -> Result<Bin, Malformed> {
    let bin = Bin {
        n: r.unsigned()?,
        positives: r.unsigned()?,
        scores: Wide::decode(r)?,
    };
    let possible = bin.n > 0
        && bin.positives <= bin.n
        && !bin.scores.is_negative()
        && bin.scores.is_at_most(bin.n, FRACTION);
    if possible {
        Ok(bin)
    } else {
        Err(Malformed::Value("bin of scores"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(
            (found - expected).abs() < 1e-11,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn losses_agree_with_scikit_learn() {
        let mut losses = Losses::new(2).unwrap();
        for (score, positive) in [
            (0.9, true),
            (0.2, false),
            (0.65, false),
            (0.0, true),
            (1.0, true),
        ] {
            losses.add(Some(score), positive, Some(1));
        }
        losses.add(None, true, Some(1));
        losses.add(Some(f64::NAN), true, Some(1));
        losses.add(Some(1.5), true, Some(1));
        let group = losses.group(Some(1));
        assert_eq!((group.n(), losses.total()), (5, 5));
        // log_loss(y, p) with p clipped to 2^-52, and brier_score_loss(y, p).
        near(group.log_loss(), 7.484_395_916_117_573);
        near(group.brier(), 0.2945);
        let edges: Vec<_> = group.ten_bins().map(|bin| (bin.n, bin.positives)).collect();
        assert_eq!(edges[0], (1, 1));
        assert_eq!(edges[2], (1, 0), "a score on an edge belongs above it");
        assert_eq!((edges[6], edges[9]), ((1, 0), (2, 2)));
        let scores: f64 = group.fifteen_bins().map(|bin| bin.scores).sum();
        near(Some(scores), 2.75);
        assert_eq!(losses.group(None).log_loss(), None);
        assert_eq!(losses.group(Some(0)).brier_variance(), None);
    }
}
