//! Objectives as documents: the format, its checks, its canonical form and digest.

pub mod document;

pub use document::{
    Attribute, AttributeSource, Comparator, Decision, DecisionRule, Document, Feature, FeatureType,
    Objective, Subject,
};
