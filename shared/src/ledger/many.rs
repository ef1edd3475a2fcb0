//! Many ledgers side by side, as one for each feature: has any drifted, and which have?
//!
//! Both hold whatever the ledgers have to do with each other, and may be asked after any block of a
//! cycle: a ledger's evidence divided by the cycle's steps is an e-value at any stopping time.

use crate::bet::fixed;

/// Evidence that at least one of the objectives is broken: that of the ledgers' mean, in 2^-32 nats.
/// It is compared with the thresholds of a single ledger. Nothing without a ledger.
pub fn any_of(evidence: &[i64]) -> Option<i64> {
    let best = evidence.iter().copied().max()?;
    let price = fixed::threshold(evidence.len() as f64);
    Some(fixed::saturate(i128::from(best) - i128::from(price)))
}

/// Which objectives are broken, ascending, such that of those named at most a share `alpha` is
/// named falsely, on average (e-BH; Wang and Ramdas 2022). `steps` is the number of blocks in a
/// cycle.
pub fn which(evidence: &[i64], steps: u32, alpha: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..evidence.len()).collect();
    order.sort_by(|a, b| evidence[*b].cmp(&evidence[*a]).then(a.cmp(b)));
    let all = evidence.len() as f64 * f64::from(steps);
    let stands = |count: usize| fixed::threshold(all / (count as f64 * alpha));
    let named = (1..=order.len())
        .rev()
        .find(|count| evidence[order[count - 1]] >= stands(*count));
    order.truncate(named.unwrap_or(0));
    order.sort_unstable();
    order
}
