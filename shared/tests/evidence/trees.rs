//! Trees of many sizes: one root by every way there is, proofs that both sides believe, and none that is changed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use clause9_shared::evidence::merkle::{self, Hash, NotProved, Subtrees};
use clause9_shared::evidence::tiles::{self, Edge, Place, Tiled, Tiles, parse_path};
use proptest::prelude::*;
use tlog_tiles as foreign;

/// A log kept both ways: in tiles by us, in stored hashes by the foreign crate.
pub(crate) struct Log {
    pub(crate) edge: Edge,
    full: BTreeMap<Place, Vec<u8>>,
    partial: Vec<Vec<Hash>>,
    pub(crate) leaves: Vec<Hash>,
    stored: RefCell<Vec<foreign::Hash>>,
}

impl foreign::HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<foreign::Hash>, foreign::tlog::Error> {
        let stored = self.stored.borrow();
        Ok(indexes
            .iter()
            .map(|i| stored[usize::try_from(*i).unwrap()])
            .collect())
    }
}

impl Tiles for Log {
    type Error = Infallible;

    fn tile(&self, place: Place, width: usize) -> Result<Vec<Hash>, Infallible> {
        let all = self.full.get(&place).map_or_else(
            || self.partial[usize::from(place.level)].clone(),
            |bytes| tiles::hashes(bytes).unwrap(),
        );
        Ok(all[..width].to_vec())
    }
}

pub(crate) fn entry(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(1 + usize::try_from(n % 5).unwrap())
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        Self::with(size, entry)
    }

    /// Another log, which has the same first entries.
    pub(crate) fn other(size: u64, same: u64) -> Self {
        Self::with(size, |n| if n < same { entry(n) } else { entry(n + 1) })
    }

    fn with(size: u64, entry: impl Fn(u64) -> Vec<u8>) -> Self {
        let mut log = Self {
            edge: Edge::default(),
            full: BTreeMap::new(),
            partial: Vec::new(),
            leaves: Vec::new(),
            stored: RefCell::default(),
        };
        for n in 0..size {
            let leaf = Hash::leaf(&entry(n));
            let more = foreign::stored_hashes(n, &entry(n), &log).unwrap();
            log.stored.borrow_mut().extend(more);
            log.leaves.push(leaf);
            let mut hash = leaf;
            for level in 0.. {
                if log.partial.len() == level {
                    log.partial.push(Vec::new());
                }
                log.partial[level].push(hash);
                if log.partial[level].len() < tiles::WIDTH {
                    break;
                }
                hash = tiles::fold(&log.partial[level]);
                log.partial[level].clear();
            }
            for full in log.edge.push(leaf) {
                assert_eq!(
                    full.root,
                    tiles::fold(&tiles::hashes(&full.hashes).unwrap())
                );
                log.full.insert(full.place, full.hashes);
            }
        }
        log
    }

    fn root(&self) -> Hash {
        merkle::root(&Tiled::new(self, self.edge.size()), self.edge.size()).unwrap()
    }
}

fn theirs(hash: Hash) -> foreign::Hash {
    foreign::Hash(*hash.as_bytes())
}

/// RFC 6962's own words, without any cleverness.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty(),
        [leaf] => *leaf,
        more => {
            let mut k = 1;
            while k * 2 < more.len() {
                k *= 2;
            }
            Hash::node(naive(&more[..k]), naive(&more[k..]))
        }
    }
}

#[test]
fn a_root_is_the_same_by_every_way_there_is() {
    let sizes = (0..70).chain([
        127, 128, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 70_000,
    ]);
    for size in sizes {
        let log = Log::of(size);
        assert_eq!(log.edge.root(), naive(&log.leaves), "of {size}");
        assert_eq!(log.root(), log.edge.root(), "of {size}");
        assert_eq!(
            foreign::tree_hash(size, &log).unwrap(),
            theirs(log.root()),
            "of {size}"
        );
        let again = Edge::new(size, log.partial.clone()).unwrap();
        assert_eq!(again.root(), log.root(), "of {size}");
    }
}

#[test]
fn an_edge_is_taken_only_with_the_hashes_that_its_size_has() {
    let log = Log::of(700);
    assert!(Edge::new(701, log.partial.clone()).is_none());
    assert!(Edge::new(700, log.partial[..1].to_vec()).is_none());
    let mut more = log.partial.clone();
    more.push(vec![Hash::empty()]);
    assert!(Edge::new(700, more).is_none());
    let mut mute = log.partial;
    mute.push(Vec::new());
    assert_eq!(Edge::new(700, mute).unwrap(), log.edge);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn proofs_are_the_foreign_ones_and_hold(size in 1_u64..1500, a in any::<u64>(), b in any::<u64>()) {
        let log = Log::of(size);
        let (root, tree) = (log.root(), Tiled::new(&log, size));
        let index = a % size;
        let proof = merkle::inclusion(&tree, index, size).unwrap().unwrap();
        let leaf = log.leaves[usize::try_from(index).unwrap()];
        let foreign_proof = foreign::prove_record(size, index, &log).unwrap();
        prop_assert_eq!(proof.iter().copied().map(theirs).collect::<Vec<_>>(), foreign_proof.clone());
        foreign::check_record(&foreign_proof, size, theirs(root), index, theirs(leaf)).unwrap();
        merkle::check_inclusion(leaf, index, (size, root), &proof).unwrap();

        let old = b % size + 1;
        let old_root = naive(&log.leaves[..usize::try_from(old).unwrap()]);
        let proof = merkle::consistency(&tree, old, size).unwrap().unwrap();
        let foreign_proof = foreign::prove_tree(size, old, &log).unwrap();
        prop_assert_eq!(proof.iter().copied().map(theirs).collect::<Vec<_>>(), foreign_proof);
        merkle::check_consistency((old, old_root), (size, root), &proof).unwrap();
        merkle::check_consistency((0, Hash::empty()), (size, root), &[]).unwrap();
    }

    #[test]
    fn a_proof_that_is_changed_in_any_way_proves_nothing(
        size in 2_u64..700, a in any::<u64>(), b in any::<u64>(), bit in any::<usize>(), at in any::<usize>(),
    ) {
        let log = Log::of(size);
        let (root, tree) = (log.root(), Tiled::new(&log, size));
        let index = a % size;
        let leaf = log.leaves[usize::try_from(index).unwrap()];
        let inclusion = merkle::inclusion(&tree, index, size).unwrap().unwrap();
        let old = b % (size - 1) + 1;
        let old_root = naive(&log.leaves[..usize::try_from(old).unwrap()]);
        let consistency = merkle::consistency(&tree, old, size).unwrap().unwrap();
        let included = |leaf, index, tree, proof: &[Hash]| merkle::check_inclusion(leaf, index, tree, proof);
        let consistent = |old, tree, proof: &[Hash]| merkle::check_consistency(old, tree, proof);

        for changed in changes(&inclusion, bit, at) {
            prop_assert!(included(leaf, index, (size, root), &changed).is_err());
        }
        for changed in changes(&consistency, bit, at) {
            prop_assert!(consistent((old, old_root), (size, root), &changed).is_err());
        }
        prop_assert!(included(flip(leaf, bit), index, (size, root), &inclusion).is_err());
        prop_assert!(included(leaf, index, (size, flip(root, bit)), &inclusion).is_err());
        prop_assert!(consistent((old, flip(old_root, bit)), (size, root), &consistency).is_err());
        prop_assert!(consistent((old, old_root), (size, flip(root, bit)), &consistency).is_err());
        for other in 0..size {
            let right = other == index;
            prop_assert_eq!(included(leaf, other, (size, root), &inclusion).is_ok(), right, "at {}", other);
            if other > 0 && other != old {
                prop_assert!(consistent((other, old_root), (size, root), &consistency).is_err());
            }
        }
        prop_assert_eq!(included(leaf, size, (size, root), &inclusion), Err(NotProved::NoSuchPlace));
    }
}

fn flip(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

/// One bit changed, one hash left out, one twice, two swapped.
fn changes(proof: &[Hash], bit: usize, at: usize) -> Vec<Vec<Hash>> {
    let mut longer = proof.to_vec();
    longer.push(flip(Hash::empty(), bit));
    let mut all = vec![longer];
    if proof.is_empty() {
        return all;
    }
    let at = at % proof.len();
    let mut changed = proof.to_vec();
    changed[at] = flip(changed[at], bit);
    let mut shorter = proof.to_vec();
    shorter.remove(at);
    let mut twice = proof.to_vec();
    twice.insert(at, proof[at]);
    all.extend([changed, shorter, twice]);
    if proof.len() > 1 {
        let mut swapped = proof.to_vec();
        swapped.swap(at, (at + 1) % proof.len());
        all.push(swapped);
    }
    all
}

#[test]
fn paths_are_those_of_the_specification() {
    let place = Place {
        level: 0,
        number: 1_234_067,
    };
    assert_eq!(place.path(256), "tile/0/x001/x234/067");
    assert_eq!(place.path(12), "tile/0/x001/x234/067.p/12");
    assert_eq!(tiles::entries_path(0, 3), "tile/entries/000.p/3");
    // A tree of 70,000 leaves, as the specification counts its tiles.
    let wide = |level, number| Place { level, number }.width(70_000);
    assert_eq!([wide(0, 272), wide(0, 273), wide(0, 274)], [256, 112, 0]);
    assert_eq!(
        [wide(1, 0), wide(1, 1), wide(2, 0), wide(3, 0)],
        [256, 17, 1, 0]
    );
    for (number, width) in [
        (0, 256),
        (999, 1),
        (1000, 255),
        (1_234_067, 256),
        (u64::MAX / 256, 7),
    ] {
        let place = Place { level: 2, number };
        assert_eq!(
            parse_path(&place.path(width)),
            Some((Some(2), number, width))
        );
        assert_eq!(
            parse_path(&tiles::entries_path(number, width)),
            Some((None, number, width))
        );
    }
    let wrong = [
        "",
        "tile/0",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000/",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/+01",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/entries/1",
        "tile/0/../000",
        "/tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ];
    for path in wrong {
        assert_eq!(parse_path(path), None, "{path}");
    }
}

#[test]
fn a_bundle_is_entries_behind_their_lengths() {
    let entries: [&[u8]; 3] = [b"ab", b"", b"c"];
    assert_eq!(
        tiles::bundle(entries.into_iter()).unwrap(),
        [0, 2, b'a', b'b', 0, 0, 0, 1, b'c']
    );
    let long = vec![0; 65_536];
    assert_eq!(tiles::bundle([long.as_slice()].into_iter()), None);
    assert!(tiles::hashes(&[0; 33]).is_err() && tiles::hashes(&[]).is_err());
    assert!(tiles::hashes(&[0; 257 * 32]).is_err());
}

#[test]
fn an_unreadable_subtree_is_an_error_and_no_root() {
    struct Lost;
    impl Subtrees for Lost {
        type Error = &'static str;
        fn subtree(&self, _: u8, _: u64) -> Result<Hash, &'static str> {
            Err("lost")
        }
    }
    assert_eq!(merkle::root(&Lost, 3), Err("lost"));
    assert_eq!(merkle::inclusion(&Lost, 1, 3), Err("lost"));
    assert_eq!(merkle::consistency(&Lost, 1, 3), Err("lost"));
    assert_eq!(merkle::inclusion(&Lost, 3, 3), Ok(None));
    assert_eq!(merkle::consistency(&Lost, 4, 3), Ok(None));
    assert_eq!(merkle::consistency(&Lost, 3, 3), Ok(Some(vec![])));
}
