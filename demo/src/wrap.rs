//! Lines that fit the reader's screen.

use std::io::IsTerminal;

/// Columns where the output is no terminal.
const COLUMNS: usize = 100;
/// Columns that are used of a terminal at least: below that, wrapping makes it worse.
const FEWEST: usize = 40;
/// How much further the continuation of a line is indented.
const HANG: usize = 2;

/// Columns of the terminal, or a fixed number if the output is none.
pub(crate) fn columns() -> usize {
    let output = std::io::stdout();
    let size = if output.is_terminal() {
        terminal_size::terminal_size_of(output)
    } else {
        None
    };
    size.map_or(COLUMNS, |(width, _)| usize::from(width.0).max(FEWEST))
}

/// The text with every line cut at spaces into pieces of at most `columns` characters, the later
/// pieces indented further than the first. A word that is longer stays whole.
pub(crate) fn wrap(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| wrap_line(line, columns))
        .collect();
    lines.join("\n")
}

fn wrap_line(line: &str, columns: usize) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hang = " ".repeat(indent + HANG);
    let (mut wrapped, mut rest) = (String::new(), line.to_owned());
    while rest.chars().count() > columns {
        let start = rest.len() - rest.trim_start_matches(' ').len();
        let spaces = || {
            rest.char_indices()
                .enumerate()
                .filter(|(_, (at, c))| *c == ' ' && *at > start)
        };
        let fitting = spaces().take_while(|(column, _)| *column <= columns).last();
        let Some((_, (at, _))) = fitting.or_else(|| spaces().next()) else {
            break;
        };
        wrapped.push_str(rest[..at].trim_end_matches(' '));
        wrapped.push('\n');
        rest = format!("{hang}{}", rest[at..].trim_start_matches(' '));
    }
    wrapped + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_spaces_and_hang_below_their_beginning() {
        assert_eq!(wrap("  a   bc def gh", 9), "  a   bc\n    def\n    gh");
        assert_eq!(wrap("short\n  enough", 8), "short\n  enough");
        assert_eq!(wrap("", 8), "");
    }

    #[test]
    fn a_word_that_does_not_fit_stays_whole() {
        assert_eq!(
            wrap("look: http://127.0.0.1/v1 now", 10),
            "look:\n  http://127.0.0.1/v1\n  now"
        );
        assert_eq!(wrap("http://127.0.0.1/v1", 10), "http://127.0.0.1/v1");
    }

    #[test]
    fn nothing_but_spaces_is_lost() {
        let text =
            "  The share – of «labelled» cases   in which the decision agrees with what turned out";
        for columns in 5..100 {
            let wrapped = wrap(text, columns);
            let words = |t: &str| t.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&wrapped), words(text));
        }
    }
}
