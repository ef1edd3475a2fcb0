//! S12: how many requests came and how their answers ended, by class of status.

use crate::sketch::{MAX_VARINT, MergeError, Sketch, add_totals, bump, sum_of};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Class of an answer's status (RFC 9110, section 15). Order is wire format: append, never reorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// 100 to 199.
    Informational,
    /// 200 to 299: the request was taken and answered.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499: the request was refused as wrong.
    ClientError,
    /// 500 to 599: the server failed, or could not be reached.
    ServerError,
    /// Any other number.
    Other,
}

impl StatusClass {
    /// Every class, in wire order.
    pub const ALL: [Self; 6] = [
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
        Self::Other,
    ];

    /// The class of a status.
    pub const fn of(status: u16) -> Self {
        match status / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::Other,
        }
    }
}

/// Counts of requests and of answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    requests: u64,
    classes: [u64; StatusClass::ALL.len()],
    empty: u64,
}

impl Traffic {
    /// Counts with nothing in them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts requests as they came in, sampled or not.
    pub fn add_requests(&mut self, requests: u64) {
        self.requests = self.requests.saturating_add(requests);
    }

    /// Counts a sampled answer. `empty`: it says nothing; noted of successes only.
    pub fn add_answer(&mut self, class: StatusClass, empty: bool) {
        bump(&mut self.classes[class as usize]);
        if empty && class == StatusClass::Success {
            bump(&mut self.empty);
        }
    }

    /// Requests that came in, sampled or not.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Sampled answers of a class.
    pub const fn of_class(&self, class: StatusClass) -> u64 {
        self.classes[class as usize]
    }

    /// Sampled answers.
    pub fn answers(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// Sampled successes that say nothing.
    pub const fn empty(&self) -> u64 {
        self.empty
    }
}

impl Sketch for Traffic {
    const MAX_BYTES: usize = (2 + StatusClass::ALL.len()) * MAX_VARINT;

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        add_totals(self.requests, other.requests)?;
        add_totals(self.answers(), other.answers())?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.requests += other.requests;
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            *mine += theirs;
        }
        self.empty += other.empty;
    }
}

impl Encode for Traffic {
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.requests);
        for count in self.classes {
            w.unsigned(count);
        }
        w.unsigned(self.empty);
    }
}

impl Decode for Traffic {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut read = Self {
            requests: r.unsigned()?,
            ..Self::default()
        };
        for count in &mut read.classes {
            *count = r.unsigned()?;
        }
        sum_of(&read.classes)?;
        read.empty = r.unsigned()?;
        if read.empty > read.of_class(StatusClass::Success) {
            return Err(Malformed::Value("count of empty answers"));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_one_class_and_emptiness_is_noted_of_successes_only() {
        let mut traffic = Traffic::new();
        for status in [0, 99, 100, 200, 204, 302, 404, 422, 500, 503, 600] {
            traffic.add_answer(StatusClass::of(status), true);
        }
        let counts = StatusClass::ALL.map(|class| traffic.of_class(class));
        assert_eq!(counts, [1, 2, 1, 2, 2, 3]);
        assert_eq!((traffic.answers(), traffic.empty()), (11, 2));
    }
}
