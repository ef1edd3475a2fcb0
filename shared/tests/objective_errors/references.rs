//! Mistakes in references.

use expect_test::expect;

use crate::case;

#[test]
fn no_references() {
    case(
        "references:\n      - { scheme: nist_ai_rmf, id: MEASURE 2.3, claim: contributes }",
        "references: «here»[]",
        expect![[
            "no references; name at least one clause, control or law that this gives evidence for"
        ]],
    );
}

#[test]
fn a_clause_that_does_not_exist() {
    case(
        "id: \"6.2\", claim",
        "id: «here»\"11.1\", claim",
        expect!["ISO/IEC 42001 has no clause `11.1`; write one from 4.1 to 10.2"],
    );
}

#[test]
fn a_chapter_in_place_of_a_clause() {
    case(
        "id: \"6.2\", claim",
        "id: «here»\"6\", claim",
        expect!["ISO/IEC 42001 has no clause `6`; write one from 4.1 to 10.2"],
    );
}

#[test]
fn an_aim_in_place_of_a_control() {
    case(
        "id: A.5.4",
        "id: «here»A.5.1",
        expect![[
            "Annex A of ISO/IEC 42001 has no control `A.5.1`; write one of its 38; under A.5 there are A.5.2, A.5.3, A.5.4, A.5.5"
        ]],
    );
}

#[test]
fn a_control_that_was_never_there() {
    case(
        "id: A.6.2.6",
        "id: «here»A.6.1.4",
        expect![[
            "Annex A of ISO/IEC 42001 has no control `A.6.1.4`; write one of its 38; under A.6.1 there are A.6.1.2, A.6.1.3"
        ]],
    );
}

#[test]
fn a_control_of_another_family() {
    case(
        "id: A.9.3",
        "id: «here»A.11.2",
        expect!["Annex A of ISO/IEC 42001 has no control `A.11.2`; write one of its 38"],
    );
}

#[test]
fn a_control_cited_as_a_clause() {
    case(
        "scheme: iso42001_control, id: A.7.4",
        "scheme: iso42001_clause, id: «here»A.7.4",
        expect!["ISO/IEC 42001 has no clause `A.7.4`; write one from 4.1 to 10.2"],
    );
}

#[test]
fn an_article_that_does_not_exist() {
    case(
        "id: \"72\"",
        "id: «here»\"173\"",
        expect![[
            "Regulation (EU) 2024/1689 has no article `173`; write one from 1 to 113, as 72 or 26(5)"
        ]],
    );
}

#[test]
fn an_empty_rule_of_ones_own() {
    case(
        "id: data handbook 3",
        "id: «here»\"\"",
        expect!["`id` is empty; say it in words"],
    );
}

#[test]
fn an_empty_edition() {
    case(
        "id: A.6.2.6, edition: \"2023\"",
        "id: A.6.2.6, edition: «here»\"\"",
        expect!["`edition` is empty; say it in words, or remove the key"],
    );
}
