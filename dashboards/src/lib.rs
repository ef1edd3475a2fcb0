//! What people outside the programs look at: Grafana dashboards, Prometheus rules with their tests,
//! and the page of telemetry names. Everything here is text made from tables; nothing reads it back
//! and nothing here measures. One folder per audience (`sre/`), rules in `rules/`.
//!
//! [`artefacts`] lists every generated file; the program `clause9-dashboards` writes them, a test
//! compares them with what is checked in.

pub mod grafana;
pub mod rules;
pub mod sre;
pub mod telemetry;

/// A generated file.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// Where it belongs, from the root of the repository.
    pub path: &'static str,
    /// What belongs there.
    pub text: String,
}

/// Every generated file.
pub fn artefacts() -> Vec<Artefact> {
    vec![
        Artefact {
            path: "dashboards/sre/clause9-system.json",
            text: sre::system::dashboard(),
        },
        Artefact {
            path: "dashboards/rules/clause9.rules.yml",
            text: rules::rules_file(),
        },
        Artefact {
            path: "dashboards/rules/clause9.test.yml",
            text: rules::tests_file(),
        },
        Artefact {
            path: "docs/telemetry.md",
            text: telemetry::page(),
        },
    ]
}
