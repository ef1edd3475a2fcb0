//! Agreement of decision and label beyond chance, judged by pairs of cases. The values are those of
//! the metrics without `.pairs`, whose evidence is approximate and quicker.

use super::multiclass;
use super::{DECIDED, by_cells, decided, decided_key, normal, of_labelled};
use crate::bet::{Agreement, AgreementBets, Bets, NoBet};
use crate::metric::{
    Against, Answers, Grade, Measurement, Metric, MetricSpec, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Document, Subject};
use crate::performance::Figure;
use crate::performance::multiclass::Table;
use crate::sketch::SummaryKey;

/// The spec of agreements judged by pairs.
const BY_PAIRS: MetricSpec = MetricSpec {
    range: (-1.0, 1.0),
    grade: Grade::A,
    sample: SampleKind::Cells,
    ..DECIDED
};

const CLASSES: MetricSpec = MetricSpec {
    answers: Answers::Classes,
    ..BY_PAIRS
};

/// The table of a binary decision, the positive class first.
fn two(seen: &Seen<'_>) -> Result<Table, Unmeasurable> {
    Ok(decided(seen)?.table())
}

/// Cases of the rarest class that has labels; of two classes of the rarer one, labelled or not.
fn least(table: &Table) -> u64 {
    let labelled = (0..table.classes()).map(|class| table.labelled(class));
    let counts = labelled.filter(|cases| *cases > 0 || table.classes() == 2);
    counts.min().unwrap_or(0)
}

fn measured(
    table: &Table,
    figure: Option<Figure>,
    range: (f64, f64),
    none: &'static str,
) -> Measurement {
    let found = figure.ok_or(Unmeasurable::Undefined(none))?;
    let found = normal(found, range, table.cases(), least(table));
    Ok(by_cells(found, table.counts().to_vec()))
}

macro_rules! by_pairs {
    ($($type:ident {
        $name:literal, $title:literal, as: $as:literal, $base:expr, $measure:ident, table: $table:expr,
        key: $key:expr, figure: $figure:ident, none: $none:literal, $reference:literal,
        $meaning:literal, pairs: $pairs:literal, cannot: $cannot:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: concat!(
                    $meaning, " The same figure as `", $as, "`, with evidence that holds at any number \
                     of cases."
                ),
                formula: concat!(
                    "Value and interval as `", $as, "`. The ledger counts pairs of cases: ", $pairs,
                    " A bet pays ln(1 + x h) for a pair, in the mean over all ways to match the cases \
                     of a block in pairs; by Jensen's inequality that is no more than what bets on one \
                     matching pay on average."
                ),
                edge_cases: concat!(
                    "No labelled rows: no data; ", $none, ": undefined, and such a block is no \
                     evidence. The cases of one block must be drawn alike, and none may depend on \
                     another: `cluster` above 1 is refused. A breach takes a third to two thirds longer to \
                     confirm than by `", $as, "`, whose evidence is approximate; at levels of 0.3 and \
                     less about twice as long."
                ),
                cannot_tell: of_labelled!($cannot),
                reference: concat!("scikit-learn 1.9, `", $reference, "`: to 1e-9 relative."),
                ..$base
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![$key]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let table: Table = $table(&seen)?;
                measured(&table, table.$figure(), Self::SPEC.range, $none)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                AgreementBets::new(Agreement::$measure, against.level, against.comparator)
                    .map(Bets::Agreement)
            }
        }
    )*};
}

by_pairs! {
    KappaPairs {
        "cohen_kappa.pairs", "Cohen's kappa, judged by pairs", as: "cohen_kappa", BY_PAIRS, Kappa,
        table: two, key: decided_key(), figure: kappa,
        none: "all labels and all decisions are one class", "cohen_kappa_score",
        "How far decision and label agree beyond what their frequencies alone would give.",
        pairs: "h is the share of wrong decisions in the pair less (1 - level) times the share of its two \
                labels that are not the other case's decision.",
        cannot: "Which of the two errors is made. Values of populations with other frequencies of labels \
                 cannot be compared.",
    }
    MatthewsPairs {
        "mcc.pairs", "Matthews' correlation, judged by pairs", as: "mcc", BY_PAIRS, Correlation,
        table: two, key: decided_key(), figure: matthews,
        none: "all labels or all decisions are the same", "matthews_corrcoef",
        "The correlation of decision and label.",
        pairs: "h is level (r a + b / r) / 2 less the pair's covariance, with a and b whether its labels and \
                its decisions differ and r the ratio of their deviations; that is not known, so a bet pays the \
                least over a grid of it.",
        cannot: "Which of the two errors is made, or what it costs.",
    }
    MulticlassKappaPairs {
        "multiclass_kappa.pairs", "Cohen's kappa among several classes, judged by pairs",
        as: "multiclass_kappa", CLASSES, Kappa, table: multiclass::table, key: multiclass::key(),
        figure: kappa, none: "all labels and all decisions are one class", "cohen_kappa_score",
        "How far decided class and label agree beyond what their frequencies alone would give.",
        pairs: "h as for `cohen_kappa.pairs`.",
        cannot: "Which classes are confused.",
    }
    MulticlassMatthewsPairs {
        "multiclass_mcc.pairs", "Matthews' correlation among several classes, judged by pairs",
        as: "multiclass_mcc", CLASSES, Correlation, table: multiclass::table, key: multiclass::key(),
        figure: matthews, none: "all labels or all decisions are one class", "matthews_corrcoef",
        "The correlation of decided class and label.",
        pairs: "h as for `mcc.pairs`.",
        cannot: "Which classes are confused.",
    }
}
