//! The register counts a ledger's steps; people know days. Pure.

use std::collections::BTreeMap;

use clause9_shared::window::PaneStart;

/// What the register writes before the number of a step.
const BLOCK: &str = "block ";

/// The text with the day of its pane after every `block N`, where it is known.
pub(crate) fn dated(text: &str, panes: &BTreeMap<u64, PaneStart>) -> String {
    let mut parts = text.split(BLOCK);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        all.extend([BLOCK, number]);
        if let Some(pane) = number.parse().ok().and_then(|n: u64| panes.get(&n)) {
            let day: String = pane.0.to_string().chars().take(10).collect();
            all.extend([" (pane of ", &day, ")"]);
        }
        all.push_str(rest);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gets_the_day_of_its_pane_where_it_is_known() {
        let panes = BTreeMap::from([(23, PaneStart("2019-06-04T00:00:00Z".parse().unwrap()))]);
        assert_eq!(
            dated(
                "reached 5 nats at block 23, begun in block 2; of 73 blocks",
                &panes
            ),
            "reached 5 nats at block 23 (pane of 2019-06-04), begun in block 2; of 73 blocks"
        );
        assert_eq!(dated("block by block ", &panes), "block by block ");
    }
}
