//! The core of clause9: the chain from an inference to evidence, as types. Pure: no I/O, no clock,
//! no randomness, no runtime.
//!
//! # The chain
//! `Exchange` (agent) → [`Inference`](inference::Inference) → observation
//! ([`CapturePlan::observe`](plan::CapturePlan::observe)) → [`Sketch`](sketch::Sketch) →
//! [`ClosedWindow`](wire::batch::ClosedWindow) → measurement ([`Estimate`](metric::Estimate)) →
//! [`Verdict`](verdict::Verdict) → [`Evidence`](evidence::Evidence) → nonconformity.
//!
//! # Glossary
//! - **AI system**: what is monitored; one objectives file each.
//! - **Objective**: what a system is held to, versioned (ISO/IEC 42001, 6.2).
//! - **Metric**: an AI quality indicator. Our own counters are *telemetry*.
//! - **Pane**: a fixed, UTC-aligned stretch of time; an objective's *window* is a whole number of panes.
//! - **Block**: what a pane's stream adds at one seal: the traffic block, then outcome blocks.
//! - **Coverage**: what happened to every exchange seen; stands beside every measurement.
//! - **Baseline**: the frozen reference that live traffic is compared with.
//! - **Capture plan**: which summaries agents keep.
//! - **Ledger**: accumulated evidence that an objective is breached; a *bet* is one row of it.
//! - **Verdict**: the machine's state; an **evaluation** is a person's conclusion on verdicts.
//! - **Nonconformity**: a requirement not fulfilled; the machine raises *candidates* only.
//! - **Outcome**: a late record of a case: its label, its protected attributes.
//! - **Watermark**: the point up to which an agent has closed every pane.

pub mod baseline;
pub mod bet;
pub mod canonical;
pub mod confidence;
pub mod detector;
pub mod digest;
pub mod drift;
pub mod evidence;
pub mod fairness;
pub mod ids;
pub mod inference;
pub mod interval;
pub mod judge;
pub mod ledger;
pub mod metric;
pub mod nonconformity;
pub mod objective;
pub mod outcomes;
pub mod performance;
pub mod plan;
pub mod planning;
pub mod sampling;
pub mod sealing;
pub mod service;
pub mod sketch;
pub mod text;
pub mod time;
pub mod verdict;
pub mod window;
pub mod wire;
pub mod yaml;
