//! In which scripts the letters of a text are, by Unicode's blocks.

/// A script, or family of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Latin.
    Latin,
    /// Greek.
    Greek,
    /// Cyrillic.
    Cyrillic,
    /// Hebrew.
    Hebrew,
    /// Arabic.
    Arabic,
    /// Scripts of India and around.
    Indic,
    /// Thai, Lao, Burmese, Khmer, Tibetan.
    SouthEastAsian,
    /// Chinese characters.
    Han,
    /// Hiragana and katakana.
    Kana,
    /// Hangul.
    Hangul,
    /// Any other.
    Other,
}

impl Script {
    /// Every script.
    pub const ALL: [Self; 11] = [
        Self::Latin,
        Self::Greek,
        Self::Cyrillic,
        Self::Hebrew,
        Self::Arabic,
        Self::Indic,
        Self::SouthEastAsian,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Other,
    ];

    /// Its name as a number of a text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latin => "latin_share",
            Self::Greek => "greek_share",
            Self::Cyrillic => "cyrillic_share",
            Self::Hebrew => "hebrew_share",
            Self::Arabic => "arabic_share",
            Self::Indic => "indic_share",
            Self::SouthEastAsian => "south_east_asian_share",
            Self::Han => "han_share",
            Self::Kana => "kana_share",
            Self::Hangul => "hangul_share",
            Self::Other => "other_script_share",
        }
    }

    const fn of(letter: char) -> Self {
        match letter as u32 {
            0..=0x024f | 0x1e00..=0x1eff | 0x2c60..=0x2c7f | 0xa720..=0xa7ff | 0xff21..=0xff5a => {
                Self::Latin
            }
            0x0370..=0x03ff | 0x1f00..=0x1fff => Self::Greek,
            0x0400..=0x052f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Self::Cyrillic,
            0x0590..=0x05ff | 0xfb1d..=0xfb4f => Self::Hebrew,
            0x0600..=0x06ff
            | 0x0750..=0x077f
            | 0x08a0..=0x08ff
            | 0xfb50..=0xfdff
            | 0xfe70..=0xfeff => Self::Arabic,
            0x0900..=0x0dff => Self::Indic,
            0x0e00..=0x109f | 0x1780..=0x17ff => Self::SouthEastAsian,
            0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff => Self::Han,
            0x3040..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9f => Self::Kana,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xa960..=0xa97f | 0xac00..=0xd7ff => Self::Hangul,
            _ => Self::Other,
        }
    }
}

/// Letters by script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptMix {
    letters: [u64; Script::ALL.len()],
}

impl ScriptMix {
    /// Of a text, in one pass.
    pub fn of(text: &str) -> Self {
        let mut mix = Self::default();
        for letter in text.chars().filter(|c| c.is_alphabetic()) {
            mix.letters[Script::of(letter) as usize] += 1;
        }
        mix
    }

    /// Letters of a script.
    pub const fn letters(&self, script: Script) -> u64 {
        self.letters[script as usize]
    }

    /// The share of letters that are of a script; none in a text without letters.
    pub fn share(&self, script: Script) -> Option<f64> {
        let all: u64 = self.letters.iter().sum();
        (all > 0).then(|| self.letters(script) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_is_told_from_the_others() {
        for (text, script) in [
            ("Straße", Script::Latin),
            ("λόγος", Script::Greek),
            ("слово", Script::Cyrillic),
            ("מילה", Script::Hebrew),
            ("كلمة", Script::Arabic),
            ("शब्द", Script::Indic),
            ("คำ", Script::SouthEastAsian),
            ("单词", Script::Han),
            ("ことば", Script::Kana),
            ("단어", Script::Hangul),
            ("բառ", Script::Other),
        ] {
            assert_eq!(ScriptMix::of(text).share(script), Some(1.0), "{text}");
        }
    }

    #[test]
    fn shares_are_of_letters_only() {
        let mix = ScriptMix::of("ab яя 123 !!");
        assert_eq!(mix.share(Script::Latin), Some(0.5));
        assert_eq!(mix.share(Script::Cyrillic), Some(0.5));
        assert_eq!(ScriptMix::of("123").share(Script::Latin), None);
    }
}
