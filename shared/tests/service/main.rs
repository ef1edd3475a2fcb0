//! How the model is served: guaranteed brackets, shares, and bets that hold what they promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod features;
mod phrases;

use clause9_shared::baseline::Baseline;
use clause9_shared::bet::{Bets, fixed};
use clause9_shared::metric::{
    Against, Beside, Estimate, Measurement, MetricId, Sample, Seen, Unmeasurable,
};
use clause9_shared::objective::document::{Comparator, Document, Subject};
use clause9_shared::plan::CapturePlan;
use clause9_shared::service::Served;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Span;
use clause9_shared::wire::codec::{Decode, Encode};
use proptest::prelude::*;
use serde_json::{Value, json};

fn document(service: &Value) -> Document {
    let mut text = json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "chat", "name": "Chat", "intended_purpose": "Answers.", "owner": "support",
            "role": "user", "models": [{ "name": "chat", "source": "own" }]
        },
        "panes": { "length": "1m" },
        "features": [{ "name": "x", "type": "numeric", "unit": "1", "from": { "input": "x" } }],
        "outputs": { "score": { "from": { "output": "p" } } },
        "objectives": []
    });
    if !service.is_null() {
        text["service"] = service.clone();
    }
    serde_json::from_value(text).unwrap()
}

fn baseline() -> Baseline {
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "chat",
        "source": {
            "name": "reference.csv",
            "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        },
        "rows": 10,
        "features": { "x": {
            "kind": "numeric", "center": 0.0, "scale_exponent": 0, "cuts": [0.0],
            "counts": [5, 5], "missing": 0, "invalid": 0
        } }
    }))
    .unwrap()
}

fn plan(service: &Value) -> CapturePlan {
    CapturePlan::new(&document(service), &baseline()).unwrap()
}

fn standard() -> CapturePlan {
    plan(&json!({ "slow_after": 0.5, "limits": { "latency": [0.3], "response_bytes": [1000] } }))
}

fn measure(plan: &CapturePlan, metric: &str, summary: &PaneSummary) -> Measurement {
    MetricId::by_name(metric).unwrap().measure(Seen {
        document: plan.document(),
        baseline: plan.baseline(),
        of: &Subject::default(),
        summary,
        beside: Beside {
            length: Some(Span::from_secs(60)),
            traffic: None,
            ages: None,
        },
    })
}

fn pane(plan: &CapturePlan, served: impl IntoIterator<Item = Served>) -> PaneSummary {
    let mut pane = plan.empty_traffic();
    for one in served {
        plan.serve(&one, &mut pane);
        plan.count_requests(1, &mut pane);
    }
    pane
}

fn took(latency: f64) -> Served {
    Served {
        latency: Some(latency),
        ..Served::default()
    }
}

fn sized(bytes: f64) -> Served {
    Served {
        response_bytes: Some(bytes),
        ..Served::default()
    }
}

/// The value of rank ceil(u n): `numpy.quantile(.., method="inverted_cdf")`.
fn exact(values: &[f64], u: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    let rank = (u * values.len() as f64).ceil() as usize;
    sorted[rank.max(1) - 1]
}

fn holds(found: &Estimate, value: f64) -> bool {
    let (low, high) = found.bound.unwrap_or((found.value, found.value));
    low <= value && value <= high
}

const LEVELS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_raw_quantile_lies_within_the_bound(
        times in prop::collection::vec((-30.0..12.0_f64).prop_map(libm::exp2), 1..400),
        sizes in prop::collection::vec(prop_oneof![0..200_u32, any::<u32>()], 1..400),
    ) {
        let plan = standard();
        let sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
        let latency = pane(&plan, times.iter().map(|t| took(*t)));
        let bytes = pane(&plan, sizes.iter().map(|b| sized(*b)));
        for (name, u) in LEVELS {
            let found = measure(&plan, &format!("latency.{name}"), &latency).unwrap();
            prop_assert!(holds(&found, exact(&times, u)), "{found:?} {}", exact(&times, u));
            let found = measure(&plan, &format!("response_bytes.{name}"), &bytes).unwrap();
            prop_assert!(holds(&found, exact(&sizes, u)), "{found:?} {}", exact(&sizes, u));
            prop_assert!(found.value.is_finite());
        }
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        let found = measure(&plan, "latency.mean", &latency).unwrap().value;
        // Each time is rounded to 2^-50 s.
        prop_assert!((found - mean).abs() <= 1e-9 * mean + 1e-15, "{found} {mean}");
        let slow = times.iter().filter(|t| **t > 0.5).count() as f64 / times.len() as f64;
        let found = measure(&plan, "slow_rate", &latency).unwrap().value;
        prop_assert!((found - slow).abs() < 1e-15);
    }

    #[test]
    fn shards_in_any_order_add_up_to_the_same_bytes(
        times in prop::collection::vec((0.0..2.0_f64, 0..3_usize, 100..600_u16), 0..300),
    ) {
        let plan = standard();
        let served = |(t, _, status): &(f64, usize, u16)| Served { status: Some(*status), ..took(*t) };
        let whole = pane(&plan, times.iter().map(served));
        let mut sum = plan.empty_traffic();
        for shard in [2, 0, 1] {
            let part = times.iter().rev().filter(|(_, s, _)| *s == shard).map(served);
            sum.merge(&pane(&plan, part)).unwrap();
        }
        prop_assert_eq!(sum.to_bytes(), whole.to_bytes());
        prop_assert_eq!(PaneSummary::from_bytes(&whole.to_bytes()).unwrap(), whole);
    }
}

#[test]
fn small_sizes_are_known_exactly() {
    let plan = standard();
    let bytes = pane(&plan, [0.0, 0.0, 7.0, 41.0, 63.0].map(sized));
    let found = measure(&plan, "response_bytes.p50", &bytes).unwrap();
    assert_eq!((found.value, found.bound), (7.0, None));
    let found = measure(&plan, "response_bytes.p99", &bytes).unwrap();
    assert_eq!((found.value, found.bound), (63.0, None));
}

#[test]
fn shares_of_answers_by_hand() {
    let plan = standard();
    let statuses = [200, 200, 204, 404, 422, 500, 503, 200, 200, 200];
    let all = statuses.map(|status| Served {
        status: Some(status),
        response_bytes: Some(if status == 204 { 0.0 } else { 10.0 }),
        ..took(0.1)
    });
    let pane = pane(&plan, all);
    for (metric, hits) in [
        ("client_error_rate", 2),
        ("server_error_rate", 2),
        ("failure_rate", 4),
        ("empty_answer_rate", 1),
    ] {
        let found = measure(&plan, metric, &pane).unwrap();
        assert_eq!(found.sample, Sample::Rate { hits, of: 10 }, "{metric}");
    }
    let found = measure(&plan, "throughput", &pane).unwrap();
    assert!((found.value - 10.0 / 60.0).abs() < 1e-15);
}

#[test]
fn nothing_served_is_no_data_and_never_a_number() {
    let plan = standard();
    let empty = plan.empty_traffic();
    for metric in MetricId::ALL {
        let name = metric.spec().name;
        let reads = metric.reads(plan.document(), &Subject::default());
        let of_service = reads
            .iter()
            .any(|key| key.of.to_string().starts_with("service/"));
        if of_service {
            assert_eq!(
                measure(&plan, name, &empty),
                Err(Unmeasurable::NoData),
                "{name}"
            );
        }
    }
    let without = self::plan(&json!({}));
    let pane = pane(&without, [took(0.1)]);
    let found = measure(&without, "slow_rate", &pane);
    assert!(
        matches!(found, Err(Unmeasurable::Undefined(_))),
        "{found:?}"
    );
    // What is no time leaves no trace; what is beyond every cell is said to have no end.
    let odd = self::pane(&plan, [took(f64::NAN), took(-1.0), took(f64::INFINITY)]);
    assert_eq!(
        measure(&plan, "latency.p50", &odd),
        Err(Unmeasurable::NoData)
    );
    let found = measure(&plan, "latency.p50", &self::pane(&plan, [took(5000.0)])).unwrap();
    assert!((found.value - 1024.0).abs() < 1e-6 && holds(&found, 5000.0));
}

fn bets(
    plan: &CapturePlan,
    metric: &str,
    level: f64,
    comparator: Comparator,
) -> Result<Bets, String> {
    let against = Against {
        document: plan.document(),
        baseline: plan.baseline(),
        of: &Subject::default(),
        level,
        comparator,
        reference_error: None,
    };
    let metric = MetricId::by_name(metric).unwrap();
    metric.bets(against).map_err(|no| no.to_string())
}

/// The best of the bets on so many answers at each of these times, in nats.
fn best(plan: &CapturePlan, metric: &str, bets: &Bets, times: &[(f64, usize)]) -> f64 {
    let all = times
        .iter()
        .flat_map(|(t, n)| std::iter::repeat_n(took(*t), *n));
    let found = measure(plan, metric, &pane(plan, all)).unwrap();
    let (gains, _) = bets
        .settle(&found.sample, &clause9_shared::bet::RateSums::default())
        .unwrap();
    fixed::to_nats(gains.into_iter().max().unwrap())
}

#[test]
fn a_quantile_is_judged_as_the_share_beyond_its_level() {
    let plan = standard();
    let at_most = bets(&plan, "latency.p95", 0.3, Comparator::AtMost).unwrap();
    let Bets::Cells(cells) = &at_most else {
        panic!("{at_most:?}")
    };
    assert!(cells.certified());
    // Exactly 5 % slower, some at the level itself, which is not slower: no bet gains.
    let kept = [(0.1, 5000), (0.3, 4500), (0.31, 500)];
    assert!(best(&plan, "latency.p95", &at_most, &kept) < 0.0);
    // 10 % slower: evidence soon, however little slower they are.
    let broken = [(0.1, 500), (0.3, 400), (0.301, 100)];
    assert!(best(&plan, "latency.p95", &at_most, &broken) > 10.0);
    let at_least = bets(&plan, "latency.p50", 0.3, Comparator::AtLeast).unwrap();
    assert!(best(&plan, "latency.p50", &at_least, &[(0.1, 500), (0.3, 500)]) < 0.0);
    assert!(best(&plan, "latency.p50", &at_least, &[(0.1, 700), (0.3, 300)]) > 10.0);
}

#[test]
fn no_law_that_conforms_gains_in_expectation() {
    let plan = standard();
    for (metric, tolerated) in [
        ("latency.p50", 0.5),
        ("latency.p90", 0.1),
        ("latency.p99", 0.01),
    ] {
        let Bets::Cells(cells) = bets(&plan, metric, 0.3, Comparator::AtMost).unwrap() else {
            panic!("{metric}")
        };
        // Points 0.3 and 0.5: below, at, between, at, above.
        for bet in &cells.bets {
            let pays = |cell: usize| libm::exp(fixed::to_nats(bet.payoffs[cell]));
            for (kept, beyond) in [(0, 2), (1, 3), (1, 4), (0, 4)] {
                let expected = (1.0 - tolerated) * pays(kept) + tolerated * pays(beyond);
                assert!(expected <= 1.0, "{metric} {expected}");
                assert!(expected > 0.999_999, "{metric} gives away {expected}");
            }
        }
    }
}

#[test]
fn a_mean_is_judged_without_a_largest_value() {
    let plan = standard();
    let at_most = bets(&plan, "latency.mean", 0.2, Comparator::AtMost).unwrap();
    assert!(best(&plan, "latency.mean", &at_most, &[(0.2, 3000)]) <= 0.0);
    assert!(best(&plan, "latency.mean", &at_most, &[(0.1, 900), (900.0, 100)]) > 10.0);
    let refused = bets(&plan, "latency.mean", 0.2, Comparator::AtLeast).unwrap_err();
    assert!(refused.contains("name a quantile"), "{refused}");
}

#[test]
fn a_level_that_is_not_counted_is_refused_with_what_to_do() {
    let refused = bets(&standard(), "latency.p95", 0.4, Comparator::AtMost).unwrap_err();
    assert!(refused.contains("add it to `limits.latency`"), "{refused}");
}

#[test]
fn limits_are_part_of_what_is_counted_and_the_words_around_them_are_not() {
    let digest = |service: Value| plan(&service).digest();
    let with = digest(json!({ "limits": { "latency": [0.3, 0.5] } }));
    assert_eq!(
        with,
        digest(json!({ "slow_after": 0.5, "limits": { "latency": [0.3] } }))
    );
    assert_ne!(with, digest(json!({ "limits": { "latency": [0.3] } })));
    assert_ne!(with, digest(Value::Null));
    let mut one = plan(&json!({ "limits": { "latency": [0.3] } })).empty_traffic();
    assert!(
        one.merge(&plan(&json!({ "limits": { "latency": [0.4] } })).empty_traffic())
            .is_err()
    );
}
