//! What those run who do not run the collector: internal auditors, customers, regulators. The rules are in
//! `clause9_shared::evidence`; here are the programs around them.

pub mod witness;
