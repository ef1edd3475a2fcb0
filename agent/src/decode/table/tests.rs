use clause9_shared::inference::Values;
use proptest::prelude::*;

use super::*;

type Read = Result<(usize, Vec<(String, usize, Values)>), UndecodableReason>;

fn plain((rows, tensors): (usize, Vec<Tensor>)) -> (usize, Vec<(String, usize, Values)>) {
    let plain = |t: Tensor| (t.name.into(), t.columns, t.values);
    (rows, tensors.into_iter().map(plain).collect())
}

fn rows(json: &str) -> Read {
    let mut table = Table::new("bare");
    let read = read(json.as_bytes(), table.rows_or_columns());
    table.checked(read)?;
    table.finish().map(plain)
}

fn column(name: &str, values: Values) -> (String, usize, Values) {
    (name.to_owned(), 1, values)
}

fn text(text: &str) -> Owned {
    Owned::Text(text.into())
}

#[test]
fn rows_of_lists_are_one_tensor() {
    let two = |values| Ok((2, vec![("bare".to_owned(), 2, values)]));
    assert_eq!(
        rows("[[1.5,2],[3,4]]"),
        two(Values::Float(vec![1.5, 2.0, 3.0, 4.0]))
    );
    assert_eq!(
        rows("[[[1],[2]],[[3],[4]]]"),
        two(Values::Int(vec![1, 2, 3, 4]))
    );
    assert_eq!(
        rows(r#"[[1,"a"],[null,{"b64":"w6k="}]]"#),
        two(Values::Mixed(vec![
            Owned::Int(1),
            text("a"),
            Owned::Missing,
            text("é")
        ]))
    );
    assert_eq!(
        rows("[null,[1,2]]"),
        two(Values::Mixed(vec![
            Owned::Missing,
            Owned::Missing,
            Owned::Int(1),
            Owned::Int(2)
        ]))
    );
    assert_eq!(
        rows("7"),
        Ok((1, vec![column("bare", Values::Int(vec![7]))]))
    );
    assert_eq!(
        rows(r#""said""#),
        Ok((1, vec![column("bare", Values::Text(vec!["said".into()]))]))
    );
    assert_eq!(rows("[]"), Ok((0, vec![])));
}

#[test]
fn rows_of_names_are_a_tensor_for_each_name_and_what_lacks_is_a_gap() {
    let read = rows(r#"[{"a":1,"b":"x"},{"b":"y","c":[1,2]},{"c":null,"a":2}]"#).unwrap();
    let gaps = |values: &[i64]| {
        let value = |n: &i64| {
            if *n < 0 {
                Owned::Missing
            } else {
                Owned::Int(*n)
            }
        };
        Values::Mixed(values.iter().map(value).collect())
    };
    let b = vec![text("x"), text("y"), Owned::Missing];
    assert_eq!(
        read,
        (
            3,
            vec![
                column("a", gaps(&[1, -1, 2])),
                column("b", Values::Mixed(b)),
                ("c".to_owned(), 2, gaps(&[-1, -1, 1, 2, -1, -1])),
            ]
        )
    );
    let nested = rows(r#"[{"a":{"b":{"c":1}},"d":{"b64":"/w=="}}]"#).unwrap();
    assert_eq!(
        nested,
        (
            1,
            vec![
                column("a.b.c", Values::Int(vec![1])),
                column("d", Values::Mixed(vec![Owned::Missing]))
            ]
        )
    );
}

#[test]
fn columns_are_tensors_and_those_of_another_length_are_left_out() {
    assert_eq!(
        rows(r#"{"a":[1,2],"batch":[1],"b":[[0.5,1],[2,3]],"c":["x",null],"one":9}"#),
        Ok((
            2,
            vec![
                column("a", Values::Int(vec![1, 2])),
                ("b".to_owned(), 2, Values::Float(vec![0.5, 1.0, 2.0, 3.0])),
                column("c", Values::Mixed(vec![text("x"), Owned::Missing])),
            ]
        ))
    );
    assert_eq!(
        rows(r#"{"p":0.25}"#),
        Ok((1, vec![column("p", Values::Float(vec![0.25]))]))
    );
    assert_eq!(rows("{}"), Ok((0, vec![])));
}

#[test]
fn what_is_no_table_has_its_reason() {
    use UndecodableReason::{Malformed, Unsupported};
    let deep = format!("[{}1{}]", "[".repeat(9), "]".repeat(9));
    let nested = format!("[{}1{}]", r#"{"a":"#.repeat(9), "}".repeat(9));
    let long = format!(r#"[{{"{}":1}}]"#, "n".repeat(257));
    let wide = format!("[[{}1]]", "1,".repeat(MAX_COLUMNS));
    let many = format!("[{}1]", "1,".repeat(MAX_ROWS));
    let empty = format!("[{}{{}}]", "{},".repeat(MAX_ROWS));
    let names: Vec<_> = (0..=MAX_COLUMNS).map(|i| format!(r#""n{i}":1"#)).collect();
    let names = format!("[{{{}}}]", names.join(","));
    // Few bytes that would become many gaps.
    let after = ",{}".repeat(900);
    let wide_row = |i| format!(r#"{after},{{"w{i}":[{}1]}}"#, "1,".repeat(19));
    let gaps = format!(
        r#"[{{"a":1}}{}]"#,
        (0..100).map(wide_row).collect::<Vec<_>>().concat()
    );
    for (json, reason) in [
        ("[[1,2],[3]]", Unsupported),
        ("[1,[2,3]]", Unsupported),
        (r#"[{"a":1,"a":2}]"#, Malformed),
        (r#"[[{"a":1}]]"#, Malformed),
        (r#"[{"b64":"???"}]"#, Malformed),
        (r#"[{"b64":"AA==","x":1}]"#, Unsupported),
        ("[1,NaN]", Malformed),
        ("[1", Malformed),
        ("[1]x", Malformed),
        ("", Malformed),
        (&deep, Malformed),
        (&nested, Malformed),
        (&long, Unsupported),
        (&wide, Unsupported),
        (&many, Unsupported),
        (&empty, Unsupported),
        (&names, Unsupported),
        (&gaps, Unsupported),
    ] {
        assert_eq!(rows(json), Err(reason), "{json:.80}");
    }
    let fits = format!("[[{}1]]", "1,".repeat(MAX_COLUMNS - 1));
    assert_eq!(rows(&fits).unwrap().1[0].1, MAX_COLUMNS);
}

#[test]
fn lines_are_rows() {
    let lines = |text: &str| {
        let mut table = Table::new("bare");
        table.lines(text.as_bytes())?;
        table.finish().map(plain)
    };
    assert_eq!(
        lines("{\"a\":1}\n\n{\"a\":2}\r\n"),
        Ok((2, vec![column("a", Values::Int(vec![1, 2]))]))
    );
    assert_eq!(
        lines("[1,2]\n[3,4]"),
        Ok((
            2,
            vec![("bare".to_owned(), 2, Values::Int(vec![1, 2, 3, 4]))]
        ))
    );
    assert_eq!(lines(" \n"), Ok((0, vec![])));
    assert_eq!(lines("1\nx"), Err(UndecodableReason::Malformed));
}

#[test]
fn a_split_tensor_has_the_types_of_its_columns() {
    let values = Values::Mixed(vec![text("x"), Owned::Int(1), text("y"), Owned::Int(2)]);
    let names = ["a".into(), "b".into()];
    let tensors = split(2, values.clone(), &names).unwrap();
    assert_eq!(
        plain((2, tensors)).1,
        [
            column("a", Values::Text(vec!["x".into(), "y".into()])),
            column("b", Values::Int(vec![1, 2]))
        ]
    );
    assert!(split(3, values, &names).is_err());
}

proptest! {
    #[test]
    fn rows_and_columns_of_the_same_values_are_the_same(
        table in (1_usize..5).prop_flat_map(|width| {
            let cell = proptest::option::of(-1000_i32..1000);
            proptest::collection::vec(proptest::collection::vec(cell, width), 1..20)
        })
    ) {
        let width = table[0].len();
        let cell = |x: Option<i32>| x.map_or("null".to_owned(), |x| x.to_string());
        let row = |row: &Vec<Option<i32>>| {
            let pairs = row.iter().enumerate().map(|(i, x)| format!(r#""c{i}":{}"#, cell(*x)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        };
        let by_row = format!("[{}]", table.iter().map(row).collect::<Vec<_>>().join(","));
        let column = |i: usize| {
            let cells = table.iter().map(|row| cell(row[i]));
            format!(r#""c{i}":[{}]"#, cells.collect::<Vec<_>>().join(","))
        };
        let by_column = format!("{{{}}}", (0..width).map(column).collect::<Vec<_>>().join(","));
        prop_assert_eq!(rows(&by_row), rows(&by_column));
    }
}
