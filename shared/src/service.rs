//! How the model was served: what is known of one answer apart from what it says. Telemetry of the
//! model, not of the monitor.

/// One answer as the caller had it. What is not known is left out, not taken for 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// From the request's arrival to the answer's last byte, in seconds.
    pub latency: Option<f64>,
    /// From the request's arrival to the first byte of the answer's body, in seconds; to the last
    /// one where there is no body.
    pub first_byte: Option<f64>,
    /// Bytes of the request's body.
    pub request_bytes: Option<f64>,
    /// Bytes of the answer's body.
    pub response_bytes: Option<f64>,
    /// Status of the answer (RFC 9110).
    pub status: Option<u16>,
}

/// What of an answer is summarised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// How answers ended.
    Answers,
    /// Time to the last byte.
    Latency,
    /// Time to the first byte.
    FirstByte,
    /// Bytes of requests.
    RequestBytes,
    /// Bytes of answers.
    ResponseBytes,
}

impl Facet {
    /// Every facet. Order is wire format: append, never reorder.
    pub const ALL: [Self; 5] = [
        Self::Answers,
        Self::Latency,
        Self::FirstByte,
        Self::RequestBytes,
        Self::ResponseBytes,
    ];

    /// Those that are numbers.
    pub const NUMBERS: [Self; 4] = [
        Self::Latency,
        Self::FirstByte,
        Self::RequestBytes,
        Self::ResponseBytes,
    ];

    /// The word used in documents and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Latency => "latency",
            Self::FirstByte => "first_byte",
            Self::RequestBytes => "request_bytes",
            Self::ResponseBytes => "response_bytes",
        }
    }

    /// Histograms of it are finest where its numbers are about this power of two: times from 1 us to
    /// 17 minutes, sizes from 1 byte to 1 GiB have cells of their own.
    pub const fn scale_exponent(self) -> i32 {
        match self {
            Self::Latency | Self::FirstByte => -10,
            Self::Answers | Self::RequestBytes | Self::ResponseBytes => 10,
        }
    }

    /// Whether its numbers are whole.
    pub const fn is_whole(self) -> bool {
        match self {
            Self::Latency | Self::FirstByte => false,
            Self::Answers | Self::RequestBytes | Self::ResponseBytes => true,
        }
    }

    /// The number of an answer, if it is one and is known; it is never below 0.
    pub fn number(self, served: &Served) -> Option<f64> {
        let number = match self {
            Self::Answers => None,
            Self::Latency => served.latency,
            Self::FirstByte => served.first_byte,
            Self::RequestBytes => served.request_bytes,
            Self::ResponseBytes => served.response_bytes,
        };
        number.filter(|x| x.is_finite() && *x >= 0.0)
    }
}
