//! Where panes begin and end: at whole multiples of their length, and from a point on of another one.

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;

/// How far a common beginning may lie ahead.
const MAX_WAIT: Span = Span::from_days(1);

/// Panes of two lengths do not begin together within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "panes of {now} and of {then} do not begin together within a day; start the agent again to change their length"
)]
pub struct NoCommonBeginning {
    /// The length now.
    pub now: Span,
    /// The length that is wanted.
    pub then: Span,
}

/// The beginnings of panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    length: Span,
    /// From when on panes are of which length.
    next: Option<(Timestamp, Span)>,
}

impl Grid {
    pub(super) const fn new(length: Span) -> Self {
        Self { length, next: None }
    }

    fn length_at(&self, at: Timestamp) -> Span {
        match self.next {
            Some((from, length)) if at >= from => length,
            Some(_) | None => self.length,
        }
    }

    /// The pane that a time belongs to.
    pub(super) fn pane(&self, at: Timestamp) -> PaneStart {
        PaneStart::of(at, self.length_at(at))
    }

    /// The end of a pane.
    pub(super) fn end(&self, pane: PaneStart) -> Timestamp {
        pane.end(self.length_at(pane.0))
    }

    /// Panes are of this length from the first common beginning after the pane of that time.
    pub(super) fn change(
        &mut self,
        length: Span,
        begun: Timestamp,
    ) -> Result<Timestamp, NoCommonBeginning> {
        let end = self.end(self.pane(begun));
        let refused = NoCommonBeginning {
            now: self.length,
            then: length,
        };
        let step = common(self.length, length).ok_or(refused)?;
        let before = PaneStart::of(end, step).0;
        let from = if before < end { before + step } else { before };
        self.next = Some((from, length));
        Ok(from)
    }

    /// What is closed needs no length any more.
    pub(super) fn pass(&mut self, watermark: Timestamp) {
        if let Some((_, length)) = self.next.filter(|(from, _)| *from <= watermark) {
            *self = Self::new(length);
        }
    }
}

/// The shortest length that is a multiple of both, if it is not too long.
fn common(one: Span, other: Span) -> Option<Span> {
    if one == other {
        return Some(one);
    }
    let (mut a, mut b) = (one.micros().max(1), other.micros().max(1));
    let product = a.checked_mul(b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Span::from_micros(product? / a).filter(|step| *step <= MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn lengths_change_where_panes_of_both_begin() {
        for (now, then, begun, from) in [
            (60, 60, 61, 120),
            (60, 300, 61, 300),
            (300, 60, 61, 300),
            (60, 300, 299, 300),
            (40, 60, 1, 120),
        ] {
            let mut grid = Grid::new(Span::from_secs(now));
            let changed = grid.change(Span::from_secs(then), at(begun));
            assert_eq!(changed, Ok(at(from)), "{now} to {then} at {begun}");
            assert_eq!(grid.pane(at(from)).0, at(from));
            assert_eq!(grid.end(grid.pane(at(from - 1))), at(from));
            grid.pass(at(from));
            assert_eq!(grid, Grid::new(Span::from_secs(then)));
        }
    }

    #[test]
    fn lengths_without_a_common_beginning_are_refused() {
        let mut grid = Grid::new(Span::from_secs(3607));
        let refused = grid.change(Span::from_secs(3593), at(5));
        assert!(refused.is_err());
        assert_eq!(grid, Grid::new(Span::from_secs(3607)), "nothing changed");
        let mut long = Grid::new(Span::from_days(7));
        assert!(long.change(Span::from_days(7), at(5)).is_ok());
    }
}
