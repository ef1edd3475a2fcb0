//! Predicted numbers against those that came.

use clause9_shared::performance::regression::{
    Spread, determination, explained_variance, median, root,
};

use crate::oracle::{CAR_PRICE, Row, each, same};

fn spread(rows: &[&Row], of: impl Fn(f64, f64) -> f64) -> Spread {
    let of = &of;
    Spread::of(
        rows.iter()
            .map(move |row| of(row.label.unwrap(), row.score)),
    )
}

#[test]
fn figures_of_raw_numbers_are_those_of_scikit_learn() {
    let mut windows = 0;
    each(&CAR_PRICE, "performance.json", |window, rows, expected| {
        let error = spread(rows, |y, p| p - y);
        let label = spread(rows, |y, _| y);
        let mean = |spread: Spread| spread.figure().map(|f| f.value);
        let squared = spread(rows, |y, p| (p - y) * (p - y));
        let log = spread(rows, |y, p| {
            let r = libm::log1p(p) - libm::log1p(y);
            r * r
        });
        let floored = spread(rows, |y, p| (p - y).abs() / y.abs().max(f64::EPSILON));
        let mut absolute: Vec<f64> = rows
            .iter()
            .map(|r| (r.score - r.label.unwrap()).abs())
            .collect();
        absolute.sort_by(f64::total_cmp);
        let bars: Vec<_> = absolute.iter().map(|a| (*a, *a, 1)).collect();
        for (name, found) in [
            ("mae", mean(spread(rows, |y, p| (p - y).abs()))),
            ("mse", mean(squared)),
            ("rmse", squared.figure().map(|f| root(f).value)),
            ("mape_sklearn", mean(floored)),
            ("mape_nonzero", mean(floored)),
            ("r2", determination(&error, &label)),
            ("explained_variance", explained_variance(&error, &label)),
            ("mean_error", mean(error)),
            ("median_ae", median(&bars).map(|m| m.value)),
            ("msle", mean(log)),
            ("rmsle", log.figure().map(|f| root(f).value)),
        ] {
            same(found, &expected[name], &format!("{window}: {name}"));
        }
        windows += 1;
    });
    assert_eq!(windows, 22);
}
