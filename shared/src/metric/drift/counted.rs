//! Values that are not what they should be, by plain counting: missing, new, out of range, of the
//! wrong type.
use super::family;
use super::read::{DRIFT, categories, category_summary, hygiene, hygiene_summary, law, shown};
use crate::baseline::Law;
use crate::interval;
use crate::metric::{
    Estimate, Grade, Measurement, MetricSpec, Needs, SampleKind, Seen, Unmeasurable, share,
};
use crate::objective::document::Comparator;
use crate::sketch::Defect;

const COUNTED: MetricSpec = MetricSpec {
    reference: "Counts are exact: pandas' counts of the same rows agree to the last bit. The interval \
                agrees with statsmodels' proportion_confint (wilson) to 1e-9.",
    grade: Grade::A,
    sample: SampleKind::Rate,
    ..DRIFT
};

family! { COUNTED, hygiene_summary;
    /// The share of rows in which a feature has no usable value.
    MissingRate {
        name: "missing_rate",
        title: "Missing rate",
        meaning: "The share of rows in which the feature's value is absent, null, or one of the \
                  values that the objectives file declares to mean \"not known\".",
        formula: "missing / rows, both counted over every observed row of the window. Interval: \
                  Wilson's score interval at 95 %.",
        edge_cases: "No rows: no data. Values of the wrong type, infinite values and values out \
                     of the declared range are counted on their own and are not missing. NaN is \
                     missing unless the feature's policy says otherwise.",
        cannot_tell: "Why values are missing, or whether those that are present are right: a \
                      sensor stuck at a default value has a missing rate of zero. A declared \
                      placeholder that was forgotten in the objectives file counts as present. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
    } = |seen: &Seen<'_>| {
        let hygiene = hygiene(seen)?;
        share(hygiene.missing_total(), hygiene.rows())
    };

    /// The share of usable values that lie within the documented range.
    RangeConformity {
        name: "range_conformity",
        title: "Range conformity",
        good: Comparator::AtLeast,
        needs: Needs::NumericFeature,
        meaning: "The share of the feature's usable values that lie within the range that the \
                  objectives file documents for it.",
        formula: "(usable - out of range) / usable, counted over rows with a finite number. \
                  Interval: Wilson's score interval at 95 %.",
        edge_cases: "No usable value: no data. The ends of the range belong to it. A feature \
                     without a documented range conforms throughout. Missing values, infinite \
                     ones and values of the wrong type are not usable and have metrics of their own.",
        cannot_tell: "Whether values within the range are plausible together or right. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
    } = |seen: &Seen<'_>| {
        let hygiene = hygiene(seen)?;
        let usable = hygiene.usable();
        share(usable - hygiene.count(Defect::OutOfRange).min(usable), usable)
    };

    /// The share of values that are there and can be read as what the feature is.
    TypeConformity {
        name: "type_conformity",
        title: "Type conformity",
        good: Comparator::AtLeast,
        meaning: "The share of the feature's values that are there and can be used: finite numbers \
                  where a number belongs, names where a category belongs.",
        formula: "usable / (rows - missing). Interval: Wilson's score interval at 95 %.",
        edge_cases: "No value at all: no data. Missing values are left out. Not a number (unless \
                     the feature's policy takes it for missing), infinities and texts in the place \
                     of numbers do not conform.",
        cannot_tell: "Whether a value of the right type is right: digits in the wrong unit conform. \
                      Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
    } = |seen: &Seen<'_>| {
        let hygiene = hygiene(seen)?;
        share(hygiene.usable(), hygiene.rows() - hygiene.missing_total())
    };
}

const CATEGORIES: MetricSpec = MetricSpec {
    needs: Needs::CategoricalFeature,
    ..COUNTED
};

family! { CATEGORIES, category_summary;
    /// The share of values whose category the baseline does not list.
    Unseen {
        name: "unseen",
        title: "New categories",
        meaning: "The share of the feature's values whose category never came up in the reference.",
        formula: "new / (rows - missing). Interval: Wilson's score interval at 95 %.",
        edge_cases: "No value that is there: no data. The baseline lists up to 64 categories and \
                     remembers others of the reference, up to 4,096, by a 64-bit hash; of these none counts \
                     as new. Where the reference had more, or the baseline was built before hashes were \
                     kept and does not list all, what is not listed may be new or not: undefined. Numbers \
                     that are not finite are no category and count as new.",
        cannot_tell: "Which new categories there are: their names do not leave the agent. A known \
                      name with a new meaning is not new. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
    } = unseen;

    /// The share of the baseline in categories that the window lacks.
    Vanished {
        name: "vanished",
        title: "Vanished categories",
        grade: Grade::B,
        sample: SampleKind::Unjudged,
        meaning: "The share that categories had in the baseline which no row of the window has. \
                  Zero where every listed category came up.",
        formula: "Sum of a / n0 over listed categories with c = 0, with the baseline's counts a \
                  among its n0 values that are not missing. Interval: Wilson's at 95 % for the share \
                  that these categories had in the reference's law; whether they are gone is not in it.",
        edge_cases: "No value that is there: no data. Categories that the baseline does not list \
                     are never said to have vanished. In a window of few rows rare categories are \
                     absent by chance: of n rows, a category of share p with chance (1 - p)^n.",
        cannot_tell: "Whether a category is gone for good, or why: a rare one is often absent by chance, \
                      and whether it was is not tested here.",
        reference: "Counts are exact: the same sum by pandas agrees to rounding.",
    } = vanished;
}

fn unseen(seen: &Seen<'_>) -> Measurement {
    let found = categories(seen)?;
    let Law::Categorical { other, .. } = law(seen)? else {
        return Err(Unmeasurable::Undefined("the feature has no categories"));
    };
    let present = found.total() - found.missing();
    let new = match found.new_ones() {
        Some(new) => new,
        // Whatever the reference had is listed.
        None if *other == 0 => found.unlisted(),
        None if present == 0 => return Err(Unmeasurable::NoData),
        None => return Err(Unmeasurable::Undefined(NOT_KNOWN)),
    };
    share(new, present)
}

const NOT_KNOWN: &str = "the reference had categories that its baseline neither lists nor knows by hash, \
                         so that an unlisted one may be new or not; build the baseline again, from at \
                         most 4,160 different categories";

fn vanished(seen: &Seen<'_>) -> Measurement {
    let found = categories(seen)?;
    let present = found.total() - found.missing();
    if present == 0 {
        return Err(Unmeasurable::NoData);
    }
    let Law::Categorical { counts, other, .. } = law(seen)? else {
        return Err(Unmeasurable::Undefined("the feature has no categories"));
    };
    let all = counts.iter().sum::<u64>() + other;
    if all == 0 {
        return Err(Unmeasurable::Undefined(
            "the baseline has no rows of the feature",
        ));
    }
    let both = counts.iter().zip(found.counts());
    let gone: u64 = both.filter(|(_, c)| **c == 0).map(|(a, _)| a).sum();
    // Which categories the window lacks does not depend on how often the reference had them.
    Ok(Estimate {
        interval: interval::wilson(gone, all),
        ..shown(gone as f64 / all as f64, present)?
    })
}
