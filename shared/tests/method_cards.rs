//! The method cards are printed from the metric table. `UPDATE_EXPECT=1` writes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fmt::Write as _;
use std::path::Path;

use clause9_shared::metric::{
    ALIASES, Grade, IntervalFrom, MetricId, Needs, SampleKind, StreamKind,
};
use clause9_shared::objective::document::Comparator;

/// Where a metric's interval comes from.
fn interval(from: IntervalFrom) -> String {
    match from {
        IntervalFrom::Formula => "as the formula says, if it does".to_owned(),
        IntervalFrom::Resampling => {
            "by `clause9 profile`, which resamples the counts of window and baseline \
            ([how](../profile.md#intervals)); agents and collector show none"
                .to_owned()
        }
        IntervalFrom::Recounting => {
            "by `clause9 profile`, which resamples the counts of the window \
            ([how](../profile.md#intervals)); agents and collector show none"
                .to_owned()
        }
        IntervalFrom::Nothing(why) => format!("none: {why}"),
    }
}

#[expect(clippy::too_many_lines, reason = "one card from top to bottom")]
fn card(metric: MetricId) -> String {
    let spec = metric.spec();
    let mut text = format!("# {} (`{}`)\n\n{}\n\n", spec.title, spec.name, spec.meaning);
    let good = match spec.good {
        Comparator::AtLeast => "high",
        Comparator::AtMost => "low",
    };
    let stream = match spec.stream {
        StreamKind::Traffic => "traffic: known when the pane closes",
        StreamKind::Outcomes => "outcomes: known as labels come",
        StreamKind::ByAttribute => "traffic or outcomes, wherever the attribute comes from",
    };
    let of = match spec.needs {
        Needs::Nothing => "nothing: all cases",
        Needs::Feature => "a `feature`",
        Needs::NumericFeature => "a `feature` of numbers",
        Needs::CategoricalFeature => "a `feature` of categories",
        Needs::AttributeGroup => {
            "an `attribute` and the `group` that is compared with its reference group"
        }
        Needs::Group => "an `attribute` and any `group` of it",
        Needs::Attribute => "an `attribute` as a whole",
        Needs::Class => "a `class` of a decision among several, held against the rest",
        Needs::ClassOfGroup => {
            "a `class` of a decision among several, an `attribute` and any `group` of it"
        }
        Needs::ClassOfAttributeGroup => {
            "a `class` of a decision among several, an `attribute` and one `group` of it that is not the reference group"
        }
    };
    let outputs: Vec<&str> = [
        (spec.needs_score, "a score"),
        (spec.needs_decision, "a decision"),
        (spec.needs_label, "a label"),
    ]
    .into_iter()
    .filter_map(|(needed, what)| needed.then_some(what))
    .collect();
    let outputs = if outputs.is_empty() {
        "none".to_owned()
    } else {
        outputs.join(", ")
    };
    let grade = match spec.grade {
        Grade::A if matches!(spec.sample, SampleKind::Cells | SampleKind::Normal) => {
            "A for a breach: exact at any number of cases; B for conformity, which the running mean shows by a normal approximation"
        }
        Grade::A => "A: exact at any number of cases",
        Grade::B => "B: by a normal approximation; a nonconformity that rests on it says so",
        Grade::C => "C: model-based; can at most warn",
    };
    let ledger = match spec.sample {
        SampleKind::Rate => "the two counts of the share; payoffs are fixed with the objective",
        SampleKind::TwoRates => {
            "the four counts of the two groups; payoffs are set from earlier blocks and recorded with each step"
        }
        SampleKind::Cells => {
            "the counts of the cells; payoffs are fixed with the objective, each with a certificate"
        }
        SampleKind::Unjudged => "nothing: it is shown, never judged",
        SampleKind::Normal => {
            "the estimate and its standard error; blocks of fewer than 50 cases (or the least support) are pooled with those after them, weighted by cases"
        }
    };
    let (low, high) = spec.ends();
    let rows = [
        ("Unit", format!("`{}`", spec.unit)),
        ("Usually good", good.to_owned()),
        ("Levels between", format!("{low} and {high}")),
        ("Of", of.to_owned()),
        ("Outputs it needs", outputs),
        ("Reads", stream.to_owned()),
        ("Evidence", grade.to_owned()),
        ("Its ledger reads", ledger.to_owned()),
        ("95 % interval", interval(spec.interval)),
    ];
    let unequal = spec.groups.are_added_up().then(|| {
        let never =
            "never of an attribute with `sampled_at_least`: it adds cases of several groups up";
        ("Groups sampled more often", never.to_owned())
    });
    text.push_str("| | |\n|---|---|\n");
    for (what, value) in rows.into_iter().chain(unequal) {
        writeln!(text, "| {what} | {value} |").unwrap();
    }
    for (heading, body) in [
        ("How it is computed", spec.formula),
        ("Edge cases", spec.edge_cases),
        ("What it cannot tell", spec.cannot_tell),
        ("Checked against", spec.reference),
    ] {
        write!(text, "\n## {heading}\n\n{body}\n").unwrap();
    }
    let elsewhere: Vec<String> = ALIASES
        .iter()
        .filter(|alias| alias.metric == metric)
        .map(|alias| format!("- {}: `{}`, {}\n", alias.tool, alias.name, alias.here))
        .collect();
    if !elsewhere.is_empty() {
        write!(text, "\n## Names elsewhere\n\n{}", elsewhere.concat()).unwrap();
    }
    text
}

/// The names of other tools, each with the metric that is meant.
fn aliases() -> String {
    let mut text = "# Names elsewhere\n\nWhat other tools call a metric, where name or sign differs. Printed from the metric table \
        by `UPDATE_EXPECT=1 cargo test -p clause9-shared --test method_cards`.\n\nA disparity here is the compared group's figure \
        minus (or over) the reference group's. What Clarify calls the disadvantaged facet is the compared group, the advantaged one \
        the reference group; where there are several groups, the pooled metrics take all others together.\n\n\
        | Tool | Name there | Metric here | Its value there |\n|---|---|---|---|\n"
        .to_owned();
    for alias in ALIASES {
        let name = alias.metric.spec().name;
        writeln!(
            text,
            "| {} | `{}` | [`{name}`]({name}.md) | {} |",
            alias.tool, alias.name, alias.here
        )
        .unwrap();
    }
    text.push_str(
        "\nClarify's flip test (FT) trains a nearest-neighbour model on raw rows of one group and asks it about those of the other: \
        no summary holds rows, so there is no such metric here. Its conditional demographic disparity (CDDPL) needs the strata as \
        groups of an intersection.\n",
    );
    text
}

fn index() -> String {
    let mut text = "# Method cards\n\nWhat each metric is, how it is computed and what it cannot tell. Printed from the metric table \
        (`shared/src/metric/`) by `UPDATE_EXPECT=1 cargo test -p clause9-shared --test method_cards`; edit there.\n\n\
        | Metric | Name in objectives | Evidence |\n|---|---|---|\n"
        .to_owned();
    for metric in MetricId::ALL {
        let spec = metric.spec();
        writeln!(
            text,
            "| [{}]({}.md) | `{}` | {:?} |",
            spec.title, spec.name, spec.name, spec.grade
        )
        .unwrap();
    }
    text.push_str(
        "\n## What evidence rests on\n\nA ledger takes the cases of a pane as independent, given what the system is like in that \
        pane. Rows of one request count as independent cases unless the objective's `cluster` says how many go together. Where more \
        of them hang together than it says, as rows about one person, evidence is too sure and no documented error chance holds: \
        raise `cluster`, or send such rows as one case. \
        A verdict of conforming is about the mean of the cycle so far, at the documented confidence; evidence of a breach is about now. \
        Windows of fewer cases than the objective's least support are shown and counted, but are no measurement.\n",
    );
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that keeps files in step")]
fn the_method_cards_say_what_the_metric_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics");
    let mut cards: Vec<(String, String)> = MetricId::ALL
        .iter()
        .map(|metric| (format!("{}.md", metric.spec().name), card(*metric)))
        .collect();
    cards.push(("README.md".to_owned(), index()));
    cards.push(("aliases.md".to_owned(), aliases()));
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    for (name, text) in &cards {
        let path = folder.join(name);
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == *text,
            "docs/metrics/{name} is stale; run UPDATE_EXPECT=1 cargo test -p clause9-shared --test method_cards"
        );
    }
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(
        files,
        cards.len(),
        "docs/metrics has files that no metric prints"
    );
}

/// Names that are written small wherever they stand.
const SMALL: [&str; 2] = ["fairlearn", "trec_eval"];

/// Where a sentence after another one begins with a small letter.
fn small_beginnings(text: &str) -> Vec<&str> {
    let ends = text.match_indices(['.', '?', '!']);
    let after = ends.filter_map(|(at, _)| text[at + 1..].strip_prefix(' '));
    let small = after.filter(|rest| rest.starts_with(char::is_lowercase));
    let unnamed = small.filter(|rest| !SMALL.iter().any(|name| rest.starts_with(name)));
    unnamed.map(|rest| rest.lines().next().unwrap()).collect()
}

#[test]
fn a_sentence_that_begins_small_is_found() {
    assert_eq!(
        small_beginnings("No row: no data. neither one"),
        ["neither one"]
    );
    assert!(
        small_beginnings("No row: no data; neither one. Then 0.5 of it. fairlearn's").is_empty()
    );
}

#[test]
fn no_sentence_of_a_card_begins_with_a_small_letter() {
    for metric in MetricId::ALL {
        let found = small_beginnings(&card(*metric)).join("; ");
        assert!(found.is_empty(), "{}: {found}", metric.spec().name);
    }
    let pages = [index(), aliases()].concat();
    assert_eq!(small_beginnings(&pages), [""; 0]);
}

#[test]
fn every_card_says_something_under_each_heading() {
    for metric in MetricId::ALL {
        let spec = metric.spec();
        for text in [spec.meaning, spec.edge_cases, spec.cannot_tell] {
            assert!(text.len() > 60, "{}: {text}", spec.name);
        }
        assert!(spec.formula.len() > 20, "{}", spec.name);
        assert!(spec.reference.len() > 20, "{}", spec.name);
        assert!(spec.range.0 < spec.range.1);
    }
}

#[test]
fn every_exact_metric_says_that_it_takes_cases_as_independent() {
    for metric in MetricId::ALL {
        let spec = metric.spec();
        match spec.grade {
            Grade::A => assert!(
                spec.cannot_tell.contains("count as independent cases"),
                "{}",
                spec.name
            ),
            Grade::B | Grade::C => {}
        }
    }
}
