//! How long a text is, and of which kinds of characters.

/// Counts of characters. A character is a Unicode scalar value; a word is what stands between spaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of UTF-8.
    pub bytes: u64,
    /// Characters.
    pub characters: u64,
    /// Words.
    pub words: u64,
    /// Lines; a last line break begins none.
    pub lines: u64,
    /// Characters beyond ASCII.
    pub non_ascii: u64,
    /// Digits 0 to 9 and those of other scripts.
    pub digits: u64,
    /// Spaces, tabs, line breaks.
    pub whitespace: u64,
    /// Upper-case letters.
    pub upper_case: u64,
}

impl Shape {
    /// Of a text, in one pass.
    pub fn of(text: &str) -> Self {
        let mut shape = Self {
            bytes: text.len() as u64,
            lines: text.lines().count() as u64,
            ..Self::default()
        };
        let mut within_word = false;
        for character in text.chars() {
            let space = character.is_whitespace();
            shape.characters += 1;
            shape.words += u64::from(!space && !within_word);
            shape.non_ascii += u64::from(!character.is_ascii());
            shape.digits += u64::from(character.is_numeric());
            shape.whitespace += u64::from(space);
            shape.upper_case += u64::from(character.is_uppercase());
            within_word = !space;
        }
        shape
    }

    /// A number of characters as a share of all; none of an empty text.
    pub fn share(&self, characters: u64) -> Option<f64> {
        (self.characters > 0).then(|| characters as f64 / self.characters as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_words_and_lines_are_counted_by_hand() {
        let shape = Shape::of("Zwei Wörter,\n3 Zeilen\n\n\tÄ9 ");
        assert_eq!(shape.characters, 27);
        assert_eq!(shape.bytes, 29);
        assert_eq!((shape.words, shape.lines), (5, 4));
        assert_eq!((shape.non_ascii, shape.digits), (2, 2));
        assert_eq!((shape.whitespace, shape.upper_case), (7, 4));
        assert_eq!(shape.share(shape.digits), Some(2.0 / 27.0));
    }

    #[test]
    fn an_empty_text_has_no_share() {
        let shape = Shape::of("");
        assert_eq!(shape, Shape::default());
        assert_eq!(shape.share(0), None);
        assert_eq!(Shape::of("\n").lines, 1);
    }
}
