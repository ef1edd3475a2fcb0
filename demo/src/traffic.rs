//! Production as requests: which rows travel together, through which replica, what else comes
//! along the way, and which late records follow in which pane. Pure and seeded.

use std::collections::BTreeMap;
use std::ops::Range;

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;

use crate::production::{Late, Production};
use crate::random::Random;

/// Replicas of the agent in front of the model server.
pub(crate) const REPLICAS: usize = 2;
/// Most rows that one request carries.
pub(crate) const MAX_ROWS: usize = 8;
/// One other request (health check, mistake) comes along with about this many predictions.
const OTHERS: usize = 25;

/// One HTTP request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its id, which late records will name.
    pub(crate) id: String,
    /// When it comes.
    pub(crate) at: Timestamp,
    /// Which replica it goes through.
    pub(crate) replica: usize,
    /// What it asks.
    pub(crate) ask: Ask,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Predictions for these positions of production.
    Predict(Range<usize>),
    /// Whether the server is ready: no inference.
    Health,
    /// What the model is: no inference.
    Metadata,
    /// A prediction of a model that does not exist.
    UnknownModel(Range<usize>),
    /// A prediction whose body is cut off.
    CutOff(Range<usize>),
}

/// A late record on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The replica that served the request.
    pub(crate) replica: usize,
    /// The request's id.
    pub(crate) request: String,
    /// The row within the request.
    pub(crate) row: usize,
    /// What became known, and when.
    pub(crate) late: Late,
}

/// Everything that happens in one pane, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pane {
    /// The pane.
    pub(crate) start: PaneStart,
    /// Requests that arrive in it.
    pub(crate) requests: Vec<Request>,
    /// Late records that become known in it.
    pub(crate) deliveries: Vec<Delivery>,
}

/// Lays production out in panes, from the first row to the last late record, none left out.
pub(crate) fn panes(name: &str, production: &Production, length: Span, seed: u64) -> Vec<Pane> {
    let mut by_start = BTreeMap::<PaneStart, Pane>::new();
    let mut served = Vec::with_capacity(production.rows.len());
    for request in requests(name, production, length, seed) {
        if let Ask::Predict(rows) = &request.ask {
            let one = (request.replica, request.id.clone());
            served.extend(rows.clone().map(|p| (one.clone(), p - rows.start)));
        }
        let start = PaneStart::of(request.at, length);
        pane(&mut by_start, start).requests.push(request);
    }
    for late in &production.late {
        let ((replica, request), row) = served[late.position].clone();
        let start = PaneStart::of(late.available_at, length);
        pane(&mut by_start, start).deliveries.push(Delivery {
            replica,
            request,
            row,
            late: late.clone(),
        });
    }
    let Some((first, last)) = by_start.keys().next().zip(by_start.keys().last()) else {
        return Vec::new();
    };
    let (mut at, last) = (*first, *last);
    while at < last {
        at = at.next(length);
        pane(&mut by_start, at);
    }
    by_start.into_values().collect()
}

fn pane(by_start: &mut BTreeMap<PaneStart, Pane>, start: PaneStart) -> &mut Pane {
    by_start.entry(start).or_insert_with(|| Pane {
        start,
        requests: Vec::new(),
        deliveries: Vec::new(),
    })
}

/// Cuts rows into requests of 1 to [`MAX_ROWS`] rows, each within one pane, with a few others
/// between them.
fn requests(name: &str, production: &Production, length: Span, seed: u64) -> Vec<Request> {
    let rows = &production.rows;
    let mut random = Random::new(seed);
    let mut requests = Vec::new();
    let mut next = 0;
    while next < rows.len() {
        let first = rows[next];
        let pane = PaneStart::of(first.at, length);
        let most = rows.len().min(next + 1 + random.below(MAX_ROWS));
        let end = next + rows[next..most].partition_point(|r| r.at < pane.end(length));
        let mut push = |tag: &str, ask: Ask, random: &mut Random| {
            requests.push(Request {
                id: format!("{name}-{next}{tag}"),
                at: first.at,
                replica: random.below(REPLICAS),
                ask,
            });
        };
        push("", Ask::Predict(next..end), &mut random);
        match random.below(OTHERS * 8) {
            0..=4 => push("-health", Ask::Health, &mut random),
            5 => push("-metadata", Ask::Metadata, &mut random),
            6 => push("-unknown-model", Ask::UnknownModel(next..end), &mut random),
            7 => push("-cut-off", Ask::CutOff(next..end), &mut random),
            _ => {}
        }
        next = end;
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseName;
    use crate::production::Production;

    const WEEK: Span = Span::from_days(7);

    fn car_loan() -> (Production, Vec<Pane>) {
        let production = Production::read(CaseName::CarLoan.case(), None, None).unwrap();
        let panes = panes("car-loan", &production, WEEK, 1);
        (production, panes)
    }

    #[test]
    fn every_row_is_asked_for_once_in_its_own_pane() {
        let (production, panes) = car_loan();
        let mut next = 0;
        for pane in &panes {
            for request in &pane.requests {
                if let Ask::Predict(rows) = &request.ask {
                    assert_eq!(rows.start, next, "rows come in order, none twice");
                    assert!((1..=MAX_ROWS).contains(&rows.len()));
                    assert_eq!(request.at, production.rows[rows.start].at);
                    for row in rows.clone() {
                        let at = production.rows[row].at;
                        assert_eq!(PaneStart::of(at, WEEK), pane.start);
                    }
                    next = rows.end;
                }
            }
        }
        assert_eq!(next, production.rows.len());
    }

    #[test]
    fn every_late_record_goes_to_the_replica_that_served_its_row() {
        let (production, panes) = car_loan();
        let mut served = BTreeMap::new();
        let mut delivered = 0;
        for pane in &panes {
            for request in &pane.requests {
                if let Ask::Predict(rows) = &request.ask {
                    served.insert(request.id.clone(), (request.replica, rows.clone()));
                }
            }
            for delivery in &pane.deliveries {
                let (replica, rows) = &served[&delivery.request];
                assert_eq!(*replica, delivery.replica);
                assert_eq!(rows.start + delivery.row, delivery.late.position);
                let at = delivery.late.available_at;
                assert_eq!(PaneStart::of(at, WEEK), pane.start);
                delivered += 1;
            }
        }
        assert_eq!(delivered, production.late.len());
    }

    #[test]
    fn panes_follow_one_another_without_a_hole_and_repeat_with_the_seed() {
        let (production, all) = car_loan();
        for pair in all.windows(2) {
            assert_eq!(pair[0].start.next(WEEK), pair[1].start);
        }
        assert_eq!(all, panes("car-loan", &production, WEEK, 1));
        assert_ne!(all, panes("car-loan", &production, WEEK, 2));
        let of = |replica| {
            let requests = all.iter().flat_map(|p| &p.requests);
            requests.filter(|r| r.replica == replica).count()
        };
        assert!(of(0) > 1000 && of(1) > 1000);
        let odd = all.iter().flat_map(|p| &p.requests);
        let odd = odd.filter(|r| !matches!(r.ask, Ask::Predict(_))).count();
        assert!((100..1000).contains(&odd), "{odd}");
    }
}
