//! How much of a text has stood in it before.

/// Most words that are looked at; the rest of a longer text is not.
pub const MAX_WORDS: usize = 1 << 16;

/// The share of runs of `run` words that stood in the text before, over its first [`MAX_WORDS`] words:
/// 0 where no run comes twice, near 1 where a text goes in circles. Words are told apart by a 64-bit
/// hash. Nothing if there is no whole run, or none is asked for.
pub fn repetition(text: &str, run: usize) -> Option<f64> {
    let words: Vec<u64> = text
        .split_whitespace()
        .take(MAX_WORDS)
        .map(|word| fold(0xcbf2_9ce4_8422_2325, word.bytes().map(u64::from)))
        .collect();
    if run == 0 || words.len() < run {
        return None;
    }
    let mut runs: Vec<u64> = words
        .windows(run)
        .map(|words| fold(0x9e37_79b9_7f4a_7c15, words.iter().copied()))
        .collect();
    let all = runs.len();
    runs.sort_unstable();
    runs.dedup();
    Some((all - runs.len()) as f64 / all as f64)
}

/// A hash of a sequence of numbers (FNV-1a over them, then the finisher of `SplitMix64`).
fn fold(start: u64, numbers: impl Iterator<Item = u64>) -> u64 {
    let hash = numbers.fold(start, |hash, number| {
        (hash ^ number).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_circles_repeats_and_another_does_not() {
        assert_eq!(repetition("a b c d e f", 3), Some(0.0));
        // Runs: abc bca cab abc bca cab abc: three of seven are new.
        assert_eq!(repetition("a b c a b c a b c", 3), Some(4.0 / 7.0));
        assert_eq!(repetition("a b c a b c", 3), Some(0.25));
        assert!(repetition(&"so it goes on and ".repeat(1000), 3).unwrap() > 0.99);
    }

    #[test]
    fn order_matters_and_spaces_do_not() {
        assert_eq!(repetition("a b b a", 2), Some(0.0));
        assert_eq!(repetition(" a\n b\t a  b ", 2), Some(1.0 / 3.0));
    }

    #[test]
    fn too_few_words_have_no_runs() {
        assert_eq!(repetition("", 3), None);
        assert_eq!(repetition("a b", 3), None);
        assert_eq!(repetition("a b", 0), None);
        assert_eq!(repetition("a b c", 3), Some(0.0));
    }
}
