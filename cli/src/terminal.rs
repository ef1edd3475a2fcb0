//! Writing for people: problems with the line they stand on, colours only where they are seen.
//! What comes from files is shown without control characters, which could redraw the terminal.

use std::io::{self, IsTerminal as _, Write};

use clause9_shared::yaml::Problem;

/// Widest part of a line that is shown, in characters.
const WIDEST: usize = 120;

/// Where output goes.
pub(crate) struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    out_colours: bool,
    err_colours: bool,
}

#[derive(Clone, Copy)]
enum Style {
    Bad,
    Good,
    Quiet,
    Strong,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bad => "\x1b[1;31m",
            Self::Good => "\x1b[32m",
            Self::Quiet => "\x1b[2m",
            Self::Strong => "\x1b[1m",
        }
    }
}

impl Terminal {
    /// Standard output and standard error.
    pub(crate) fn standard() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self {
            out_colours: wanted && io::stdout().is_terminal(),
            err_colours: wanted && io::stderr().is_terminal(),
            out: Box::new(io::stdout().lock()),
            err: Box::new(io::stderr()),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        paint(self.out_colours, style, text)
    }

    /// A problem, and the line of `text` that it stands on.
    pub(crate) fn problem(&mut self, problem: &Problem, text: Option<&str>) -> io::Result<()> {
        let place = format!("{}:{}:{}:", problem.file, problem.line, problem.column);
        let place = self.paint(Style::Strong, &printable(&place));
        writeln!(self.out, "{place} {}", printable(&problem.message))?;
        let line = text.and_then(|t| t.lines().nth(problem.line - 1));
        let Some(line) = line.filter(|l| !l.trim().is_empty()) else {
            return Ok(());
        };
        let (shown, before) = excerpt(line, problem.column - 1);
        let number = problem.line.to_string();
        let gutter = " ".repeat(number.len());
        let number = self.paint(Style::Quiet, &format!("{number} |"));
        let bar = self.paint(Style::Quiet, &format!("{gutter} |"));
        let caret = self.paint(Style::Bad, "^");
        writeln!(self.out, "{number} {shown}")?;
        writeln!(self.out, "{bar} {}{caret}", " ".repeat(before))
    }

    /// Good news about a file.
    pub(crate) fn good(&mut self, file: &str, word: &str, rest: &str) -> io::Result<()> {
        let file = self.paint(Style::Strong, &printable(&format!("{file}:")));
        let word = self.paint(Style::Good, word);
        writeln!(self.out, "{file} {word}: {}", printable(rest))
    }

    /// A line of plain words.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))
    }

    /// Text for programs as it is.
    pub(crate) fn raw(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// An answer for programs, on a line of its own.
    pub(crate) fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        writeln!(self.out, "{value}")
    }

    /// Something worth knowing that is no mistake; beside the answer, never in it.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        let word = paint(self.err_colours, Style::Strong, "note:");
        writeln!(self.err, "{word} {}", printable(text))
    }

    /// Why the command could not be done. Nothing is left to do if this cannot be written either.
    pub(crate) fn fault(&mut self, error: &anyhow::Error) {
        let word = paint(self.err_colours, Style::Bad, "error:");
        let _ = writeln!(self.err, "{word} {}", printable(&format!("{error:#}")));
    }
}

fn paint(colours: bool, style: Style, text: &str) -> String {
    if colours {
        format!("{}{text}\x1b[0m", style.code())
    } else {
        text.to_owned()
    }
}

/// The text with a mark in place of every control character.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// The part of a line around a column (from 0), and how many characters of it stand before it.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line.chars().collect();
    let column = column.min(chars.len());
    let start = if chars.len() <= WIDEST {
        0
    } else {
        column.saturating_sub(WIDEST / 2)
    };
    let end = chars.len().min(start + WIDEST);
    let part: String = chars[start..end].iter().collect();
    // A tab is one column of the problem, so it is shown as one.
    (printable(&part.replace('\t', " ")), column - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stays_under_its_column() {
        assert_eq!(excerpt("\tab", 1), (" ab".to_owned(), 1));
        let long = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let (shown, before) = excerpt(&long, 500);
        assert_eq!(shown.chars().count(), WIDEST);
        assert_eq!(shown.chars().nth(before), Some('X'));
        assert_eq!(excerpt("ab", 9).1, 2);
    }

    #[test]
    fn files_cannot_redraw_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
