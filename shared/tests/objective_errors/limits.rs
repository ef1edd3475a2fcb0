//! Documents that are too large, and documents that are anything at all.

use std::fmt::Write as _;

use clause9_shared::objective::load;
use proptest::prelude::*;

use crate::BASE;

/// Inserts `n` items after a line of the base; the messages of what is wrong then.
fn with(after: &str, n: usize, item: impl Fn(usize) -> String) -> Vec<String> {
    assert_eq!(
        BASE.matches(after).count(),
        1,
        "`{after}` stands in the base once"
    );
    let mut items = after.to_owned();
    for i in 0..n {
        let _ = write!(items, "{}", item(i));
    }
    let problems = load("base.yaml", &BASE.replace(after, &items))
        .err()
        .unwrap_or_default();
    problems.into_iter().map(|p| p.message).collect()
}

#[test]
fn lists_are_bounded() {
    let none: Vec<String> = Vec::new();
    let features = |n| {
        with("\nfeatures:\n", n, |i| {
            format!("  - {{ name: f{i}, type: categorical, from: {{ input: f{i} }} }}\n")
        })
    };
    assert_eq!(features(254), none);
    assert_eq!(
        features(255),
        ["257 features, the limit is 256; watch fewer, or split the system"]
    );
    let attributes = |n| {
        with("\nattributes:\n", n, |i| {
            format!("  - {{ name: a{i}, from: outcome, groups: [x, y], reference: x }}\n")
        })
    };
    assert_eq!(attributes(14), none);
    assert_eq!(
        attributes(15),
        ["17 attributes, the limit is 16; watch fewer, or split the system"]
    );
    let models = |n| {
        with("  models:\n", n, |i| {
            format!("    - {{ name: m{i}, source: own }}\n")
        })
    };
    assert_eq!(models(63), none);
    assert_eq!(
        models(64),
        ["65 models, the limit is 64; watch fewer, or split the system"]
    );
    let objective = "{ version: 1, statement: s, policy: p, metric: accuracy, comparator: at_least, \
        levels: { action: 0.5 }, window: 1h, min_support: 1, label_delay: 1d, evaluate_every: 1h, \
        owner: o, approver: a, effective_from: 2026-01-01T00:00:00Z, \
        references: [{ scheme: own, id: x, claim: context }]";
    let objectives = |n| {
        with("\nobjectives:\n", n, |i| {
            format!("  - {objective}, id: o{i} }}\n")
        })
    };
    assert_eq!(objectives(993), none);
    assert_eq!(
        objectives(994),
        ["1001 objectives, the limit is 1000; watch fewer, or split the system"]
    );
}

#[test]
fn groups_are_bounded() {
    let groups = |n: usize| {
        let names: Vec<_> = (0..n).map(|i| format!("g{i}")).collect();
        let groups = format!("groups: [female, male, {}]", names.join(", "));
        let text = BASE.replace("groups: [female, male]", &groups);
        load("base.yaml", &text).map_err(|p| p[0].message.clone())
    };
    assert!(groups(62).is_ok());
    assert_eq!(
        groups(63).unwrap_err(),
        "attribute `sex` has 65 groups; list between 2 and 64, any other value counts as unknown"
    );
}

#[test]
fn long_names_are_refused() {
    for (from, to, message) in [
        (
            "name: loan-model",
            format!("name: {}", "x".repeat(257)),
            "257 bytes, the limit is 256",
        ),
        (
            "unit: \"[EUR]/mo\"",
            format!("unit: {}", "m".repeat(65)),
            "longer than 64 characters",
        ),
    ] {
        let problems = load("base.yaml", &BASE.replace(from, &to)).unwrap_err();
        assert!(problems[0].message.contains(message), "{}", problems[0]);
    }
}

proptest! {
    /// Whatever is done to a document, it is accepted or every problem has a place in it.
    #[test]
    fn any_edit_is_accepted_or_placed(
        at in 0..BASE.len(),
        cut in 0_usize..40,
        insert in "(\\PC{0,6}|[-0-9.:{}\\[\\],\"' \n]{0,6}|null|1e9|\"\"|9999999d)",
    ) {
        let end = (at + cut).min(BASE.len());
        let text = format!("{}{insert}{}", &BASE[..at], &BASE[end..]);
        let lines = text.split('\n').count();
        for problem in load("base.yaml", &text).err().unwrap_or_default() {
            prop_assert!((1..=lines + 1).contains(&problem.line), "{}", problem);
            prop_assert!(problem.column >= 1 && !problem.message.is_empty());
        }
    }
}
