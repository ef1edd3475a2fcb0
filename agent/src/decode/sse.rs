//! Events of a `text/event-stream` (WHATWG HTML, server-sent events): the data of each, whatever pieces
//! and line ends it came in. Names, ids and comments are left out.

use std::borrow::Cow;

/// The data of each event of a whole stream.
pub(crate) fn events(stream: &[u8]) -> Events<'_> {
    let mark = b"\xef\xbb\xbf";
    Events(stream.strip_prefix(mark).unwrap_or(stream))
}

/// See [`events`].
pub(crate) struct Events<'a>(&'a [u8]);

impl<'a> Events<'a> {
    /// The next line without its end: a line feed, a carriage return, or both.
    fn line(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let Some(end) = end else {
            return Some(std::mem::take(&mut self.0));
        };
        let (line, rest) = self.0.split_at(end);
        let both = rest.starts_with(b"\r\n");
        self.0 = &rest[if both { 2 } else { 1 }..];
        Some(line)
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut data: Option<Cow<'a, [u8]>> = None;
        while let Some(line) = self.line() {
            if line.is_empty() {
                if data.is_some() {
                    return data;
                }
                continue;
            }
            let Some(rest) = line.strip_prefix(b"data") else {
                continue;
            };
            let value = match rest.strip_prefix(b":") {
                Some(value) => value.strip_prefix(b" ").unwrap_or(value),
                None if rest.is_empty() => rest,
                None => continue,
            };
            match &mut data {
                None => data = Some(value.into()),
                Some(known) => {
                    let known = known.to_mut();
                    known.push(b'\n');
                    known.extend_from_slice(value);
                }
            }
        }
        // Some servers leave out the empty line after the last event.
        data
    }
}

#[cfg(test)]
mod tests;
