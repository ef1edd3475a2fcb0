//! Checks of the versions of one objective against each other: one at a time, in order.

use std::collections::BTreeMap;

use super::Findings;
use crate::objective::document::Objective;

pub(super) fn check(findings: &mut Findings<'_>) {
    let objectives = &findings.document().objectives;
    let mut by_id: BTreeMap<_, Vec<(usize, &Objective)>> = BTreeMap::new();
    for (i, objective) in objectives.iter().enumerate() {
        check_alone(findings, i, objective);
        by_id.entry(&objective.id).or_default().push((i, objective));
    }
    for versions in by_id.values_mut() {
        // Stable: of two equal versions the one that stands later in the file comes second.
        versions.sort_by_key(|(_, o)| o.version);
        for pair in versions.windows(2) {
            let [earlier, later] = [pair[0], pair[1]];
            check_pair(findings, earlier, later);
        }
    }
}

fn check_alone(findings: &mut Findings<'_>, i: usize, objective: &Objective) {
    if objective.version == 0 {
        findings.at(
            &format!("/objectives/{i}/version"),
            "versions begin with 1; write 1",
        );
    }
    if let Some(end) = objective.effective_to
        && end <= objective.effective_from
    {
        let message = format!(
            "the version ends {end}, not after its start {}; write a later end, or remove the version",
            objective.effective_from
        );
        findings.at(&format!("/objectives/{i}/effective_to"), message);
    }
}

fn check_pair(
    findings: &mut Findings<'_>,
    (first, earlier): (usize, &Objective),
    (second, later): (usize, &Objective),
) {
    let id = &later.id;
    if earlier.version == later.version {
        let (line, _) = findings.located.place(&format!("/objectives/{first}"));
        let message = format!(
            "version {} of objective `{id}` is there already, on line {line}; give this one the next number, or another id",
            later.version
        );
        findings.at(&format!("/objectives/{second}/version"), message);
        return;
    }
    let pointer = format!("/objectives/{second}/effective_from");
    if later.effective_from <= earlier.effective_from {
        let message = format!(
            "version {} of `{id}` starts {}, not after version {}; versions must follow each other in time",
            later.version, later.effective_from, earlier.version
        );
        findings.at(&pointer, message);
    } else if earlier
        .effective_to
        .is_none_or(|end| end > later.effective_from)
    {
        let message = format!(
            "version {} of `{id}` is still in force when version {} starts; give version {0} `effective_to: {}`",
            earlier.version, later.version, later.effective_from
        );
        findings.at(&pointer, message);
    }
}
