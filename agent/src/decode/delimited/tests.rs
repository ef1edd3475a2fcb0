use proptest::prelude::*;

use super::*;

fn named(text: &str) -> Rows {
    Lines::new(text.as_bytes()).unwrap().named().unwrap()
}

fn bare(text: &str) -> (usize, usize, Values) {
    let (rows, mut tensors) = Lines::new(text.as_bytes()).unwrap().bare("b").unwrap();
    let tensor = tensors.remove(0);
    assert!(tensors.is_empty());
    (rows, tensor.columns, tensor.values)
}

#[test]
fn columns_have_the_type_that_all_their_values_have() {
    let text = concat!(
        "\u{feff}n, x ,t,b,g,m\r\n",
        "1,1,A11,true,,\"a,\"\"b\"\"\"\n",
        "\n",
        "-2,.5,7,False,NA,c\r\n",
        "+3,1e3,,TRUE,nan,inf\n"
    );
    let (rows, tensors) = named(text);
    assert_eq!(rows, 3);
    let names: Vec<_> = tensors.iter().map(|t| &*t.name).collect();
    assert_eq!(names, ["n", "x", "t", "b", "g", "m"]);
    let gap = Owned::Missing;
    let text = |text: &str| Owned::Text(text.into());
    let values: Vec<_> = tensors.into_iter().map(|t| t.values).collect();
    assert_eq!(
        values,
        [
            Values::Int(vec![1, -2, 3]),
            Values::Float(vec![1.0, 0.5, 1000.0]),
            Values::Mixed(vec![text("A11"), text("7"), gap.clone()]),
            Values::Bool(vec![true, false, true]),
            Values::Mixed(vec![gap.clone(), gap.clone(), gap]),
            Values::Text(vec!["a,\"b\"".into(), "c".into(), "inf".into()]),
        ]
    );
}

#[test]
fn lines_without_names_are_rows_of_one_tensor() {
    assert_eq!(
        bare("1,2.5\n3,4"),
        (2, 2, Values::Float(vec![1.0, 2.5, 3.0, 4.0]))
    );
    assert_eq!(
        bare("a,1\nb,2\n"),
        (
            2,
            2,
            Values::Mixed(vec![
                Owned::Text("a".into()),
                Owned::Int(1),
                Owned::Text("b".into()),
                Owned::Int(2)
            ])
        )
    );
    // One line decides as much as the others.
    assert_eq!(
        bare("x\n7"),
        (2, 1, Values::Text(vec!["x".into(), "7".into()]))
    );
    assert_eq!(bare("0.25"), (1, 1, Values::Float(vec![0.25])));
    assert_eq!(
        bare("18446744073709551615"),
        (1, 1, Values::Float(vec![18_446_744_073_709_551_615.0]))
    );
    assert_eq!(bare(""), (0, 0, Values::Mixed(vec![])));
}

#[test]
fn a_first_line_of_texts_can_be_names() {
    for (text, can) in [
        ("a,b\n1,2", true),
        ("a,1\n1,2", false),
        ("a,\n1,2", false),
        ("a,true\n1,2", false),
        ("", false),
    ] {
        let lines = Lines::new(text.as_bytes()).unwrap();
        assert_eq!(lines.first_can_be_names(), can, "{text}");
    }
}

#[test]
fn lines_of_other_lengths_and_too_much_of_it_are_refused() {
    use UndecodableReason::{Malformed, Unsupported};
    let wide = "1,".repeat(MAX_COLUMNS) + "1";
    let long = "1\n".repeat(MAX_ROWS + 2);
    for (text, reason) in [
        (&b"1,2\n3"[..], Malformed),
        (b"1\n2,3", Malformed),
        (b"\xff\n", Malformed),
        (wide.as_bytes(), Unsupported),
        (long.as_bytes(), Unsupported),
    ] {
        assert_eq!(Lines::new(text).err(), Some(reason));
    }
    let name = "n".repeat(257) + "\n1";
    let lines = Lines::new(name.as_bytes()).unwrap();
    assert_eq!(lines.named(), Err(Unsupported));
}

proptest! {
    #[test]
    fn numbers_survive(rows in proptest::collection::vec((any::<i64>(), -1e9_f64..1e9), 1..20)) {
        let line = |(a, b): &(i64, f64)| format!("{a},{b:?}\n");
        let text = "a,b\n".to_owned() + &rows.iter().map(line).collect::<String>();
        let (count, tensors) = named(&text);
        prop_assert_eq!(count, rows.len());
        prop_assert_eq!(&tensors[0].values, &Values::Int(rows.iter().map(|r| r.0).collect()));
        prop_assert_eq!(&tensors[1].values, &Values::Float(rows.iter().map(|r| r.1).collect()));
    }

    #[test]
    fn any_bytes_are_lines_or_none(text: Vec<u8>) {
        if let Ok(lines) = Lines::new(&text) {
            let (rows, tensors) = lines.bare("b").unwrap();
            prop_assert_eq!(tensors[0].values.len(), rows * tensors[0].columns);
            if lines.count() > 0 && let Ok((rows, tensors)) = lines.named() {
                prop_assert!(tensors.iter().all(|t| t.values.len() == rows));
            }
        }
    }
}
