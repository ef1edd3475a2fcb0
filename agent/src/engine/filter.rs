//! Sets of tags that fit into little memory and now and then take a stranger for a member: Bloom filters
//! of 12 bits for each tag, which err for about one stranger in 150.

use std::collections::VecDeque;

use crate::sample::Tag;

/// Bits for each tag.
const BITS: usize = 12;
/// Most bytes for what is forgotten: about 700,000 requests.
const FORGOTTEN_BYTES: usize = 1 << 20;
/// Tags in one of the filters of what is forgotten.
const GENERATION: usize = 1 << 16;

/// A set of tags.
#[derive(Clone, Debug)]
pub struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty set with room for so many tags.
    pub fn sized(tags: usize) -> Self {
        Self {
            words: vec![0; (tags * BITS).div_ceil(64).max(1)],
        }
    }

    /// Adds a tag.
    pub fn add(&mut self, tag: Tag) {
        for (word, bit) in places(self.words.len(), tag) {
            self.words[word] |= bit;
        }
    }

    /// Whether a tag was added; sometimes so of one that was not.
    pub fn has(&self, tag: Tag) -> bool {
        places(self.words.len(), tag).all(|(word, bit)| self.words[word] & bit != 0)
    }

    const fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// The bits of a tag, which is as good as random itself.
fn places(words: usize, tag: Tag) -> impl Iterator<Item = (usize, u64)> {
    let bytes = tag.bytes();
    (0..4).map(move |part| {
        let mut four = [0; 4];
        four.copy_from_slice(&bytes[part * 4..part * 4 + 4]);
        let bits = (words as u64) * 64;
        let place = (u64::from(u32::from_be_bytes(four)) * bits) >> 32;
        (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
    })
}

/// Requests that were remembered and are no more, the latest ones: so that an outcome that comes too
/// late is told from one that nobody ever asked about.
#[derive(Debug, Default)]
pub struct Forgotten {
    filters: VecDeque<Filter>,
    /// Tags in the last filter that is filled one by one; none if there is none to be filled.
    filled: Option<usize>,
}

impl Forgotten {
    /// Takes in one request.
    pub fn add(&mut self, tag: Tag) {
        if self.filled.is_none_or(|filled| filled >= GENERATION) {
            self.adopt(Filter::sized(GENERATION));
            self.filled = Some(0);
        }
        if let (Some(last), Some(filled)) = (self.filters.back_mut(), &mut self.filled) {
            last.add(tag);
            *filled += 1;
        }
    }

    /// Takes in all of a set.
    pub fn adopt(&mut self, filter: Filter) {
        self.filters.push_back(filter);
        self.filled = None;
        while self.filters.len() > 1
            && self.filters.iter().map(Filter::bytes).sum::<usize>() > FORGOTTEN_BYTES
        {
            self.filters.pop_front();
        }
    }

    /// Whether a request was forgotten; sometimes so of one that was not.
    pub fn has(&self, tag: Tag) -> bool {
        self.filters.iter().any(|f| f.has(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sampler;

    fn tags(from: usize, number: usize) -> Vec<Tag> {
        let sampler = Sampler::new([2; 32], 1.0);
        let ids = from..from + number;
        ids.map(|i| sampler.tag(&i.to_be_bytes())).collect()
    }

    #[test]
    fn what_was_added_is_found_and_few_strangers_are() {
        let mut filter = Filter::sized(10_000);
        for tag in tags(0, 10_000) {
            filter.add(tag);
        }
        assert!(tags(0, 10_000).into_iter().all(|t| filter.has(t)));
        let strangers = tags(10_000, 100_000).into_iter().filter(|t| filter.has(*t));
        let strangers = strangers.count();
        assert!((300..1000).contains(&strangers), "{strangers} of 100,000");
    }

    #[test]
    fn the_forgotten_are_bounded_and_the_earliest_are_let_go_first() {
        let mut forgotten = Forgotten::default();
        let all = tags(0, 1_000_000);
        for tag in &all {
            forgotten.add(*tag);
        }
        let bytes: usize = forgotten.filters.iter().map(Filter::bytes).sum();
        assert!(bytes <= FORGOTTEN_BYTES, "{bytes}");
        assert!(all[500_000..].iter().all(|t| forgotten.has(*t)));
        let known = all[..10_000].iter().filter(|t| forgotten.has(**t)).count();
        assert!(known < 1500, "{known}");
    }
}
