//! Groups that are sampled at different rates: which figures do not feel it, and which are never asked for.

use clause9_shared::ids::Name;
use clause9_shared::metric::{Beside, MetricId, Needs, Seen};
use clause9_shared::objective::document::Subject;
use clause9_shared::sketch::PaneSummary;

use crate::case::{Row, baseline, document, pane, windows};

const GROUP: &str = "female & 25_or_younger";

/// The data set, cases of one group so many times, some of an unknown one.
fn counted(times: usize) -> PaneSummary {
    let (_, rows) = windows().swap_remove(4);
    let mut all = Vec::new();
    for (i, mut row) in rows.into_iter().enumerate() {
        if i.is_multiple_of(10) {
            row.groups[2] = None;
        }
        let more = row.groups[2].as_deref() == Some(GROUP);
        let times = if more { times } else { 1 };
        all.extend(std::iter::repeat_n(row, times));
    }
    let rows: Vec<Row> = all;
    pane(&rows)
}

fn value(pane: &PaneSummary, metric: MetricId, group: Option<&str>) -> Option<f64> {
    let of = Subject {
        attribute: Some(Name::new("sex_age_band").unwrap()),
        group: group.map(str::to_owned),
        ..Subject::default()
    };
    let (document, baseline) = (document(), baseline());
    let seen = Seen {
        document: &document,
        baseline: &baseline,
        of: &of,
        summary: pane,
        beside: Beside::default(),
    };
    metric.measure(seen).ok().map(|found| found.value)
}

#[test]
fn only_figures_that_say_so_add_cases_of_several_groups_up() {
    let (once, twice) = (counted(1), counted(2));
    let (mut apart, mut added) = (0, Vec::new());
    for metric in MetricId::ALL {
        let spec = metric.spec();
        let group = match spec.needs {
            Needs::Attribute => None,
            Needs::AttributeGroup | Needs::Group => Some(GROUP),
            Needs::Nothing
            | Needs::Feature
            | Needs::NumericFeature
            | Needs::CategoricalFeature
            | Needs::Class
            | Needs::ClassOfGroup
            | Needs::ClassOfAttributeGroup => continue,
        };
        let Some((a, b)) = value(&once, *metric, group).zip(value(&twice, *metric, group)) else {
            continue;
        };
        // What is taken off for chance is less in more cases, and for no other reason.
        if spec.name.contains("debiased") {
            continue;
        }
        let same = (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        assert_eq!(
            same,
            !spec.groups.are_added_up(),
            "{}: {a} and {b}",
            spec.name
        );
        if same {
            apart += 1;
        } else {
            added.push(spec.name);
        }
    }
    assert!(apart > 75, "{apart}");
    assert!(added.len() > 20, "{added:?}");
}
