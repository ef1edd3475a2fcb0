//! How far predicted numbers were from what turned out to be true, by group: sums of everything that
//! the usual errors of a regression are made of, added up exactly.
//!
//! Labels y and predictions p are moved and scaled as the prediction's histogram is; residuals
//! r = p - y are scaled 2^10 times finer. Each term is rounded to a multiple of 2^-40 of its scale.

use crate::sketch::confusion::read_groups;
use crate::sketch::wide::{Fixed, Sums, Wide, power_of_two};
use crate::sketch::{
    MAX_GROUPS, MAX_SCALE_EXPONENT, MAX_VARINT, MergeError, Sketch, add_totals, bump, read_number,
    write_number,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// How much finer residuals are scaled, as a power of two.
const FINER: i32 = 10;
/// Labels nearer to zero count as zero in relative errors: 2^-52.
const TINY: f64 = f64::EPSILON;
const TERMS: usize = 8;
const COUNTERS: usize = 5;
const MAX_ENTRY: usize =
    1 + COUNTERS * MAX_VARINT + TERMS * Sums::MAX_BYTES + crate::sketch::wide::MAX_WIDE;

/// The terms that are added up, in wire order.
#[derive(Clone, Copy)]
enum Term {
    Label,
    Prediction,
    Residual,
    Absolute,
    /// |r| where the label counts as zero.
    AbsoluteAtZero,
    /// |r| / |y| elsewhere.
    Relative,
    /// 2 |r| / (|y| + |p|), 0 where both are 0.
    Symmetric,
    /// (ln(1 + p) - ln(1 + y))^2, as its root.
    Logarithmic,
}

/// Sums over labelled predictions, by group. Without an attribute there is one group, of index 0,
/// that holds all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Residuals {
    center: f64,
    scale_exponent: i32,
    /// The unknown group is the last one.
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    /// Cases added up, then: not added up, label counts as zero, relative error not added up,
    /// logarithm not defined.
    counters: [u64; COUNTERS],
    terms: [Sums; TERMS],
    product: Wide,
}

/// What is known of one group's residuals, in the unit of the prediction.
#[derive(Clone, Copy, Debug)]
pub struct GroupResiduals<'a> {
    of: &'a Group,
    center: f64,
    scale: f64,
}

impl Group {
    fn add(&mut self, label: f64, prediction: f64, center: f64, shrink: f64) {
        let finer = power_of_two(FINER);
        let residual = (prediction - label) * shrink * finer;
        let fixed = (
            Fixed::of((label - center) * shrink),
            Fixed::of((prediction - center) * shrink),
            Fixed::of(residual),
        );
        let (Some(y), Some(p), Some(r)) = fixed else {
            bump(&mut self.counters[1]);
            return;
        };
        bump(&mut self.counters[0]);
        self.product = self.product.plus(y.times(p));
        let absolute = r.abs();
        for (term, x) in [
            (Term::Label, y),
            (Term::Prediction, p),
            (Term::Residual, r),
            (Term::Absolute, absolute),
        ] {
            self.terms[term as usize].add(x);
        }
        self.add_relative(label, prediction, absolute);
    }

    fn add_relative(&mut self, label: f64, prediction: f64, absolute: Fixed) {
        let gap = (prediction - label).abs();
        if label.abs() < TINY {
            bump(&mut self.counters[2]);
            self.terms[Term::AbsoluteAtZero as usize].add(absolute);
        } else {
            match Fixed::of(gap / label.abs()) {
                Some(x) => self.terms[Term::Relative as usize].add(x),
                None => bump(&mut self.counters[3]),
            }
        }
        // Halves first: two large numbers may add up to infinity.
        let size = 0.5 * label.abs() + 0.5 * prediction.abs();
        let symmetric = if size > 0.0 { gap / size } else { 0.0 };
        if let Some(x) = Fixed::of(symmetric) {
            self.terms[Term::Symmetric as usize].add(x);
        }
        let logarithm = (label >= 0.0 && prediction >= 0.0)
            .then(|| Fixed::of(libm::log1p(prediction) - libm::log1p(label)));
        match logarithm.flatten() {
            Some(x) => self.terms[Term::Logarithmic as usize].add(x),
            None => bump(&mut self.counters[4]),
        }
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counters.iter_mut().zip(other.counters) {
            *mine += theirs;
        }
        for (mine, theirs) in self.terms.iter_mut().zip(&other.terms) {
            mine.merge(theirs);
        }
        self.product = self.product.plus(other.product);
    }

    const fn total(&self) -> u64 {
        self.counters[0].saturating_add(self.counters[1])
    }
}

impl GroupResiduals<'_> {
    /// Labelled predictions added up.
    pub const fn n(&self) -> u64 {
        self.of.counters[0]
    }

    /// Labelled predictions too large to be added up (2^43 scales apart, or 2^53 from the centre).
    /// Where there are any, everything else is of the others.
    pub const fn beyond(&self) -> u64 {
        self.of.counters[1]
    }

    /// Cases whose label is nearer to zero than 2^-52.
    pub const fn zero_labels(&self) -> u64 {
        self.of.counters[2]
    }

    /// Cases whose relative error is too large to be added up (2^53).
    pub const fn relative_beyond(&self) -> u64 {
        self.of.counters[3]
    }

    /// Cases with a negative label or prediction, which have no squared logarithmic error.
    pub const fn negative(&self) -> u64 {
        self.of.counters[4]
    }

    /// The mean label. None of no cases.
    pub fn mean_label(&self) -> Option<f64> {
        self.mean(Term::Label, self.scale)
            .map(|mean| self.center + mean)
    }

    /// The mean prediction. None of no cases.
    pub fn mean_prediction(&self) -> Option<f64> {
        self.mean(Term::Prediction, self.scale)
            .map(|mean| self.center + mean)
    }

    /// The sum of squared distances of labels from their mean.
    pub fn label_deviations(&self) -> f64 {
        self.central(Term::Label, self.scale)
    }

    /// The sum of squared distances of predictions from their mean.
    pub fn prediction_deviations(&self) -> f64 {
        self.central(Term::Prediction, self.scale)
    }

    /// The sum of products of both distances from their means (for the correlation).
    pub fn common_deviations(&self) -> f64 {
        if self.n() == 0 {
            return 0.0;
        }
        let term = |term: Term| &self.of.terms[term as usize];
        let common = Sums::common(
            term(Term::Label),
            term(Term::Prediction),
            self.of.product,
            self.n(),
        );
        common * self.scale * self.scale
    }

    /// The mean residual, prediction less label. None of no cases.
    pub fn mean_error(&self) -> Option<f64> {
        self.mean(Term::Residual, self.fine())
    }

    /// The mean squared residual. None of no cases.
    pub fn mean_squared_error(&self) -> Option<f64> {
        let squares = self.of.terms[Term::Residual as usize].squares();
        (self.n() > 0).then(|| squares / self.n() as f64 * self.fine() * self.fine())
    }

    /// The sum of squared distances of residuals from their mean.
    pub fn error_deviations(&self) -> f64 {
        self.central(Term::Residual, self.fine())
    }

    /// The mean absolute residual. None of no cases.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        self.mean(Term::Absolute, self.fine())
    }

    /// The sum of squared distances of absolute residuals from their mean.
    pub fn absolute_error_deviations(&self) -> f64 {
        self.central(Term::Absolute, self.fine())
    }

    /// The mean of |r| / max(|y|, 2^-52), scikit-learn's absolute percentage error as a share. None
    /// of no cases, or where one was too large to be added up.
    pub fn mean_relative_error(&self) -> Option<f64> {
        let at_zero = self.of.terms[Term::AbsoluteAtZero as usize].sum() * self.fine() / TINY;
        let elsewhere = self.of.terms[Term::Relative as usize].sum();
        let known = self.n() > 0 && self.relative_beyond() == 0;
        known.then(|| (elsewhere + at_zero) / self.n() as f64)
    }

    /// The mean of |r| / |y| where the label is not zero. None of no such cases, or where one was too
    /// large to be added up.
    pub fn mean_relative_error_of_nonzero(&self) -> Option<f64> {
        let of = self.n() - self.zero_labels();
        let sum = self.of.terms[Term::Relative as usize].sum();
        (of > 0 && self.relative_beyond() == 0).then(|| sum / of as f64)
    }

    /// The mean of 2 |r| / (|y| + |p|), 0 where both are 0. None of no cases.
    pub fn mean_symmetric_error(&self) -> Option<f64> {
        self.mean(Term::Symmetric, 1.0)
    }

    /// The mean of (ln(1 + p) - ln(1 + y))^2. None of no cases, or where one of them is negative.
    pub fn mean_squared_log_error(&self) -> Option<f64> {
        let squares = self.of.terms[Term::Logarithmic as usize].squares();
        (self.n() > 0 && self.negative() == 0).then(|| squares / self.n() as f64)
    }

    const fn fine(&self) -> f64 {
        self.scale / power_of_two(FINER)
    }

    fn mean(&self, term: Term, scale: f64) -> Option<f64> {
        let sum = self.of.terms[term as usize].sum();
        (self.n() > 0).then(|| sum / self.n() as f64 * scale)
    }

    fn central(&self, term: Term, scale: f64) -> f64 {
        self.of.terms[term as usize].central(self.n()) * scale * scale
    }
}

impl Residuals {
    /// Sums of nothing. None if the centre is no finite number, the exponent of the scale is beyond
    /// [`MAX_SCALE_EXPONENT`], or unless there are 1 to [`MAX_GROUPS`] groups.
    pub fn new(center: f64, scale_exponent: i32, groups: u8) -> Option<Self> {
        let fits = center.is_finite()
            && scale_exponent.abs() <= MAX_SCALE_EXPONENT
            && (1..=MAX_GROUPS).contains(&groups);
        fits.then(|| Self {
            // Turns negative zero into zero.
            center: center + 0.0,
            scale_exponent,
            groups: vec![Group::default(); usize::from(groups) + 1],
        })
    }

    /// Counts a labelled prediction. What is not finite has no residual and leaves no trace here; a
    /// group beyond the last one is unknown.
    pub fn add(&mut self, label: f64, prediction: f64, group: Option<u8>) {
        if label.is_finite() && prediction.is_finite() {
            let place = self.place(group);
            let shrink = power_of_two(-self.scale_exponent);
            self.groups[place].add(label, prediction, self.center, shrink);
        }
    }

    /// What is known of a group (none: of cases whose group is not known).
    pub fn group(&self, group: Option<u8>) -> GroupResiduals<'_> {
        GroupResiduals {
            of: &self.groups[self.place(group)],
            center: self.center,
            scale: power_of_two(self.scale_exponent),
        }
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub fn groups(&self) -> u8 {
        u8::try_from(self.groups.len() - 1).unwrap_or(MAX_GROUPS)
    }

    /// Cases counted, added up or beyond.
    pub fn total(&self) -> u64 {
        self.groups.iter().map(Group::total).sum()
    }

    fn place(&self, group: Option<u8>) -> usize {
        let unknown = self.groups.len() - 1;
        group.map_or(unknown, |group| usize::from(group).min(unknown))
    }
}

impl Sketch for Residuals {
    const MAX_BYTES: usize = 9 + 2 * MAX_VARINT + (MAX_GROUPS as usize + 1) * MAX_ENTRY;

    fn max_bytes(&self) -> usize {
        9 + 2 * MAX_VARINT + self.groups.len() * MAX_ENTRY
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        let same_scale = self.center.to_bits() == other.center.to_bits()
            && self.scale_exponent == other.scale_exponent;
        if !same_scale || self.groups.len() != other.groups.len() {
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

impl Encode for Residuals {
    fn encode(&self, w: &mut Writer) {
        write_number(w, self.center);
        w.signed(self.scale_exponent.into());
        w.byte(self.groups());
        let filled = || {
            self.groups
                .iter()
                .enumerate()
                .filter(|(_, g)| g.total() > 0)
        };
        w.unsigned(filled().count() as u64);
        let mut next = 0;
        for (index, group) in filled() {
            w.unsigned((index - next) as u64);
            next = index + 1;
            for counter in group.counters {
                w.unsigned(counter);
            }
            for term in &group.terms {
                term.encode(w);
            }
            group.product.encode(w);
        }
    }
}

impl Decode for Residuals {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let center = read_number(r, "centre of residuals")?;
        let scale = Malformed::Value("scale of residuals");
        let exponent = i32::try_from(r.signed()?).map_err(|_| scale)?;
        let groups = read_groups(r)?;
        let mut read = Self::new(center, exponent, groups).ok_or(scale)?;
        let filled = r.count(read.groups.len())?;
        let (mut next, mut total) = (0, 0_u64);
        for _ in 0..filled {
            let index = super::losses::place(r, next, read.groups.len())?;
            next = index + 1;
            let group = decode_group(r)?;
            total = total
                .checked_add(group.total())
                .ok_or(Malformed::Value("sum of counters"))?;
            read.groups[index] = group;
        }
        Ok(read)
    }
}

fn decode_group(r: &mut Reader<'_>) -> Result<Group, Malformed> {
    let mut group = Group::default();
    for counter in &mut group.counters {
        *counter = r.unsigned()?;
    }
    let [n, beyond, zero, far, negative] = group.counters;
    let counted = super::sum_of(&[n, beyond])?;
    if counted == 0 || zero > n || far > n - zero || negative > n {
        return Err(Malformed::Value("count of residuals"));
    }
    for term in &mut group.terms {
        *term = Sums::decode(r, n)?;
    }
    group.product = Sums::decode_product(r, n)?;
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        let gap = (found - expected).abs();
        assert!(
            gap <= 1e-10 * expected.abs().max(1e-2),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn errors_agree_with_their_definitions() {
        let cases = [
            (3.0, 2.5),
            (0.0, 1.0),
            (2.0, 2.0),
            (7.0, 8.25),
            (-1.5, -1.0),
            (40.0, 31.0),
        ];
        for (center, scale) in [(0.0, 0), (5.0, 3), (100.0, -4)] {
            let mut residuals = Residuals::new(center, scale, 2).unwrap();
            for (label, prediction) in cases {
                residuals.add(label, prediction, Some(1));
            }
            residuals.add(f64::NAN, 1.0, Some(1));
            residuals.add(1.0, f64::INFINITY, None);
            let group = residuals.group(Some(1));
            let n = cases.len() as f64;
            let sum =
                |of: &dyn Fn(f64, f64) -> f64| cases.iter().map(|(y, p)| of(*y, *p)).sum::<f64>();
            let (my, mp) = (sum(&|y, _| y) / n, sum(&|_, p| p) / n);
            assert_eq!((group.n(), group.beyond(), residuals.total()), (6, 0, 6));
            near(group.mean_label(), my);
            near(group.mean_prediction(), mp);
            near(group.mean_error(), sum(&|y, p| p - y) / n);
            near(
                group.mean_squared_error(),
                sum(&|y, p| (p - y) * (p - y)) / n,
            );
            near(group.mean_absolute_error(), sum(&|y, p| (p - y).abs()) / n);
            near(
                Some(group.label_deviations()),
                sum(&|y, _| (y - my) * (y - my)),
            );
            near(
                Some(group.common_deviations()),
                sum(&|y, p| (y - my) * (p - mp)),
            );
            near(
                Some(group.prediction_deviations()),
                sum(&|_, p| (p - mp) * (p - mp)),
            );
            near(
                group.mean_relative_error(),
                sum(&|y, p| (p - y).abs() / y.abs().max(TINY)) / n,
            );
            let shares = [0.5 / 3.0, 0.0, 1.25 / 7.0, 0.5 / 1.5, 9.0 / 40.0];
            near(
                group.mean_relative_error_of_nonzero(),
                shares.iter().sum::<f64>() / 5.0,
            );
            near(
                group.mean_symmetric_error(),
                sum(&|y, p| 2.0 * (p - y).abs() / (y.abs() + p.abs()).max(TINY)) / n,
            );
            assert_eq!((group.zero_labels(), group.negative()), (1, 1));
            assert_eq!(group.mean_squared_log_error(), None, "one is negative");
            assert_eq!(residuals.group(None).mean_error(), None);
        }
        let mut positive = Residuals::new(0.0, 0, 1).unwrap();
        positive.add(1.0, 3.0, Some(0));
        near(
            positive.group(Some(0)).mean_squared_log_error(),
            libm::pow(libm::log(2.0), 2.0),
        );
    }

    #[test]
    fn what_cannot_be_added_up_is_counted() {
        let mut residuals = Residuals::new(0.0, -1000, 1).unwrap();
        residuals.add(1.0, 2.0, Some(0));
        residuals.add(f64::MAX, -f64::MAX, Some(0));
        let group = residuals.group(Some(0));
        assert_eq!(
            (group.n(), group.beyond(), group.mean_error()),
            (0, 2, None)
        );
    }
}
