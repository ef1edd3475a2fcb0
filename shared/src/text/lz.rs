//! How well a text compresses: the size that the LZ4 block format would take, by greedy matching,
//! without writing it. Text that goes in circles is small; ordinary prose is about half its size.

/// Slots of the table of last occurrences.
const SLOTS_LOG2: u32 = 14;
/// Furthest back that a match may lie.
const WINDOW: usize = 65_535;
/// Shortest match.
const LEAST: usize = 4;
/// Bytes at the end that the format leaves as they are.
const TAIL: usize = 5;
/// Matches begin at least so far from the end.
const LAST_MATCH: usize = 12;

/// Bytes of the compressed block; at least 1, so that a ratio exists.
pub fn compressed_size(bytes: &[u8]) -> usize {
    let mut last = vec![u32::MAX; 1 << SLOTS_LOG2];
    let (mut at, mut literals_from, mut size) = (0, 0, 0);
    while at + LAST_MATCH <= bytes.len() {
        let Some(word) = four(bytes, at) else {
            break;
        };
        let slot = &mut last[slot_of(word)];
        let earlier = usize::try_from(*slot).unwrap_or(usize::MAX);
        *slot = u32::try_from(at).unwrap_or(u32::MAX);
        let near = earlier < at && at - earlier <= WINDOW;
        if !near || four(bytes, earlier) != Some(word) {
            at += 1;
            continue;
        }
        let limit = bytes.len() - TAIL;
        let mut length = LEAST;
        while at + length < limit && bytes[earlier + length] == bytes[at + length] {
            length += 1;
        }
        // A token, the literals with their length, the offset, the match's length.
        size += 1 + more(at - literals_from) + (at - literals_from) + 2 + more(length - LEAST);
        at += length;
        literals_from = at;
    }
    let rest = bytes.len() - literals_from;
    (size + 1 + more(rest) + rest).max(1)
}

/// Extra bytes of a length that its half of the token does not hold.
const fn more(length: usize) -> usize {
    if length < 15 {
        0
    } else {
        1 + (length - 15) / 255
    }
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word))
}

fn slot_of(word: u32) -> usize {
    // Fibonacci hashing: the upper bits of the product.
    let slot = word.wrapping_mul(0x9e37_79b1) >> (32 - SLOTS_LOG2);
    usize::try_from(slot).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn circles_compress_and_noise_does_not() {
        let circles = "the same again ".repeat(1000);
        assert!(compressed_size(circles.as_bytes()) < circles.len() / 50);
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(15_000)
        .collect();
        let size = compressed_size(&noise);
        assert!(size > 14_900 && size < 15_100, "{size}");
    }

    #[test]
    fn lengths_at_the_edges_of_the_token_cost_their_byte() {
        assert_eq!(compressed_size(b""), 1);
        assert_eq!(compressed_size(&[7; 11]), 12);
        assert_eq!((more(14), more(15), more(269), more(270)), (0, 1, 1, 2));
        // 1 literal, a match of 94 at distance 1, 5 literals: 1 + 1 + 2 + 1, then 1 + 5.
        assert_eq!(compressed_size(&[7; 100]), 11);
    }

    proptest! {
        #[test]
        fn nothing_grows_by_more_than_the_format_lets_it(
            bytes in proptest::collection::vec(0_u8..4, 0..4000)
        ) {
            let size = compressed_size(&bytes);
            prop_assert!(size <= bytes.len() + bytes.len() / 255 + 16);
            prop_assert!(size >= 1);
        }
    }
}
