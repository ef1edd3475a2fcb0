//! Metrics through the real summaries.

use clause9_shared::baseline::{Baseline, Joint, Law, Shape};
use clause9_shared::ids::Name;
use clause9_shared::inference::{Inference, Tensor, Values};
use clause9_shared::metric::{
    Answers, Beside, LabelAges, MetricId, Needs, Sample, Seen, Unmeasurable,
};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::plan::CapturePlan;
use clause9_shared::service::Served;
use clause9_shared::sketch::{
    CutCounts, Histogram, Hygiene, Moments, PaneSummary, Points, ScoreCells, Summary, SummaryKey,
    SummaryKind, SummaryOf,
};
use clause9_shared::time::{Span, Timestamp};
use expect_test::expect;
use serde_json::json;

use crate::fixture::{SplitMix64, baseline, document};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn age() -> Subject {
    Subject {
        feature: Some(name("age")),
        ..Subject::default()
    }
}

fn female() -> Subject {
    Subject {
        attribute: Some(name("sex")),
        group: Some("female".to_owned()),
        ..Subject::default()
    }
}

/// The small system with everything that a plan keeps summaries of: features of both types, a score
/// with a reference, attributes from both sides.
fn rich() -> (Document, Baseline) {
    let mut json = serde_json::to_value(document()).unwrap();
    let add = |list: &mut serde_json::Value, item| list.as_array_mut().unwrap().push(item);
    add(
        &mut json["features"],
        json!({ "name": "branch", "type": "categorical", "from": { "input": "branch" } }),
    );
    add(
        &mut json["attributes"],
        json!({ "name": "region", "from": { "request": { "input": "region" } },
            "groups": ["north", "south"], "reference": "north" }),
    );
    json["features"][0]["distinct"] = json!(true);
    json["service"] = json!({ "slow_after": 0.25, "limits": { "latency": [0.5] } });
    let document = serde_json::from_value(json).unwrap();
    let mut json = serde_json::to_value(baseline()).unwrap();
    json["features"]["branch"] = json!({ "kind": "categorical", "categories": ["east", "west"],
        "counts": [5000, 5000], "other": 0, "missing": 0 });
    json["score"] = json!({ "kind": "numeric", "center": 0.5, "scale_exponent": -1,
        "cuts": [0.5], "counts": [5000, 5000], "missing": 0, "invalid": 0 });
    let mut baseline: Baseline = serde_json::from_value(json).unwrap();
    let law = baseline.features.get_mut(&name("age"));
    let Some(Law::Numeric { cuts, shape, .. }) = law else {
        panic!("age is a number")
    };
    *shape = Some(Box::new(ages(cuts)));
    let ages = [25.0, 35.0, 45.0, 60.0];
    let column = ages.into_iter().cycle().take(10_000).collect();
    baseline.joint = Joint::of_columns(vec![name("age")], &[column]);
    (document, baseline)
}

/// The law of ten thousand ages behind the four equal cells: four values that come up often.
fn ages(cuts: &[f64]) -> Shape {
    let ages = [25.0, 35.0, 45.0, 60.0];
    let mut shape = Shape {
        histogram: Histogram::new(40.0, 4).unwrap(),
        points: CutCounts::with_points(&Points {
            cuts: cuts.to_vec(),
            atoms: ages.to_vec(),
            bins: vec![25.0, 42.5, 60.0],
            splits: Vec::new(),
        })
        .unwrap(),
        moments: Moments::new(40.0, 4).unwrap(),
    };
    for age in ages.into_iter().cycle().take(10_000) {
        shape.histogram.add(age);
        shape.points.add(age);
        shape.moments.add(age);
    }
    shape
}

fn plan() -> CapturePlan {
    let (document, baseline) = rich();
    CapturePlan::new(&document, &baseline).unwrap()
}

/// Everything a plan keeps, of both streams.
fn both(traffic: &PaneSummary, outcomes: &PaneSummary) -> PaneSummary {
    let all = traffic.iter().chain(outcomes.iter());
    PaneSummary::new(all.map(|(key, s)| (key.clone(), s.clone())).collect())
}

/// Cases by sex, score and label, and how many there are: 0.5 and more is a positive decision.
const CASES: &[(&str, f64, u8, usize)] = &[
    ("male", 0.9, 1, 2),
    ("male", 0.4, 1, 1),
    ("male", 0.7, 0, 1),
    ("male", 0.2, 0, 2),
    ("female", 0.9, 1, 1),
    ("female", 0.4, 1, 1),
    ("female", 0.7, 0, 1),
    ("female", 0.2, 0, 5),
];

/// Those cases as the plan counts them, and one whose outcome never came. Every fifth has no age.
fn pane() -> PaneSummary {
    let plan = plan();
    let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    let cases = CASES
        .iter()
        .flat_map(|(sex, score, label, n)| std::iter::repeat_n((*score, Some((*sex, *label))), *n));
    for (i, (score, later)) in cases.chain([(0.8, None)]).enumerate() {
        let age = [25.0, 35.0, 45.0, 60.0, f64::NAN][i % 5];
        let (branch, region) = (["east", "west"][i % 2], ["north", "south"][i % 2]);
        let inference = inference(age, branch, region, score);
        let observation = plan.observations(&inference).unwrap().next().unwrap();
        let mut prediction = plan.observe(observation, &mut traffic);
        plan.serve(&served(i), &mut traffic);
        plan.count_requests(1, &mut traffic);
        if let Some((sex, label)) = later {
            let outcome =
                json!({ "request_id": "r", "label": label, "attributes": { "sex": sex } });
            let outcome = serde_json::from_value(outcome).unwrap();
            plan.join(&mut prediction, &outcome, &mut outcomes);
        }
    }
    both(&traffic, &outcomes)
}

/// Answers between 0.1 and 0.4 seconds: one is refused, two are empty.
fn served(i: usize) -> Served {
    let steps = u32::try_from(i % 4).unwrap();
    Served {
        latency: Some(0.1 + 0.1 * f64::from(steps)),
        first_byte: Some(0.0625),
        request_bytes: Some(100.0),
        response_bytes: Some(if i < 2 { 0.0 } else { 40.0 }),
        status: Some(if i == 5 { 422 } else { 200 }),
    }
}

fn inference(age: f64, branch: &str, region: &str, score: f64) -> Inference {
    let tensor = |name: &str, values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let text = |text: &str| Values::Text(vec![text.into()]);
    Inference {
        model: "car-loan".into(),
        model_version: "1".into(),
        request_id: Some("r".into()),
        arrived_at: Timestamp::EPOCH,
        rows: 1,
        inputs: vec![
            tensor("age", Values::Float(vec![age])),
            tensor("branch", text(branch)),
            tensor("region", text(region)),
        ],
        outputs: vec![tensor("probability", Values::Float(vec![score]))],
    }
}

/// The metrics that fit the small system, whose answers are a score and a decision between two.
fn fitting() -> impl Iterator<Item = &'static MetricId> {
    MetricId::ALL
        .iter()
        .filter(|metric| match metric.spec().answers {
            Answers::Any | Answers::TwoValued => true,
            Answers::Classes | Answers::ClassScores | Answers::Number | Answers::List => false,
        })
}

fn of(metric: MetricId) -> Subject {
    match metric.spec().needs {
        Needs::Nothing | Needs::Class | Needs::ClassOfGroup | Needs::ClassOfAttributeGroup => {
            Subject::default()
        }
        Needs::Feature | Needs::NumericFeature => age(),
        Needs::CategoricalFeature => Subject {
            feature: Some(name("branch")),
            ..Subject::default()
        },
        Needs::AttributeGroup | Needs::Group => female(),
        Needs::Attribute => Subject {
            group: None,
            ..female()
        },
    }
}

/// Twelve labels came on the third day; two on the ninth; a case has waited for ten days.
fn waiting() -> LabelAges {
    let days = Span::from_days;
    let mut ages = LabelAges::new(days(1), 1);
    ages.arrived(days(3), 12);
    ages.arrived(days(9), 2);
    ages.open(days(10), 1);
    ages.showed(days(3), 6, 12);
    ages.showed(days(9), 6, 12);
    ages
}

fn value(metric: MetricId, pane: &PaneSummary) -> Result<f64, Unmeasurable> {
    let ((document, baseline), of) = (rich(), of(metric));
    let seen = Seen {
        document: &document,
        baseline: &baseline,
        of: &of,
        summary: pane,
        beside: Beside {
            length: Some(Span::from_secs(10)),
            traffic: Some(pane),
            ages: Some(&waiting()),
        },
    };
    metric.measure(seen).map(|estimate| estimate.value)
}

/// A new metric's line is written by `UPDATE_EXPECT=1`; see that it is what `CASES` gives by hand.
#[test]
#[expect(clippy::too_many_lines, reason = "a line for each metric")]
fn each_metric_counts_what_its_card_says() {
    let pane = pane();
    let found: String = fitting()
        .map(|metric| {
            let name = metric.spec().name;
            match value(*metric, &pane) {
                Ok(value) => format!("{name} {value:.6}\n"),
                Err(reason) => format!("{name} {reason}\n"),
            }
        })
        .collect();
    expect![[r#"
        missing_rate 0.200000
        psi 1.435986
        accuracy 0.714286
        roc_auc 0.911111
        demographic_parity_ratio 0.500000
        psi.smoothed 1.703053
        psi.floor 0.000000
        js_distance 0.328204
        js_distance.plain 0.000000
        js_distance.nats 0.000000
        hellinger 0.320052
        hellinger.plain 0.000000
        kl 1.480385
        kl.floor 0.000000
        total_variation 0.200000
        total_variation.corrected 0.019688
        total_variation.plain 0.000000
        l_infinity 0.200000
        l_infinity.plain 0.000000
        chi2 0.000000
        chi2.p 1.000000
        chi2.yates undefined: Yates' correction is for two cells
        chi2.yates.p undefined: Yates' correction is for two cells
        chi2.fit 0.000000
        chi2.fit.p 1.000000
        g 0.000000
        g.p 1.000000
        g.fit 0.000000
        g.fit.p 1.000000
        cramers_v 0.000000
        ks 0.000000
        ks.p 1.000000
        kuiper 0.000000
        kuiper.p 1.000000
        cramer_von_mises 0.000000
        cramer_von_mises.p 1.000000
        anderson_darling -1.301640
        anderson_darling.p 0.250000
        wasserstein 0.000000
        wasserstein.std 0.000000
        wasserstein.iqr 0.000000
        wasserstein_over_ref_std 0.000000
        energy 0.000000
        mean_shift 0.000000
        welch 0.000000
        welch.p 1.000000
        variance_ratio 1.090800
        mean 41.250000
        standard_deviation 13.505050
        quantile.25 32.500000
        median 40.000000
        quantile.75 48.750000
        unseen 0.000000
        vanished 0.000000
        range_conformity 1.000000
        type_conformity 1.000000
        psi.uniform20 0.000000
        js_distance.uniform20 0.000000
        hellinger.uniform20 0.000000
        kl.uniform20 0.000000
        total_variation.uniform20 0.000000
        l_infinity.uniform20 0.000000
        frechet 0.011145
        pca_error 0.000000
        pca_error.ratio undefined: the components describe the baseline fully
        centroid_cosine 1.000000
        mahalanobis 0.000000
        linear_auc 0.500000
        hotelling 0.000000
        hotelling.p 1.000000
        correlation_change undefined: too few rows, or features that do not vary
        correlation_change.p undefined: too few rows, or features that do not vary
        mmd -0.020214
        projection_psi 0.713956
        projection_ks 0.100000
        chi2.distance 799.840032
        flag_rate undefined: values are not all 0 or 1
        error_rate 0.285714
        recall 0.600000
        specificity 0.777778
        false_positive_rate 0.222222
        false_negative_rate 0.400000
        precision 0.600000
        negative_predictive_value 0.777778
        false_discovery_rate 0.400000
        false_omission_rate 0.222222
        jaccard 0.428571
        prevalence 0.357143
        detection_prevalence 0.357143
        detection_rate 0.214286
        predicted_positive_rate 0.400000
        f1 0.600000
        f0_5 0.600000
        f2 0.600000
        balanced_accuracy 0.688889
        youden_j 0.377778
        g_mean 0.683130
        mcc 0.377778
        mcc.zero 0.377778
        cohen_kappa 0.377778
        average_precision 0.885714
        gini 0.822222
        score_separation 0.777778
        gain_10 0.280000
        lift_10 2.800000
        ece 0.307143
        ece.mass 0.307143
        mce 0.700000
        calibration_error_debiased 0.143571
        brier_reliability 0.143571
        brier_resolution 0.229592
        brier_uncertainty 0.229592
        observed_over_expected 0.793651
        calibration_slope 1.216152
        calibration_intercept -0.614165
        log_loss 0.437044
        brier 0.143571
        ece.10 0.307143
        mce.10 0.700000
        label_coverage 0.933333
        accuracy.lowest 0.666667
        accuracy.highest 0.733333
        accuracy.post_stratified 0.706667
        accuracy.tipping_point undefined: no objective is on accuracy
        expected_accuracy undefined: the baseline has no labelled scores
        expected_accuracy.raw 0.781120
        expected_precision undefined: the baseline has no labelled scores
        expected_precision.raw 0.818359
        expected_recall undefined: the baseline has no labelled scores
        expected_recall.raw 0.691229
        expected_specificity undefined: the baseline has no labelled scores
        expected_specificity.raw 0.861984
        expected_f1 undefined: the baseline has no labelled scores
        expected_f1.raw 0.749441
        expected_roc_auc undefined: the baseline has no labelled scores
        expected_roc_auc.raw 0.816840
        roc_auc.pairs 0.911111
        label_delay.p50 259200.000000
        label_delay.p90 777600.000000
        label_delay.p95 undefined: so large a share of labels has not come yet
        labelled_in_time undefined: no objective has a `label_delay`
        late_errors.p 1.000000
        cost undefined: the decision has no `costs`
        selection_rate.group 0.250000
        base_rate.group 0.250000
        accuracy.group 0.750000
        true_positive_rate.group 0.500000
        false_positive_rate.group 0.166667
        true_negative_rate.group 0.833333
        false_negative_rate.group 0.500000
        positive_predictive_value.group 0.500000
        negative_predictive_value.group 0.833333
        false_discovery_rate.group 0.500000
        false_omission_rate.group 0.166667
        demographic_parity_difference -0.250000
        base_rate_difference -0.250000
        accuracy_difference 0.083333
        equal_opportunity_difference -0.166667
        false_positive_rate_difference -0.166667
        true_negative_rate_difference 0.166667
        false_negative_rate_difference 0.166667
        predictive_parity_difference -0.166667
        negative_predictive_value_difference 0.166667
        false_discovery_rate_difference 0.166667
        false_omission_rate_difference -0.166667
        base_rate_ratio 0.500000
        accuracy_ratio 1.125000
        equal_opportunity_ratio 0.750000
        false_positive_rate_ratio 0.500000
        true_negative_rate_ratio 1.250000
        false_negative_rate_ratio 1.500000
        predictive_parity_ratio 0.750000
        negative_predictive_value_ratio 1.250000
        false_discovery_rate_ratio 1.500000
        false_omission_rate_ratio 0.500000
        equalised_odds_difference 0.166667
        equalised_odds_ratio 0.500000
        average_odds_difference -0.166667
        average_absolute_odds_difference 0.166667
        treatment_equality 0.000000
        treatment_equality.difference 0.000000
        balanced_error_difference 0.000000
        conditional_acceptance_difference 0.000000
        conditional_rejection_difference 0.000000
        demographic_disparity 0.266667
        mean_residual.group -0.125000
        mean_residual_difference -0.075000
        positive_class_balance -0.083333
        negative_class_balance -0.083333
        roc_auc_difference 0.027778
        unknown_group_rate 0.000000
        demographic_parity_difference.lowest -0.250000
        demographic_parity_difference.highest -0.250000
        demographic_parity_ratio.lowest 0.500000
        demographic_parity_ratio.highest 0.500000
        equal_opportunity_difference.lowest -0.166667
        equal_opportunity_difference.highest -0.166667
        false_positive_rate_difference.lowest -0.166667
        false_positive_rate_difference.highest -0.166667
        generalised_entropy 0.142857
        theil_index 0.198042
        generalised_entropy.between_groups 0.000000
        f1.group 0.500000
        balanced_accuracy.group 0.666667
        mcc.group 0.333333
        cost.group undefined: the decision has no `costs`
        roc_auc.group 0.916667
        average_precision.group 0.833333
        log_loss.group 0.417668
        brier.group 0.132500
        ece.group 0.300000
        calibration_error_debiased.group 0.040000
        observed_over_expected.group 0.666667
        latency.p50 0.201172
        latency.p90 0.402344
        latency.p95 0.402344
        latency.p99 0.402344
        latency.mean 0.240000
        first_byte.p50 0.063477
        first_byte.p90 0.063477
        first_byte.p95 0.063477
        first_byte.p99 0.063477
        first_byte.mean 0.062500
        request_bytes.p50 100.000000
        request_bytes.p90 100.000000
        request_bytes.p95 100.000000
        request_bytes.p99 100.000000
        request_bytes.mean 100.000000
        response_bytes.p50 40.000000
        response_bytes.p90 40.000000
        response_bytes.p95 40.000000
        response_bytes.p99 40.000000
        response_bytes.mean 34.666667
        slow_rate 0.466667
        client_error_rate 0.066667
        server_error_rate 0.000000
        failure_rate 0.066667
        empty_answer_rate 0.133333
        throughput 1.500000
        distinct_count 4.003883
        uniqueness 0.333657
        demographic_parity_difference.spread 0.250000
        base_rate_difference.spread 0.250000
        accuracy_difference.spread 0.083333
        equal_opportunity_difference.spread 0.166667
        false_positive_rate_difference.spread 0.166667
        true_negative_rate_difference.spread 0.166667
        false_negative_rate_difference.spread 0.166667
        predictive_parity_difference.spread 0.166667
        negative_predictive_value_difference.spread 0.166667
        false_discovery_rate_difference.spread 0.166667
        false_omission_rate_difference.spread 0.166667
        demographic_parity_ratio.spread 0.500000
        base_rate_ratio.spread 0.500000
        accuracy_ratio.spread 0.888889
        equal_opportunity_ratio.spread 0.750000
        false_positive_rate_ratio.spread 0.500000
        true_negative_rate_ratio.spread 0.800000
        false_negative_rate_ratio.spread 0.666667
        predictive_parity_ratio.spread 0.750000
        negative_predictive_value_ratio.spread 0.800000
        false_discovery_rate_ratio.spread 0.666667
        false_omission_rate_ratio.spread 0.500000
        demographic_parity_difference.pooled -0.250000
        base_rate_difference.pooled -0.250000
        accuracy_difference.pooled 0.083333
        equal_opportunity_difference.pooled -0.166667
        false_positive_rate_difference.pooled -0.166667
        true_negative_rate_difference.pooled 0.166667
        false_negative_rate_difference.pooled 0.166667
        predictive_parity_difference.pooled -0.166667
        negative_predictive_value_difference.pooled 0.166667
        false_discovery_rate_difference.pooled 0.166667
        false_omission_rate_difference.pooled -0.166667
        demographic_parity_ratio.pooled 0.500000
        base_rate_ratio.pooled 0.500000
        accuracy_ratio.pooled 1.125000
        equal_opportunity_ratio.pooled 0.750000
        false_positive_rate_ratio.pooled 0.500000
        true_negative_rate_ratio.pooled 1.250000
        false_negative_rate_ratio.pooled 1.500000
        predictive_parity_ratio.pooled 0.750000
        negative_predictive_value_ratio.pooled 1.250000
        false_discovery_rate_ratio.pooled 1.500000
        false_omission_rate_ratio.pooled 0.500000
        equalised_odds_difference.spread 0.166667
        equalised_odds_ratio.spread 0.500000
        equalised_odds_difference.spread_mean 0.166667
        equalised_odds_ratio.spread_mean 0.625000
        demographic_parity_difference.to_overall 0.142857
        demographic_parity_ratio.to_overall 0.700000
        equalised_odds_difference.to_overall 0.111111
        average_odds_difference.pooled -0.166667
        average_absolute_odds_difference.pooled 0.166667
        unusable_answer_rate 0.000000
        cohen_kappa.pairs 0.377778
        mcc.pairs 0.377778
    "#]]
    .assert_eq(&found);
}

#[test]
fn each_metric_reads_the_summaries_it_asks_for_and_says_which_one_lacks() {
    let full = pane();
    for metric in fitting() {
        let keys = metric.reads(&rich().0, &of(*metric));
        assert!(!keys.is_empty());
        assert!(keys.iter().all(|key| full.get(key).is_some()), "{metric:?}");
        let without = full
            .iter()
            .filter(|(key, _)| !keys.contains(key))
            .map(|(key, summary)| (key.clone(), summary.clone()))
            .collect();
        let refused = value(*metric, &PaneSummary::new(without)).unwrap_err();
        assert!(
            matches!(refused, Unmeasurable::LacksSummary(_)),
            "{refused}"
        );
    }
}

#[test]
fn an_idle_pane_is_no_data_for_every_metric() {
    let plan = plan();
    let idle = both(&plan.empty_traffic(), &plan.empty_outcomes());
    for metric in fitting() {
        assert_eq!(
            value(*metric, &idle),
            Err(Unmeasurable::NoData),
            "{metric:?}"
        );
    }
}

#[test]
fn the_area_from_cells_is_within_its_bound_of_the_area_from_scores() {
    let mut random = SplitMix64(3);
    for _ in 0..50 {
        let mut cells = ScoreCells::new(1).unwrap();
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let label = random.uniform() < 0.3;
            let score = (random.uniform() + f64::from(u8::from(label)) * 0.4) / 1.4;
            cells.add(Some(score), Some(label), Some(0));
            if label { &mut positive } else { &mut negative }.push(score);
        }
        let pairs = (positive.len() * negative.len()) as f64;
        let wins: f64 = positive
            .iter()
            .flat_map(|p| negative.iter().map(move |n| f64::from(u8::from(p > n))))
            .sum();
        let bound: f64 = cells
            .cells(Some(0))
            .map(|cell| cell.count.positive as f64 * cell.count.negative as f64)
            .sum::<f64>()
            / pairs
            / 2.0;
        let key = SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells);
        let pane = PaneSummary::new(vec![(key, Summary::ScoreCells(cells))]);
        let found = value(MetricId::RocAuc, &pane).unwrap();
        assert!((found - wins / pairs).abs() <= bound + 1e-12);
    }
}

#[test]
fn an_unchanged_feature_has_an_index_around_zero() {
    let mut random = SplitMix64(4);
    let mut values = Vec::new();
    for _ in 0..200 {
        let mut cuts = CutCounts::new(&[30.0, 40.0, 50.0]).unwrap();
        let mut hygiene = Hygiene::new();
        for _ in 0..500 {
            cuts.add(20.0 + 40.0 * random.uniform());
            hygiene.add_usable(false, false);
        }
        let feature = |kind| SummaryKey::new(SummaryOf::Feature(name("age")), kind);
        let pane = PaneSummary::new(vec![
            (feature(SummaryKind::CutCounts), Summary::CutCounts(cuts)),
            (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
        ]);
        let (document, baseline, of) = (document(), baseline(), age());
        let seen = Seen {
            document: &document,
            baseline: &baseline,
            of: &of,
            summary: &pane,
            beside: Beside::default(),
        };
        let estimate = MetricId::Psi.measure(seen).unwrap();
        let Sample::Cells { std_error, .. } = estimate.sample else {
            panic!("an index is a sample of cells")
        };
        assert!(std_error > 0.0);
        values.push(estimate.value);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Uncorrected it would be 4/476 = 0.0084 (five cells); the empty fifth cell makes it lower.
    assert!(mean.abs() < 0.003, "{mean}");
}
