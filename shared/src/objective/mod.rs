//! Objectives as documents: the format, its checks, its canonical form and digest.

pub mod check;
pub mod costs;
pub mod document;
mod identity;
mod intersection;
pub mod phrases;
mod reports;
pub mod schema;
pub mod service;
mod texts;
mod unlabelled;

pub use check::load;
pub use document::{
    Attribute, AttributeSource, Comparator, Decision, DecisionRule, Document, Feature, FeatureType,
    Label, LabelType, Objective, Scalar, Subject,
};
pub use reports::Reports;
pub use unlabelled::Unlabelled;
