//! Objectives whose ledgers are looked at together: one metric on several features of a system.

use std::collections::BTreeMap;

use super::Compiled;
use crate::bet::fixed;
use crate::ledger::many;
use crate::metric::MetricId;

/// Objectives of one metric on several features, with one error chance and one length of cycle.
#[derive(Clone, Debug)]
pub struct Family<'a> {
    /// Its members, in the order in which they were given; two at least.
    pub members: Vec<&'a Compiled>,
    /// The metric.
    pub metric: MetricId,
    /// The error chance of each, and of those that are named together.
    pub alpha: f64,
    /// H, the blocks of a cycle.
    pub steps: u32,
}

/// The families among objectives. Whoever gives versions of one objective gives those in force only.
pub fn families<'a>(of: impl Iterator<Item = &'a Compiled>) -> Vec<Family<'a>> {
    let mut found: BTreeMap<(MetricId, u64, u32), Family<'a>> = BTreeMap::new();
    for compiled in of.filter(|c| c.objective.of.feature.is_some()) {
        let objective = &compiled.objective;
        let (alpha, steps) = (objective.alpha, compiled.steps_per_cycle);
        let own = (objective.metric, alpha.to_bits(), steps);
        let family = found.entry(own).or_insert_with(|| Family {
            members: Vec::new(),
            metric: objective.metric,
            alpha,
            steps,
        });
        family.members.push(compiled);
    }
    let several = found.into_values().filter(|f| f.members.len() > 1);
    several.collect()
}

impl Family<'_> {
    /// The members that are broken, by the evidence of each: of those named at most a share `alpha` is
    /// named falsely, on average ([`many::which`]). A member that has not judged yet has no evidence; it
    /// counts as one more that is looked at.
    pub fn named(&self, evidence: impl Iterator<Item = Option<i64>>) -> Named {
        let evidence: Vec<i64> = evidence.map(|e| e.unwrap_or(-fixed::LIMIT)).collect();
        Named {
            broken: many::which(&evidence, self.steps, self.alpha),
            evidence,
        }
    }
}

/// What a look at a family told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Evidence of each member, in 2^-32 nats.
    pub evidence: Vec<i64>,
    /// Places of the members that are broken, ascending.
    pub broken: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricId;

    fn family(steps: u32, alpha: f64) -> Family<'static> {
        Family {
            members: Vec::new(),
            metric: MetricId::Psi,
            alpha,
            steps,
        }
    }

    #[test]
    fn a_member_without_evidence_counts_as_one_more_that_is_looked_at() {
        let own = fixed::threshold(2.0 * 1000.0 / 0.05);
        let of = family(1000, 0.05);
        let found = of.named([Some(own), None].into_iter());
        assert_eq!(found.broken, [0]);
        assert_eq!(found.evidence, [own, -fixed::LIMIT]);
        assert!(
            of.named([Some(own), None, None].into_iter())
                .broken
                .is_empty()
        );
    }
}
