use clause9_shared::inference::Owned;
use proptest::prelude::*;

use super::*;

#[test]
fn each_type_is_read_in_full() {
    let read = |datatype, bytes: &[u8]| read(datatype, bytes).unwrap();
    assert_eq!(
        read(Datatype::Bool, &[0, 1, 255]),
        Values::Bool(vec![false, true, true])
    );
    assert_eq!(read(Datatype::Uint8, &[255]), Values::Uint(vec![255]));
    assert_eq!(
        read(Datatype::Uint16, &[1, 255]),
        Values::Uint(vec![0xff01])
    );
    assert_eq!(
        read(Datatype::Uint32, &[255; 4]),
        Values::Uint(vec![u32::MAX.into()])
    );
    assert_eq!(
        read(Datatype::Uint64, &[255; 8]),
        Values::Uint(vec![u64::MAX])
    );
    assert_eq!(read(Datatype::Int8, &[128]), Values::Int(vec![-128]));
    assert_eq!(read(Datatype::Int16, &[0, 128]), Values::Int(vec![-32768]));
    assert_eq!(
        read(Datatype::Int32, &i32::MIN.to_le_bytes()),
        Values::Int(vec![i32::MIN.into()])
    );
    assert_eq!(
        read(Datatype::Int64, &i64::MIN.to_le_bytes()),
        Values::Int(vec![i64::MIN])
    );
    assert_eq!(
        read(Datatype::Fp32, &0.1_f32.to_le_bytes()),
        Values::Float(vec![0.100_000_001_490_116_12])
    );
    assert_eq!(
        read(Datatype::Fp64, &0.1_f64.to_le_bytes()),
        Values::Float(vec![0.1])
    );
    assert_eq!(
        read(Datatype::Bytes, &[1, 0, 0, 0, 0xff, 1, 0, 0, 0, b'a']),
        Values::Mixed(vec![Owned::Missing, Owned::Text("a".into())])
    );
}

#[test]
fn numbers_of_sixteen_bits_are_what_the_formats_say() {
    for (bits, number) in [
        (0x3c00, 1.0),
        (0xc000, -2.0),
        (0x3555, 0.333_251_953_125),
        (0x7bff, 65504.0),
        (0x0400, 6.103_515_625e-5),
        (0x03ff, 6.097_555_160_522_461e-5),
        (0x0001, 5.960_464_477_539_063e-8),
        (0x7c00, f64::INFINITY),
        (0xfc00, f64::NEG_INFINITY),
    ] {
        assert_eq!(half(bits).to_bits(), f64::to_bits(number), "{bits:x}");
    }
    assert!(half(0x7e00).is_nan() && half(0x7c01).is_nan());
    assert!(half(0x8000) == 0.0 && half(0x8000).is_sign_negative());
    assert_eq!(brain(0x3f80).to_bits(), 1.0_f64.to_bits());
    assert_eq!(brain(0xc049).to_bits(), (-3.140_625_f64).to_bits());
    assert!(brain(0x7fc0).is_nan());
}

#[test]
fn bytes_that_are_no_whole_values_are_malformed() {
    for (datatype, bytes) in [
        (Datatype::Fp32, &[0; 7][..]),
        (Datatype::Int64, &[0; 1]),
        (Datatype::Bf16, &[0; 3]),
        (Datatype::Bytes, &[0; 3]),
        (Datatype::Bytes, &[1, 0, 0, 0]),
        (Datatype::Bytes, &[255, 255, 255, 255, 0]),
        (Datatype::Bytes, &[0, 0, 0, 0, 1]),
    ] {
        let refused = read(datatype, bytes);
        assert_eq!(refused, Err(UndecodableReason::Malformed), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn texts_and_back_are_the_same(texts: Vec<String>) {
        let mut bytes = Vec::new();
        for text in &texts {
            bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        let read = read(Datatype::Bytes, &bytes).unwrap();
        prop_assert_eq!(read.len(), texts.len());
        if !texts.is_empty() {
            let texts = texts.into_iter().map(Into::into).collect();
            prop_assert_eq!(read, Values::Text(texts));
        }
    }

    #[test]
    fn halves_keep_their_order(a in 0_u16..0x7c00, b in 0_u16..0x7c00) {
        prop_assert_eq!(half(a) < half(b), a < b);
        prop_assert_eq!(half(a | 0x8000).to_bits(), (-half(a)).to_bits());
    }
}
