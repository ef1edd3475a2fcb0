use proptest::prelude::*;

use super::*;

fn read(stream: &str) -> Vec<String> {
    events(stream.as_bytes())
        .map(|data| String::from_utf8(data.into_owned()).unwrap())
        .collect()
}

#[test]
fn events_end_with_an_empty_line_and_their_lines_are_joined() {
    for end in ["\n", "\r\n", "\r"] {
        let stream = [
            "\u{feff}: a comment",
            "event: message",
            "data: one",
            "id: 7",
            "data:two",
            "data",
            "",
            "",
            "retry: 10",
            "",
            "data:  three",
            "database: x",
            "",
            "data: four",
        ];
        let stream = stream.join(end);
        assert_eq!(read(&stream), ["one\ntwo\n", " three", "four"], "{end:?}");
    }
}

#[test]
fn a_stream_without_data_has_no_events() {
    for stream in ["", "\n\n", ": ping\n\n", "event: x\n\n", "datas: 1\n\n"] {
        assert!(read(stream).is_empty(), "{stream:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_some_events(stream: Vec<u8>) {
        let read: usize = events(&stream).map(|data| data.len()).sum();
        prop_assert!(read <= stream.len());
    }

    #[test]
    fn what_was_written_is_read(texts in proptest::collection::vec("[ -~]{1,9}(\n[ -~]{1,9})?", 0..6)) {
        let line = |line: &str| format!("data: {line}\r\n");
        let event = |text: &String| text.lines().map(line).collect::<Vec<_>>().concat() + "\r\n";
        let written = texts.iter().map(event).collect::<Vec<_>>().concat();
        prop_assert_eq!(read(&written), texts);
    }
}
