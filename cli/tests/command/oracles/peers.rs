//! Values of `NannyML` and Evidently themselves, and expected performance by its plain definition.
//! Where their definition is another one, `DEFINITIONS.md` names it; then the distance is bounded here.

use serde_json::Value;

use super::cases::{self, Case};
use super::compare::{Found, Report, Subject};
use super::names::{EXPECTED, Kind, NANNYML, NANNYML_CATEGORIES, Wanted};
use super::{Table, json};

const BINS: &str = "NannyML's KS and Wasserstein of references of 10,000 rows and more, which it estimates on 10,000 equal bins \
                    (KS off by up to 0.004 on tied columns, Wasserstein by up to 4 %)";
const DOANE: &str =
    "NannyML's Jensen-Shannon and Hellinger distances of numbers, over its own bins (Doane's rule)";
const POOLS: &str = "expected performance by scores calibrated on every row, linear between the knots; here by score cell, half a case added \
                     to each side of a pool";
const UNSTABLE: &str =
    "NannyML's expected ROC AUC, which breaks ties of scores by an unstable sort";
const BOOSTED: &str = "NannyML's estimate of errors (DLE), by a gradient-boosted model of them; no model is trained here";
const ALONE: &str = "NannyML's counts of wrong and right decisions other than true positives: shares of them are compared";
const OWN_BINS: &str = "Evidently's PSI, Jensen-Shannon, Hellinger and Kullback-Leibler of numbers, over its own bins, and its PSI and \
                        Kullback-Leibler of categories, with its own filling of empty ones";
const FINITE: &str = "Evidently's p of the Kolmogorov-Smirnov test: SciPy's law of one sample of finite size; here Kolmogorov's limit";

/// One figure; where it may differ because of `why`, by no more than `most`.
struct Figure<'a> {
    window: &'a str,
    subject: &'a Subject,
    metric: &'static str,
    kind: Kind,
    oracle: &'a Value,
    apart: Option<(f64, &'static str)>,
}

impl Figure<'_> {
    fn note(&self, table: &mut Table, case: &str, report: &Report) {
        let wanted = Wanted::new("", self.metric, self.kind);
        let mut found = report.compare(self.window, self.subject, &wanted, self.oracle);
        let value = report.value(self.window, self.subject, self.metric);
        if let (Found::Differs(_), Some((most, why)), Some(value), Some(oracle)) =
            (&found, self.apart, value, self.oracle.as_f64())
            && (value - oracle).abs() <= most
        {
            found = Found::Apart(why);
        }
        let at = format!("{} {:?}", self.window, self.subject);
        table.note(case, self.metric, &at, found);
    }
}

fn apart(table: &mut Table, why: &str, figures: u64) {
    *table.apart.entry(why.to_owned()).or_default() += figures;
}

/// The windows of the analysis file with their places in a list over reference and analysis.
fn windows(section: &Value, size: u64) -> Vec<(usize, String)> {
    let chunks = section["chunks"].as_array().unwrap().iter().enumerate();
    let analysis = chunks.filter(|(_, chunk)| chunk[0] == "analysis");
    let named = analysis.map(|(place, chunk)| {
        let (first, last) = (chunk[1].as_u64().unwrap(), chunk[2].as_u64().unwrap());
        let partial = if last + 1 - first < size {
            ":partial"
        } else {
            ""
        };
        (place, format!("size:{}{partial}", first / size))
    });
    named.collect()
}

pub(super) fn nannyml(table: &mut Table, case: &Case, report: &Report) {
    let Some(file) = json(&case.folder.join("nannyml.json")) else {
        return;
    };
    let size = case.chunk_size();
    for (name, of) in file["univariate_drift"]["metrics"].as_object().unwrap() {
        let (column, method) = name.rsplit_once('/').unwrap();
        for (place, window) in windows(&file["univariate_drift"], size) {
            univariate(
                table,
                case,
                report,
                (column, method),
                (&window, &of["value"][place]),
            );
        }
    }
    for (section, metric) in [
        ("missing_values", "missing_rate"),
        ("unseen_values", "unseen"),
    ] {
        // A case without categories has none that are unseen.
        let Some(metrics) = file[section]["metrics"].as_object() else {
            assert_eq!(section, "unseen_values", "{} lacks a section", case.name);
            continue;
        };
        for (column, of) in metrics {
            let subject = Subject::feature(&cases::short(column));
            for (place, window) in windows(&file[section], size) {
                let oracle = &of["value"][place];
                let figure = Figure {
                    window: &window,
                    subject: &subject,
                    metric,
                    kind: Kind::Value,
                    oracle,
                    apart: None,
                };
                figure.note(table, case.name, report);
            }
        }
    }
    realised(table, case, report, &file["realised_performance"]);
    if file.get("cbpe").is_some() {
        estimated(table, case, report, &file["cbpe"]);
    }
    if let Some(metrics) = file["dle"]["metrics"].as_object() {
        let figures = metrics.len() * windows(&file["dle"], size).len();
        apart(table, BOOSTED, figures as u64);
    }
}

fn univariate(
    table: &mut Table,
    case: &Case,
    report: &Report,
    (column, method): (&str, &str),
    (window, oracle): (&str, &Value),
) {
    let subject = Subject::feature(&cases::short(column));
    let is_number = report.value(window, &subject, "mean").is_some();
    let binned = |most| (case.reference_rows() >= 10_000).then_some((most, BINS));
    let scale = oracle.as_f64().unwrap_or(0.0);
    let named = NANNYML_CATEGORIES
        .iter()
        .find(|(theirs, _)| *theirs == method);
    let (metric, apart_by) = match (method, named) {
        ("kolmogorov_smirnov", _) => ("ks", binned(0.004)),
        // A bin is a ten-thousandth of the range, which is some deviations wide.
        ("wasserstein", _) => (
            "wasserstein",
            binned(0.04 * scale + 1e-4 * case.widest(column)),
        ),
        ("chi2", _) => {
            let yates = report.value(window, &subject, "chi2.yates").is_some();
            (if yates { "chi2.yates" } else { "chi2" }, None)
        }
        (_, Some(_)) if is_number => return apart(table, DOANE, 1),
        (_, Some((_, ours))) => (*ours, None),
        (other, None) => panic!("{other} is not known"),
    };
    let figure = Figure {
        window,
        subject: &subject,
        metric,
        kind: Kind::Value,
        oracle,
        apart: apart_by,
    };
    figure.note(table, case.name, report);
}

fn realised(table: &mut Table, case: &Case, report: &Report, section: &Value) {
    let everyone = Subject::default();
    let Some(metrics) = section["metrics"].as_object() else {
        return;
    };
    for (name, of) in metrics {
        let ours = NANNYML.iter().find(|(theirs, ..)| theirs == name);
        for (place, window) in windows(section, case.chunk_size()) {
            let oracle = &of["value"][place];
            match ours {
                Some((_, metric, kind)) => {
                    let figure = Figure {
                        window: &window,
                        subject: &everyone,
                        metric,
                        kind: *kind,
                        oracle,
                        apart: None,
                    };
                    figure.note(table, case.name, report);
                }
                None => apart(table, ALONE, 1),
            }
        }
    }
}

fn estimated(table: &mut Table, case: &Case, report: &Report, section: &Value) {
    let calibrated = section["needs_calibration"] == true;
    let everyone = Subject::default();
    for (name, of) in section["metrics"].as_object().unwrap() {
        let plain = if name == "roc_auc" {
            "roc_auc_tie_aware"
        } else {
            name
        };
        let ours = EXPECTED.iter().find(|(theirs, ..)| *theirs == plain);
        for (place, window) in windows(section, case.chunk_size()) {
            let Some((_, mapped, raw)) = ours else {
                apart(table, ALONE, 1);
                continue;
            };
            let (metric, apart_by) = if calibrated {
                (*mapped, Some((case.pools(), POOLS)))
            } else if name == "roc_auc" {
                (*raw, Some((3e-5, UNSTABLE)))
            } else {
                (*raw, None)
            };
            let oracle = &of["value"][place];
            let figure = Figure {
                window: &window,
                subject: &everyone,
                metric,
                kind: Kind::Value,
                oracle,
                apart: apart_by,
            };
            figure.note(table, case.name, report);
        }
    }
}

/// Expected performance by its plain definition, from the scores as they are and calibrated.
pub(super) fn expected(table: &mut Table, case: &Case, report: &Report) {
    let Some(file) = json(&case.folder.join("estimate.json")) else {
        return;
    };
    let everyone = Subject::default();
    for (mode, is_raw) in [("raw", true), ("isotonic", false)] {
        for (window, values) in file[mode]["analysis"].as_object().unwrap() {
            for (name, mapped, raw) in EXPECTED {
                let (metric, apart) = if is_raw {
                    (raw, None)
                } else {
                    (mapped, Some((case.pools(), POOLS)))
                };
                let oracle = &values[name];
                let figure = Figure {
                    window,
                    subject: &everyone,
                    metric,
                    kind: Kind::Value,
                    oracle,
                    apart,
                };
                figure.note(table, case.name, report);
            }
        }
    }
}

pub(super) fn evidently(table: &mut Table, case: &Case, report: &Report) {
    let Some(file) = json(&case.folder.join("evidently.json")) else {
        return;
    };
    let chunks = file["chunks"].as_array().unwrap();
    for (column, metrics) in file["columns"].as_object().unwrap() {
        let subject = Subject::feature(&cases::short(column));
        let metrics = metrics.as_object().unwrap();
        let is_number = metrics.contains_key("ks");
        for (name, values) in metrics {
            let (metric, kind) = match (name.as_str(), is_number) {
                ("wasserstein", _) => ("wasserstein_over_ref_std", Kind::Value),
                ("chisquare", _) => ("chi2.fit.p", Kind::P),
                ("jensenshannon", false) => ("js_distance.nats", Kind::Value),
                ("hellinger", false) => ("hellinger.plain", Kind::Value),
                ("ks", _) => {
                    apart(table, FINITE, chunks.len() as u64);
                    continue;
                }
                (_, _) => {
                    apart(table, OWN_BINS, chunks.len() as u64);
                    continue;
                }
            };
            for (window, oracle) in chunks.iter().zip(values.as_array().unwrap()) {
                let window = window.as_str().unwrap();
                let figure = Figure {
                    window,
                    subject: &subject,
                    metric,
                    kind,
                    oracle,
                    apart: None,
                };
                figure.note(table, case.name, report);
            }
        }
    }
}
