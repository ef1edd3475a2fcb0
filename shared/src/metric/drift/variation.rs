//! Absolute differences between the shares of cells: their sum and their largest one.
use super::divergence::judged;
use super::read::{DRIFT, cell_summaries, cells, shown};
use super::{ball, family};
use crate::bet::Divergence;
use crate::drift::divergence;
use crate::metric::{IntervalFrom, MetricSpec, Seen};

const VARIATION: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    edge_cases: "No rows: no data. Shares are taken as counted: where nothing has moved the value is \
                 above zero by chance, the more the fewer rows there are. Values that are missing or \
                 invalid are a cell of their own; categories that the baseline does not list are one \
                 cell.",
    cannot_tell: "Whether the change harms anyone, which way values moved, or movements within a \
                  cell: the distance of the raw rows is at least this.",
    reference: "NumPy on the same cells: agrees to 1e-9 relative.",
    ..DRIFT
};

const PLAIN: MetricSpec = MetricSpec {
    edge_cases: "No value that is there: no data. A value equal to a decile belongs to the cell \
                 above it; categories that the baseline does not list are one cell. Where nothing \
                 has moved it is above zero by chance, the more the fewer rows there are.",
    reference: "NumPy on the raw rows: agrees to 1e-9 relative in every window of four public data \
                sets.",
    ..VARIATION
};

const JUDGED: MetricSpec = MetricSpec {
    cannot_tell: "Whether the change harms anyone, which way values moved, or movements within a \
                  cell: the distance of the raw rows is at least this. Rows of one request count as \
                  independent cases unless the objective's `cluster` says how many go together.",
    ..VARIATION
};

ball::judged! { JUDGED, cell_summaries;
    /// Total variation distance.
    TotalVariation {
        name: "total_variation",
        title: "Total variation distance",
        meaning: "The share of cases that would have to be moved to another cell to give the \
                  baseline's shares, over decile cells or categories and a cell for values that are \
                  missing or invalid.",
        formula: "1/2 sum |q - p| with the shares q of the window and p of the baseline as counted. The \
                  ledger reads the counts alone and judges the distance from the baseline's smoothed \
                  law (a + 1/2) / (n0 + B/2). The running mean is of the values as they are, chance \
                  included; its standard error: delta method with the signs of the differences, and \
                  what chance gives.",
    } within |level: f64| level, of Divergence::TotalVariation = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let value = divergence::total_variation(&cells.plain());
        let error = divergence::total_variation_error(&cells);
        judged(&cells, shown(value, cells.totals().0), value, error)
    };
}

family! { VARIATION, cell_summaries;
    /// Total variation distance less what chance gives.
    TotalVariationCorrected {
        name: "total_variation.corrected",
        title: "Total variation distance, chance removed",
        range: (-1.0, 1.0),
        meaning: "The total variation distance less what it is expected to be where nothing has \
                  moved, so that it lies around zero there.",
        formula: "`total_variation` - 1/2 sum sqrt(2 p (1 - p) / (pi ne)), with the shares p of both \
                  samples together and ne = n n0 / (n + n0): the mean absolute value of normal \
                  differences. Not clipped.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let chance = divergence::total_variation_by_chance(&cells);
        shown(divergence::total_variation(&cells.plain()) - chance, cells.totals().0)
    };

    /// Largest difference of a cell's shares.
    LInfinity {
        name: "l_infinity",
        title: "Largest difference of a share",
        meaning: "The largest absolute difference between a cell's share in the window and in the \
                  baseline, over decile cells or categories and a cell for values that are missing \
                  or invalid.",
        formula: "max |q - p| with the shares q of the window and p of the baseline as counted.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        shown(divergence::l_infinity(&cells.plain()), cells.totals().0)
    };
}

family! { PLAIN, cell_summaries;
    /// Total variation distance among values that are there.
    TotalVariationPlain {
        name: "total_variation.plain",
        title: "Total variation distance, conventional",
        meaning: "The total variation distance over decile cells or categories of the values that \
                  are there, missing ones left out.",
        formula: "1/2 sum |q - p| with the shares q of the window and p of the baseline as counted.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::total_variation(&cells.plain()), cells.totals().0)
    };

    /// Largest difference of a cell's shares among values that are there.
    LInfinityPlain {
        name: "l_infinity.plain",
        title: "Largest difference of a share, conventional",
        meaning: "The largest absolute difference between a cell's shares over decile cells or \
                  categories of the values that are there, missing ones left out.",
        formula: "max |q - p| with the shares q of the window and p of the baseline as counted.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::l_infinity(&cells.plain()), cells.totals().0)
    };
}
