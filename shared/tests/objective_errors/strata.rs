//! Mistakes in which groups are sampled more often.

use clause9_shared::objective::load;
use expect_test::expect;

use crate::{BASE, case, check, messages};

const SEX: &str = "    groups: [female, male]\n    reference: male\n";
const AGE: &str = "    groups: [under_30, 30_to_60, over_60]\n    reference: 30_to_60\n";
/// What the base's second objective is of.
const AUC: &str = "    metric: roc_auc\n";

#[test]
fn shares_of_groups_are_taken() {
    let text = BASE.replace(
        SEX,
        &format!("{SEX}    sampled_at_least: {{ female: 0.5 }}\n"),
    );
    let document = load("objectives.yaml", &text).unwrap();
    assert_eq!(document.attributes[0].sampled_at_least.len(), 1);
}

#[test]
fn a_share_that_cannot_be() {
    for share in ["0", "-0.5", "1.5"] {
        let edit = format!("{SEX}    sampled_at_least: {{ female: «here»{share} }}\n");
        let message = format!(
            "a share of {share} of the requests of `female` cannot be kept; write more than 0 and at most 1"
        );
        assert_eq!(messages(&BASE.replace(SEX, &edit)), message);
    }
}

#[test]
fn a_share_of_a_group_that_is_none() {
    case(
        SEX,
        &format!("{SEX}    sampled_at_least: {{ «here»other: 0.5 }}\n"),
        expect!["`sex` has no group `other`; its groups are: `female`, `male`"],
    );
}

#[test]
fn shares_of_an_attribute_that_comes_late() {
    case(
        AGE,
        &format!("{AGE}    «here»sampled_at_least: {{ under_30: 0.5 }}\n"),
        expect![
            "the groups of `age_band` do not stand in the request, so no request can be kept for them; remove `sampled_at_least`"
        ],
    );
}

#[test]
fn shares_of_two_attributes() {
    let both = format!(
        "{SEX}    sampled_at_least: {{ female: 0.5 }}\n  - name: region\n    from: {{ request: {{ input: region }} }}\n    groups: [north, south]\n    reference: south\n    «here»sampled_at_least: {{ north: 0.5 }}\n"
    );
    case(
        SEX,
        &both,
        expect![
            "`sex` has `sampled_at_least`, and only one attribute can; remove it here or there"
        ],
    );
}

#[test]
fn an_objective_that_adds_such_groups_up() {
    let with_shares = BASE.replace(
        SEX,
        &format!("{SEX}    sampled_at_least: {{ female: 0.5 }}\n"),
    );
    let marked = with_shares.replace(
        AUC,
        "    metric: accuracy_difference.pooled\n    of: { attribute: «here»sex }\n",
    );
    check(
        &marked,
        expect![
            "`accuracy_difference.pooled` adds up cases of several groups, and `sampled_at_least` of `sex` lets some count more often than others; choose a metric that compares two groups, or remove `sampled_at_least`"
        ],
    );
    // Of an attribute that has nothing to do with them, it may.
    let elsewhere = marked.replace("«here»sex", "age_band");
    load("objectives.yaml", &elsewhere).unwrap();
}
