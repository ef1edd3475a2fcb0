//! What makes the alarms worth their name, checked without trusting floats: certificates in rational
//! arithmetic (T2), expectations by enumeration (T3), ledgers whatever the order of delivery (T7),
//! cases that go together (T10), and the many-features rules.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

mod agreement;
mod certificates;
mod clusters;
mod delivery;
mod enumeration;
mod many;
mod rational;
mod raw_values;
