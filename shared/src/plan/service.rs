//! Which summaries are kept of how the model is served, and how an answer is counted in them.

use crate::objective::document::Document;
use crate::objective::service::Service;
use crate::plan::layout::place;
use crate::plan::observe::count;
use crate::service::{Facet, Served};
use crate::sketch::{
    CutCounts, Histogram, Moments, PaneSummary, StatusClass, Summary, SummaryKey, SummaryKind,
    SummaryOf, Traffic,
};

/// The summaries of a service with nothing in them. None if its limits are none.
pub(super) fn summaries(service: &Service) -> Option<Vec<(SummaryKey, Summary)>> {
    let mut all = vec![keyed(Facet::Answers, Summary::Traffic(Traffic::new()))];
    for facet in Facet::NUMBERS {
        let scale = facet.scale_exponent();
        all.push(keyed(
            facet,
            Summary::Histogram(Histogram::new(0.0, scale)?),
        ));
        all.push(keyed(facet, Summary::Moments(Moments::new(0.0, scale)?)));
        let cuts = CutCounts::new(&service.points(facet))?;
        all.push(keyed(facet, Summary::CutCounts(cuts)));
    }
    Some(all)
}

fn keyed(facet: Facet, summary: Summary) -> (SummaryKey, Summary) {
    let key = SummaryKey::new(SummaryOf::Service(facet), summary.kind());
    (key, summary)
}

/// Where the counts of a number are.
#[derive(Clone, Copy, Debug)]
struct NumberSlots {
    facet: Facet,
    histogram: usize,
    moments: usize,
    cuts: usize,
}

/// Where the counts of the service are.
#[derive(Clone, Debug)]
pub(super) struct ServiceSlots {
    answers: usize,
    numbers: Vec<NumberSlots>,
}

impl ServiceSlots {
    /// Resolves them; none if the document asks for none.
    pub(super) fn new(document: &Document, traffic: &PaneSummary) -> Option<Self> {
        document.service.as_ref()?;
        let at = |facet, kind| place(traffic, SummaryOf::Service(facet), kind);
        let numbers = Facet::NUMBERS.iter().map(|facet| {
            Some(NumberSlots {
                facet: *facet,
                histogram: at(*facet, SummaryKind::Histogram)?,
                moments: at(*facet, SummaryKind::Moments)?,
                cuts: at(*facet, SummaryKind::CutCounts)?,
            })
        });
        Some(Self {
            answers: at(Facet::Answers, SummaryKind::Traffic)?,
            numbers: numbers.collect::<Option<_>>()?,
        })
    }

    /// Counts an answer.
    pub(super) fn serve(&self, served: &Served, into: &mut PaneSummary) {
        if let Some(status) = served.status {
            let empty = served.response_bytes == Some(0.0);
            count(into, self.answers, Traffic::of_mut, |t| {
                t.add_answer(StatusClass::of(status), empty);
            });
        }
        for slots in &self.numbers {
            if let Some(x) = slots.facet.number(served) {
                count(into, slots.histogram, Histogram::of_mut, |h| h.add(x));
                count(into, slots.moments, Moments::of_mut, |m| m.add(x));
                count(into, slots.cuts, CutCounts::of_mut, |c| c.add(x));
            }
        }
    }

    /// Counts requests as they came in.
    pub(super) fn requests(&self, requests: u64, into: &mut PaneSummary) {
        count(into, self.answers, Traffic::of_mut, |t| {
            t.add_requests(requests);
        });
    }
}
