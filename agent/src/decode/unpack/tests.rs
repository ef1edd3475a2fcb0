use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// A text packed by other programs: gzip (also in two members), zlib, bare deflate, zstd (also in two
/// frames) and brotli.
const PACKED: [(&str, &str); 7] = [
    (
        "gzip",
        "1f8b08000000000002ffab56cacc2b2e49cc4b4e2d56b28a8e36d033d531d0d135d23332d5517234508ad5010b19c2850c614246702123989031a646134c8da6981acd30359a636ab4c0d46889c5a906983a0d0d91b5c6d602000bf911faf5000000",
    ),
    (
        "X-GZIP",
        "1f8b08000000000002ffab56cacc2b2e49cc4b4e2d56b28a8e36d033d531d0d135d23332d5517234508ad5010b19c2850c614246702123989031a646134c8da6502100a240e9807a0000001f8b08000000000002ff537234528ad58936d033d531d3d135d23332d5517234800999c3850c6142167021b8464b4c8d8606983a0d0d91b5c6d6020025ed64ba7b000000",
    ),
    (
        "deflate",
        "78daab56cacc2b2e49cc4b4e2d56b28a8e36d033d531d0d135d23332d5517234508ad5010b19c2850c614246702123989031a646134c8da6981acd30359a636ab4c0d46889c5a906983a0d0d91b5c6d60200fa643457",
    ),
    (
        "Deflate",
        "ab56cacc2b2e49cc4b4e2d56b28a8e36d033d531d0d135d23332d5517234508ad5010b19c2850c614246702123989031a646134c8da6981acd30359a636ab4c0d46889c5a906983a0d0d91b5c6d60200",
    ),
    (
        "zstd",
        "28b52ffd20f56d020022c30b11b03d196eabc8b1bc592d64a78ce8652c5495b9b7a3630a19e2df9dd9b65a261f1e703309bd565af95c6c5346b8340ea010e8ebff19a0e30e1e8e7acff3785eaf1ef74949b02e76fd14",
    ),
    (
        "zstd, identity",
        "28b52ffd207a3d020014037b22696e7374616e636573223a5b5b302e352c302c2d322e32352c224130225d2c3131323233303431352c2d322e32352c090080082807080345003950182002eac6aef90428b52ffd207bfd01006402224132225d2c5b302e352c362c2d322e32352c224130373138323930313031313132225d5d7d0a00370b026150280d1001e50061a00820070a63c41403",
    ),
    (
        "br",
        "1bf400f89d07c6adf1b6d29a9ed10ea555d09eb38d5227e30ed0f965174b5f6ec1cc510c4fa33f600f1a302c0b10a1968bfd3b3e55531ca93441509ca598c9cabad8c9c96ef1d2b3304fd6",
    ),
];
/// 300 KiB of one letter.
const MANY: [(&str, &str); 2] = [
    (
        "zstd",
        "28b52ffda000b004004c000008300100fcff3910020200103003800530",
    ),
    ("br", "5bffaf845f02261e0b04724f0900"),
];

fn bytes(hex: &str) -> Bytes {
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(pair[0]) * 16 + digit(pair[1]))
        .collect()
}

fn text() -> Vec<u8> {
    let rows: Vec<_> = (0..12)
        .map(|i| format!(r#"[0.5,{i},-2.25,"A{}"]"#, i % 3))
        .collect();
    format!(r#"{{"instances":[{}]}}"#, rows.join(",")).into()
}

fn gzip(text: &[u8]) -> Bytes {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(text).unwrap();
    packer.finish().unwrap().into()
}

#[test]
fn what_other_programs_packed_is_unpacked() {
    for (encoding, hex) in PACKED {
        let unpacked = unpack(encoding.as_bytes(), bytes(hex));
        assert_eq!(unpacked.unwrap(), text(), "{encoding}");
    }
    let twice = unpack(b"br, gzip", gzip(&bytes(PACKED[6].1)));
    assert_eq!(twice.unwrap(), text());
    assert_eq!(unpack(b"gzip", Bytes::new()).unwrap(), b""[..]);
    assert_eq!(unpack(b"identity", text().into()).unwrap(), text());
}

#[test]
fn encodings_that_are_not_known_are_unsupported() {
    for encoding in ["compress", "gzip, gzip, gzip", "gzip;q=1", "\u{e9}"] {
        let refused = unpack(encoding.as_bytes(), gzip(b"1"));
        assert_eq!(refused, Err(UndecodableReason::Unsupported), "{encoding}");
    }
    let large = unpack(b"br", Bytes::from_static(&[0x11, 0x1e, 0, 0]));
    assert_eq!(large, Err(UndecodableReason::Unsupported));
}

#[test]
fn what_was_cut_off_or_spoilt_is_malformed() {
    for (encoding, hex) in PACKED {
        let whole = bytes(hex);
        for end in [1, 5, whole.len() / 3, whole.len() - 1] {
            let cut = unpack(encoding.as_bytes(), whole.slice(..end));
            assert_eq!(cut, Err(UndecodableReason::Malformed), "{encoding} {end}");
        }
        let other = Bytes::from_static(b"{\"instances\":[1]}");
        let plain = unpack(encoding.as_bytes(), other);
        assert_eq!(plain, Err(UndecodableReason::Malformed), "{encoding}");
    }
}

#[test]
fn what_becomes_too_long_or_too_much_of_it_is_oversized() {
    let spaces = vec![b' '; MAX_UNPACKED + 1];
    for (encoding, packed) in [
        ("gzip", gzip(&spaces)),
        ("gzip, gzip", gzip(&gzip(&spaces))),
        ("zstd", bytes(MANY[0].1)),
        ("br", bytes(MANY[1].1)),
        ("gzip", vec![0; MAX_UNPACKED + 1].into()),
    ] {
        let refused = unpack(encoding.as_bytes(), packed);
        assert_eq!(refused, Err(UndecodableReason::Oversized), "{encoding}");
    }
    // Of few bytes, any ratio will do.
    let few = vec![b' '; FREE];
    assert_eq!(unpack(b"gzip", gzip(&few)).unwrap(), few);
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    // One frame with a window of 16 MiB and one empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00];
    let refused = unpack(b"zstd", Bytes::copy_from_slice(&frame));
    assert_eq!(refused, Err(UndecodableReason::Malformed));
}

proptest! {
    #[test]
    fn nothing_unpacks_to_more_than_the_bound(
        encoding in 0..PACKED.len(),
        at in any::<proptest::sample::Index>(),
        byte: u8,
        noise: Vec<u8>,
    ) {
        let (encoding, hex) = PACKED[encoding];
        let mut spoilt = bytes(hex).to_vec();
        let place = at.index(spoilt.len());
        spoilt[place] = byte;
        spoilt.truncate(spoilt.len() - noise.len().min(4));
        for packed in [spoilt, noise] {
            if let Ok(unpacked) = unpack(encoding.as_bytes(), packed.into()) {
                prop_assert!(unpacked.len() <= MAX_UNPACKED);
            }
        }
    }

    #[test]
    fn gzip_and_back_is_the_same(text: Vec<u8>) {
        prop_assert_eq!(unpack(b"gzip", gzip(&text)).unwrap(), text);
    }
}
