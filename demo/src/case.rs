//! The cases that are replayed: where their data lies, what their model is made of, what is known
//! of their time. The data is embedded, so that the program works from anywhere.

use clause9_shared::time::Span;

use crate::model::{Recipe, Settings};

/// A case by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CaseName {
    /// Synthetic car loans of ten months; the population changes half-way.
    CarLoan,
    /// The Statlog credit data with sex and age; 500 applications on synthetic dates.
    GermanCredit,
}

/// Everything fixed of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Name of the AI system, of its files and of its folder.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) title: &'static str,
    /// The objectives file as people wrote it.
    pub(crate) objectives: &'static str,
    /// The past: the first half fits the model, the second is the baseline. Gzipped CSV.
    pub(crate) reference: &'static [u8],
    /// What is replayed. Gzipped CSV.
    pub(crate) production: &'static [u8],
    /// Numeric inputs of the model.
    pub(crate) numeric: &'static [&'static str],
    /// Categorical inputs of the model, and texts that requests carry.
    pub(crate) texts: &'static [&'static str],
    /// The label's column.
    pub(crate) label: &'static str,
    /// How the model is made.
    pub(crate) recipe: Recipe,
    /// What is known of its time.
    pub(crate) time: TimeSource,
}

/// Where a case's times come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimeSource {
    /// The data says when a row came and when its label was known.
    Recorded {
        /// Labels with the time they were known. Gzipped CSV.
        labels: &'static [u8],
        /// The production row from which the population is another one, as its makers say.
        drift_row: usize,
    },
    /// The data has no times: rows are laid out evenly.
    Synthetic {
        /// Time of the first row, in microseconds since the Unix epoch.
        start: i64,
        /// Time of all rows together.
        length: Span,
        /// How long after its row a label is known.
        label_delay: Span,
        /// A protected attribute that comes as an outcome, and how long after its row.
        attribute: (&'static str, Span),
    },
}

impl CaseName {
    /// The case.
    pub(crate) const fn case(self) -> &'static Case {
        match self {
            Self::CarLoan => &CAR_LOAN,
            Self::GermanCredit => &GERMAN_CREDIT,
        }
    }
}

static CAR_LOAN: Case = Case {
    name: "car-loan",
    title: "car loans: will the applicant repay?",
    objectives: include_str!("../cases/car_loan/objectives.yaml"),
    reference: include_bytes!("../cases/car_loan/reference.csv.gz"),
    production: include_bytes!("../cases/car_loan/analysis.csv.gz"),
    numeric: &[
        "car_value",
        "debt_to_income_ratio",
        "loan_length",
        "driver_tenure",
    ],
    texts: &[
        "salary_range",
        "repaid_loan_on_prev_car",
        "size_of_downpayment",
    ],
    label: "repaid",
    recipe: Recipe {
        name: "car-loan",
        threshold: 0.5,
        carried: &[],
        settings: Settings {
            trees: 100,
            depth: 4,
            rate: 0.2,
            leaf_rows: 20,
        },
    },
    time: TimeSource::Recorded {
        labels: include_bytes!("../cases/car_loan/labels.csv.gz"),
        drift_row: 25_000,
    },
};

/// 2024-01-03T00:00:00Z, a multiple of five days since the epoch, so that panes of five days hold
/// equally many rows.
const GERMAN_CREDIT_START: i64 = 1_704_240_000_000_000;

static GERMAN_CREDIT: Case = Case {
    name: "german-credit",
    title: "consumer credit with sex and age: is the applicant a good risk?",
    objectives: include_str!("../cases/german_credit/objectives.yaml"),
    reference: include_bytes!("../cases/german_credit/reference.csv.gz"),
    production: include_bytes!("../cases/german_credit/analysis.csv.gz"),
    // Age and sex are left out of the model on purpose; they are what it is checked against.
    numeric: &[
        "duration_in_month",
        "credit_amount",
        "installment_rate_in_percentage_of_disposable_income",
        "present_residence_since",
        "number_of_existing_credits_at_this_bank",
        "number_of_people_being_liable_to_provide_maintenance_for",
    ],
    texts: &[
        "status_of_existing_checking_account",
        "credit_history",
        "purpose",
        "savings_account_bonds",
        "present_employment_since",
        "other_debtors_guarantors",
        "property",
        "other_installment_plans",
        "housing",
        "job",
        "telephone",
        "foreign_worker",
        "age_band",
    ],
    label: "credit_risk",
    recipe: Recipe {
        name: "german-credit",
        threshold: 0.6,
        carried: &["age_band"],
        settings: Settings {
            trees: 60,
            depth: 2,
            rate: 0.1,
            leaf_rows: 10,
        },
    },
    time: TimeSource::Synthetic {
        start: GERMAN_CREDIT_START,
        length: Span::from_days(20),
        label_delay: Span::from_days(7),
        attribute: ("sex", Span::from_days(2)),
    },
};
