//! Group fairness of a real data set, through the summaries, against fairlearn, AIF360 and Aequitas:
//! every window, attribute, group and intersection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod by_group;
mod case;
mod classes;
mod edges;
mod golden;
mod numbers;
mod recounted;
mod scores;
mod unequal;
