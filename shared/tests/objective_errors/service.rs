//! Mistakes in what is said of how the model is served.

use expect_test::expect;

use crate::case;

#[test]
fn a_limit_of_nothing() {
    case(
        "objectives:\n",
        "service:\n  slow_after: «here»0\nobjectives:\n",
        expect!["no answer takes 0 seconds; write the seconds after which one is slow, as 0.5"],
    );
}

#[test]
fn limits_out_of_order() {
    case(
        "objectives:\n",
        "service:\n  limits: { latency: [0.5, «here»0.25], request_bytes: [-1] }\nobjectives:\n",
        expect![[r#"
            0.25 does not follow 0.5; write limits in ascending order
            -1 is no limit; write a number above 0"#]],
    );
}

#[test]
fn an_objective_on_a_service_that_is_not_counted() {
    case(
        "    metric: accuracy\n    comparator: at_least\n    levels: { target: 0.95, alert: 0.92, action: 0.9 }\n",
        "    metric: «here»slow_rate\n    comparator: at_most\n    levels: { action: 0.9 }\n",
        expect![[r#"
            metric `slow_rate` is of how the model is served, which is not counted; add `service: {}` to the file
            metric `slow_rate` does not wait for outcomes here; remove `label_delay`"#]],
    );
}

#[test]
fn an_attribute_of_the_answer() {
    case(
        "from: { request: { input: sex } }",
        "from: { request: { «here»output: sex } }",
        expect!["attribute `sex` cannot stand in the answer; name the `input` that holds it"],
    );
}

#[test]
fn a_feature_of_both_sides() {
    case(
        "from: { input: region }",
        "from: { input: region, «here»output: region }",
        expect![
            "feature `region` stands in the request or in the answer, not in both; remove `input` or `output`"
        ],
    );
}

#[test]
fn a_number_that_no_text_has() {
    case(
        "    type: categorical\n    from: { input: region }\n",
        "    type: text\n    numbers: [words, «here»syllables]\n    from: { input: region }\n",
        expect![
            "a text has no number `syllables`; it has: bytes, characters, words, lines, non_ascii_share, digit_share, whitespace_share, upper_case_share, code_fences, urls, citations, repetition, compression, is_json, email_addresses, payment_cards, ibans, latin_share, greek_share, cyrillic_share, hebrew_share, arabic_share, indic_share, south_east_asian_share, han_share, kana_share, hangul_share, other_script_share"
        ],
    );
}
