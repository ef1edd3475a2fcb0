//! Whole rows of the car loans against `NumPy` and `SciPy` on the standardised raw rows.

use crate::case::Case;
use crate::system::{Column, System, named};

/// Computed by `NumPy` 2.4 and `SciPy` 1.17 from the five numeric columns of one window.
type Expected = [(&'static str, f64); 10];

const BEFORE: Expected = [
    ("frechet", 0.002_039_211_743_179_283_3),
    ("pca_error", 0.872_088_234_720_004_2),
    ("pca_error.ratio", 0.995_531_968_872_481_6),
    ("centroid_cosine", 0.999_999_999_980_208_6),
    ("mahalanobis", 0.029_235_034_696_006_336),
    ("linear_auc", 0.508_246_463_675_273_3),
    ("hotelling", 3.884_942_062_166_792_3),
    ("hotelling.p", 0.566_143_512_444_68),
    ("correlation_change", 0.021_364_156_248_891_77),
    ("correlation_change.p", 1.0),
];

const AFTER: Expected = [
    ("frechet", 0.987_458_879_641_215_8),
    ("pca_error", 0.910_786_107_134_091_8),
    ("pca_error.ratio", 1.039_707_509_353_132_3),
    ("centroid_cosine", 0.999_999_986_667_685_3),
    ("mahalanobis", 1.000_663_488_129_043_7),
    ("linear_auc", 0.760_395_680_177_722_3),
    ("hotelling", 4_551.488_256_702_657),
    ("hotelling.p", 0.0),
    ("correlation_change", 0.078_703_497_913_414_91),
    ("correlation_change.p", 1.630_978_916_898_507e-10),
];

#[test]
fn whole_rows_agree_with_numpy_and_scipy_before_and_after_the_change() {
    let case = Case::read("car_loan").unwrap();
    let system = System::new(&case.reference);
    let counted = |from: usize, to: usize| {
        let rows: Vec<Column> = case.analysis.iter().map(|c| c.rows(from, to)).collect();
        system.count(&rows)
    };
    let (before, after) = (counted(10_000, 15_000), counted(25_000, 30_000));
    for (pane, expected) in [(&before, BEFORE), (&after, AFTER)] {
        for (metric, expected) in expected {
            let found = system.measure_rows(named(metric), pane).unwrap().value;
            let slack = 1e-12 + 1e-5 * expected.abs();
            assert!(
                (found - expected).abs() <= slack,
                "{metric}: {found} is not {expected}"
            );
        }
    }
    let value = |metric, pane| system.measure_rows(named(metric), pane).unwrap().value;
    for (metric, most, least) in [
        ("mmd", 2e-4, 5e-3),
        ("projection_psi", 2e-3, 0.05),
        ("projection_ks", 0.05, 0.1),
    ] {
        let (before, after) = (value(metric, &before), value(metric, &after));
        println!("{metric}: {before} before, {after} after");
        assert!(
            before.abs() < most && after > least,
            "{metric}: {before}, {after}"
        );
    }
}

#[test]
fn rows_with_missing_numbers_count_as_the_mean_there() {
    let reference: Vec<f64> = (0..200).map(f64::from).collect();
    let second: Vec<f64> = reference
        .iter()
        .map(|x| x * 0.5 + (x * 7.0) % 13.0)
        .collect();
    let columns = [Column::Numbers(reference.clone()), Column::Numbers(second)];
    let named_columns: Vec<_> = columns
        .iter()
        .map(|c| ("x".to_owned(), c.clone()))
        .collect();
    let system = System::new(&named_columns);
    let gaps = [
        Column::Numbers(vec![f64::NAN; 50]),
        Column::Numbers(vec![f64::NAN; 50]),
    ];
    let found = system
        .measure_rows(named("mahalanobis"), &system.count(&gaps))
        .unwrap();
    assert!(found.value < 1e-6, "{}", found.value);
    assert_eq!(found.support, 50);
}
