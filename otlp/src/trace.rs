//! Which trace a step belongs to, and which traces are kept (W3C Trace Context 1; OpenTelemetry's `TraceIdRatioBased` below
//! `ParentBased`). Core: random numbers are parameters.

use std::fmt::Write as _;

/// Longest `traceparent` that is looked at, in bytes: later versions may be longer than the first, which has 55.
const LONGEST: usize = 512;

/// A step of a trace, for those that follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: [u8; 16],
    /// The step.
    pub span: [u8; 8],
    /// Whether the trace is kept.
    pub kept: bool,
}

impl Context {
    /// Reads a `traceparent`. `None` if it is none, or of a version that cannot be read.
    pub fn parse(header: &str) -> Option<Self> {
        if header.len() > LONGEST {
            return None;
        }
        let parts: Vec<&str> = header.trim().split('-').collect();
        let (&[version, trace, span, flags], further) = parts.split_first_chunk::<4>()?;
        let [version] = bytes(version)?;
        // Later versions may go on; the first one does not.
        if version == 0xff || (version == 0 && !further.is_empty()) {
            return None;
        }
        let (trace, span, [flags]) = (bytes(trace)?, bytes(span)?, bytes(flags)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self {
            trace,
            span,
            kept: flags & 1 == 1,
        })
    }

    /// A new trace, kept with that probability. `random` is uniform and not zero: drawn, or the beginning of a digest where
    /// everybody who knows what the trace is about is to come to the same one.
    pub fn begin(ratio: f64, random: &[u8; 24]) -> Self {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&random[..16]);
        span.copy_from_slice(&random[16..]);
        Self {
            trace,
            span,
            kept: is_kept(&trace, ratio),
        }
    }

    /// The next step of the same trace.
    #[must_use]
    pub const fn follow(self, span: [u8; 8]) -> Self {
        Self { span, ..self }
    }

    /// As `traceparent` has it.
    pub fn header(&self) -> String {
        let mut text = "00-".to_owned();
        let digits = |text: &mut String, bytes: &[u8]| {
            for byte in bytes {
                // Writing to a string does not fail.
                let _ = write!(text, "{byte:02x}");
            }
        };
        digits(&mut text, &self.trace);
        text.push('-');
        digits(&mut text, &self.span);
        text.push_str(if self.kept { "-01" } else { "-00" });
        text
    }
}

/// Whether a trace is kept: by its id alone, so that everybody who asks finds the same.
fn is_kept(trace: &[u8; 16], ratio: f64) -> bool {
    let mut last = [0; 8];
    last.copy_from_slice(&trace[8..]);
    // The last seven bytes are the random ones (W3C Trace Context 2).
    let drawn = u64::from_be_bytes(last) & ((1 << 56) - 1);
    ratio >= 1.0 || (drawn as f64) < ratio * (1_u64 << 56) as f64
}

/// Exactly so many bytes of lower-case hex digits.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let lower = |d: &u8| d.is_ascii_digit() || (b'a'..=b'f').contains(d);
    if digits.len() != 2 * N || !digits.iter().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(random in proptest::array::uniform24(1_u8..), kept: bool) {
            let context = Context { kept, ..Context::begin(1.0, &random) };
            prop_assert_eq!(Context::parse(&context.header()), Some(context));
        }

        #[test]
        fn no_header_makes_it_panic(header in "\\PC{0,80}") {
            if let Some(context) = Context::parse(&header) {
                prop_assert_eq!(Context::parse(&context.header()), Some(context));
            }
        }

        #[test]
        fn a_higher_share_keeps_whatever_a_lower_one_keeps(random in proptest::array::uniform24(1_u8..), ratio in 0.0..1.0) {
            let kept = |ratio: f64| Context::begin(ratio, &random).kept;
            prop_assert!(kept(1.0) && !kept(0.0));
            prop_assert!(!kept(ratio / 2.0) || kept(ratio));
        }
    }

    #[test]
    fn headers_are_read_as_the_recommendation_has_them() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(Context::parse(good).is_some_and(|c| c.kept));
        assert!(Context::parse(&good.replace("-01", "-00")).is_some_and(|c| !c.kept));
        // A later version may have more.
        assert!(Context::parse(&format!("cc{}-more", &good[2..])).is_some());
        for bad in [
            format!("{good}-more"),
            good.to_uppercase(),
            good.replace("00-0", "ff-0"),
            good.replace("b7ad6b7169203331", "0000000000000000"),
            good[1..].to_owned(),
            format!("cc{}{}", &good[2..], "-more".repeat(LONGEST)),
        ] {
            assert_eq!(Context::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn about_the_asked_share_is_kept() {
        let mut kept = 0;
        let mut state = 1_u64;
        for _ in 0..10_000 {
            let mut random = [1; 24];
            for chunk in random.chunks_exact_mut(8) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                chunk.copy_from_slice(&state.rotate_left(21).to_le_bytes());
            }
            kept += u32::from(Context::begin(0.1, &random).kept);
        }
        assert!((800..1200).contains(&kept), "{kept}");
    }
}
