//! Checks of the `system` section.

use super::{Findings, MAX_MODELS};
use crate::window::MAX_MODEL_NAME;

pub(super) fn check(findings: &mut Findings<'_>) {
    let system = &findings.document().system;
    findings.text("/system/name", &system.name);
    findings.text("/system/intended_purpose", &system.intended_purpose);
    findings.text("/system/owner", &system.owner);
    findings.optional_text("/system/risk_class", system.risk_class.as_ref());
    findings.optional_text(
        "/system/impact_assessment",
        system.impact_assessment.as_ref(),
    );
    findings.count("/system/models", "models", system.models.len(), MAX_MODELS);
    for (i, model) in system.models.iter().enumerate() {
        let pointer = format!("/system/models/{i}/name");
        findings.text(&pointer, &model.name);
        if model.name.len() > MAX_MODEL_NAME {
            let message = format!(
                "the model's name has {} bytes, the limit is {MAX_MODEL_NAME}; use the name that the server answers with",
                model.name.len()
            );
            findings.at(&pointer, message);
        }
    }
    findings.unique("model", system.models.iter().map(|m| &m.name), |i| {
        format!("/system/models/{i}/name")
    });
}
