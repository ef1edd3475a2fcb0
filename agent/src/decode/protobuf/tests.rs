use proptest::prelude::*;

use super::*;

fn fields(message: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, UndecodableReason> {
    Fields::of(message).collect()
}

#[test]
fn each_kind_of_field_is_read() {
    let message = [
        0x08, 0x96, 0x01, // 1: 150
        0x11, 1, 2, 3, 4, 5, 6, 7, 8, // 2: eight bytes
        0x1a, 2, b'h', b'i', // 3: "hi"
        0xa5, 0x01, 9, 8, 7, 6, // 20: four bytes
    ];
    assert_eq!(
        fields(&message),
        Ok(vec![
            (1, Wire::Varint(150)),
            (2, Wire::Eight([1, 2, 3, 4, 5, 6, 7, 8])),
            (3, Wire::Bytes(b"hi")),
            (20, Wire::Four([9, 8, 7, 6])),
        ])
    );
    assert_eq!(fields(&[]), Ok(vec![]));
}

#[test]
fn numbers_come_one_by_one_or_packed() {
    let all = |wire: Wire<'_>| {
        let mut all = Vec::new();
        wire.varints(|n| all.push(n)).map(|()| all)
    };
    assert_eq!(all(Wire::Varint(7)), Ok(vec![7]));
    assert_eq!(all(Wire::Bytes(&[1, 0x80, 1, 3])), Ok(vec![1, 128, 3]));
    let minus_one = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    assert_eq!(all(Wire::Bytes(&minus_one)), Ok(vec![u64::MAX]));
    assert_eq!(all(Wire::Bytes(&[0x80])), Err(MALFORMED));
    assert_eq!(all(Wire::Four([0; 4])), Err(MALFORMED));
    assert_eq!(Wire::Bytes(&[0; 8]).fours().unwrap().len(), 2);
    assert_eq!(Wire::Four([1; 4]).fours().unwrap().len(), 1);
    assert_eq!(Wire::Bytes(&[0; 7]).fours(), Err(MALFORMED));
    assert_eq!(Wire::Bytes(&[0; 8]).eights().unwrap().len(), 1);
    assert_eq!(Wire::Varint(1).eights(), Err(MALFORMED));
    assert_eq!(Wire::Bytes(&[0xff]).text(), Err(MALFORMED));
    assert_eq!(Wire::Varint(1).bytes(), Err(MALFORMED));
}

#[test]
fn what_is_cut_off_or_unknown_is_malformed() {
    for message in [
        &[0x08][..],
        &[0x08, 0x80],
        &[0x11, 1, 2, 3],
        &[0x1a, 2, b'h'],
        &[0x1a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        &[0x1d, 0, 0, 0],
        &[0x0b],
        &[0x0f],
        &[0x00, 1],
        &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
        &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
    ] {
        assert_eq!(fields(message), Err(MALFORMED), "{message:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_fields_or_none(message: Vec<u8>) {
        let read = fields(&message);
        prop_assert!(read.is_err() || read.unwrap().len() <= message.len());
    }
}
