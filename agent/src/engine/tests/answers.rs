//! How exchanges were answered: what is counted, of which of them, and by which chance.

use clause9_shared::objective::service::Service;
use clause9_shared::service::{Facet, Served};
use clause9_shared::sketch::{StatusClass, SummaryKey, SummaryKind, SummaryOf, Traffic};

use super::*;
use crate::engine::Answer;

fn serving(rate: f64) -> Settings {
    let before = settings(rate);
    let mut document = document();
    document.service = Some(Service::default());
    let plan = CapturePlan::new(&document, before.plan.baseline()).unwrap();
    Settings {
        plan: Arc::new(plan),
        ..before
    }
}

fn answered(id: &str, status: u16, model: &str) -> Input {
    let decoded = if status == 200 {
        Ok(inference(Some(id), 2))
    } else {
        Err(Undecoded::Undecodable(UndecodableReason::UpstreamError))
    };
    let Input::Exchange(mut exchange) = looked(minute(0), decoded) else {
        panic!("an exchange")
    };
    exchange.answer = Some(Answer {
        served: Served {
            latency: Some(0.125),
            first_byte: Some(0.0625),
            request_bytes: Some(64.0),
            response_bytes: Some(16.0),
            status: Some(status),
        },
        model: Some(model.into()),
        request_id: (status != 200).then(|| id.as_bytes().into()),
    });
    Input::Exchange(exchange)
}

/// All that a pane ships of traffic, added up as the collector does.
fn counted(items: &[ClosedWindow], settings: &Settings) -> Traffic {
    let mut sum = settings.plan.empty_traffic();
    for item in items {
        sum.merge(&PaneSummary::from_bytes(&item.summary).unwrap())
            .unwrap();
    }
    let key = SummaryKey::new(SummaryOf::Service(Facet::Answers), SummaryKind::Traffic);
    Traffic::of(sum.get(&key).unwrap()).unwrap().clone()
}

#[test]
fn errors_are_kept_by_the_same_chance_as_other_answers() {
    let settings = serving(0.25);
    let mut world = World::new(settings.clone());
    for i in 0..8000 {
        let status = if i % 10 == 0 { 503 } else { 200 };
        world.tell(answered(&format!("r{i}"), status, "toy"), 1);
    }
    let items = world.close(0, 8000);
    let found = counted(&items, &settings);
    let errors = found.of_class(StatusClass::ServerError);
    // Five standard deviations of 800 and of 8000 at a chance of a quarter.
    assert!((139..=261).contains(&errors), "{errors}");
    assert!((1806..=2194).contains(&found.answers()), "{found:?}");
    assert_eq!(found.requests(), 8000);
    let coverage = traffic(&items);
    assert_eq!(coverage.sampled, found.of_class(StatusClass::Success));
    assert_eq!(coverage.upstream_errors, 800);
}

#[test]
fn answers_of_other_systems_models_are_not_counted() {
    let settings = serving(1.0);
    let mut world = World::new(settings.clone());
    world.tell(answered("a", 500, "other"), 1);
    world.tell(answered("b", 500, "toy"), 1);
    world.tell(answered("c", 200, "toy"), 1);
    let found = counted(&world.close(0, 3), &settings);
    assert_eq!(found.of_class(StatusClass::ServerError), 1);
    assert_eq!(found.answers(), 2);
}

#[test]
fn a_stopped_pane_ships_its_answers_and_requests_once() {
    let settings = serving(1.0);
    let mut world = World::new(settings.clone());
    world.tell(answered("a", 200, "toy"), 1);
    let socket = SocketCounts {
        seen: 1,
        ..SocketCounts::default()
    };
    world.tell(Input::Stop(vec![(minute(0), socket)]), 2);
    let found = counted(&world.shipped(), &settings);
    assert_eq!((found.answers(), found.requests()), (1, 1));
}

#[test]
fn without_a_service_in_the_document_nothing_is_kept_of_it() {
    let mut world = World::new(settings(1.0));
    world.tell(answered("a", 500, "toy"), 1);
    let items = world.close(0, 1);
    let summary = PaneSummary::from_bytes(&items[0].summary).unwrap();
    assert_eq!(summary, plan().empty_traffic());
}
