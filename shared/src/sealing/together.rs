//! Several features, one metric: which of them are named as broken, when a seal has changed that.

use std::collections::BTreeMap;

use crate::evidence::RecordKind;
use crate::ids::ObjectiveId;
use crate::judge::{Compiled, Family, families};

use super::windows::judges;
use super::{Action, Past, Seal, Standing, Together, about, became_so};
use crate::evidence::body::{MemberBody, TogetherBody};
use crate::evidence::pen::{Pen, Unwritable, Written, reference};

type Of = (ObjectiveId, u32);

/// Looks at every family of which a ledger took a step, and writes down which members are named where
/// that is not what was said before. Ledgers that took none stand as they stood.
pub(super) fn look(
    seal: &Seal<'_>,
    past: &Past,
    pen: &Pen,
    actions: &mut Vec<Action>,
) -> Result<(), Unwritable> {
    let fresh: BTreeMap<&Of, &Standing> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Stand { of, standing } => Some((of, &**standing)),
            Action::Keep { .. }
            | Action::Append { .. }
            | Action::Block(_)
            | Action::Window(_)
            | Action::Seal(_) => None,
        })
        .collect();
    let in_force = seal.system.objectives.iter();
    let in_force = in_force.filter(|c| judges(&c.objective, seal.due.pane));
    let mut news = Vec::new();
    for family in families(in_force) {
        let of: Vec<Of> = family.members.iter().copied().map(name).collect();
        if !of.iter().any(|of| fresh.contains_key(of)) {
            continue;
        }
        let standing = |of: &Of| fresh.get(of).copied().or_else(|| past.standings.get(of));
        let standings: Vec<Option<&Standing>> = of.iter().map(standing).collect();
        let Some((written, named)) = told(seal, &family, &standings, pen)? else {
            continue;
        };
        let record = written.digest;
        news.push(Action::Append {
            written: Box::new(written),
            of: None,
        });
        // A ledger that took a step stands in the list already: what is kept last, counts.
        for ((of, standing), named) in of.into_iter().zip(standings).zip(named) {
            if let Some(standing) = standing {
                let together = Some(Together { named, record });
                let standing = Box::new(Standing {
                    together,
                    ..standing.clone()
                });
                news.push(Action::Stand { of, standing });
            }
        }
    }
    actions.extend(news);
    Ok(())
}

fn name(compiled: &Compiled) -> Of {
    let objective = &compiled.objective;
    (objective.id.clone(), objective.version)
}

/// Writes what a look at a family told, if it is news; and of each member, whether it is named.
fn told(
    seal: &Seal<'_>,
    family: &Family<'_>,
    standings: &[Option<&Standing>],
    pen: &Pen,
) -> Result<Option<(Written, Vec<bool>)>, Unwritable> {
    let evidence = standings
        .iter()
        .map(|s| s.map(|s| s.ledger.action.evidence()));
    let found = family.named(evidence);
    let before = standings
        .iter()
        .map(|s| s.and_then(|s| s.together).is_some_and(|told| told.named));
    let now: Vec<bool> = (0..standings.len())
        .map(|at| found.broken.contains(&at))
        .collect();
    if before.eq(now.iter().copied()) {
        return Ok(None);
    }
    let each = family.members.iter().zip(standings).zip(&found.evidence);
    let members: Vec<MemberBody> = each
        .map(|((compiled, standing), evidence)| MemberBody {
            objective: compiled.objective.id.clone(),
            version: compiled.objective.version,
            feature: compiled.objective.of.feature.clone(),
            evidence: *evidence,
            verdict: standing.and_then(|s| s.verdict),
        })
        .collect();
    let mut about = about(seal);
    about.refs = vec![reference("objectives", seal.system.document_digest)];
    let verdicts = members.iter().filter_map(|member| member.verdict);
    about.refs.extend(verdicts.map(|d| reference("verdict", d)));
    let named = found.broken.iter();
    let body = TogetherBody {
        sealed_with: seal.due.pane,
        metric: family.metric,
        alpha: family.alpha,
        steps_per_cycle: family.steps,
        named: named.map(|at| members[*at].objective.clone()).collect(),
        members,
    };
    let written = pen.write(RecordKind::Together, became_so(seal), about, &body)?;
    Ok(Some((written, now)))
}
