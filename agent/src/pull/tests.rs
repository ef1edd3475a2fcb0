use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::canonical;
use clause9_shared::inference::Cell;
use clause9_shared::objective::{self, Document};

use super::*;
use crate::config::CollectorTlsConfig;
use crate::telemetry::Telemetry;

const OBJECTIVES: &str = include_str!("../../../tests/fixtures/agent/objectives.yaml");

/// Both documents of a system, as a collector gives them.
fn documents(objectives: &str) -> (Named, String, String) {
    let document = objective::load("objectives.yaml", objectives).unwrap();
    let mut builder = BaselineBuilder::new(&document, "reference");
    for i in 0..100 {
        builder.observe(0, Cell::Float(f64::from(i)));
        builder.observe_score(f64::from(i) / 100.0);
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    let texts = [
        canonical::to_json(&document).unwrap(),
        baseline.to_json().unwrap(),
    ];
    let [objectives, baseline] = texts;
    (named(&objectives, &baseline), objectives, baseline)
}

fn named(objectives: &str, baseline: &str) -> Named {
    Named {
        system: "toy".parse().unwrap(),
        objectives: Document::named_by(objectives.as_bytes()),
        baseline: Baseline::named_by(baseline.as_bytes()),
    }
}

/// What a collector answers next, and what it was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<Vec<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn say(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.answers.lock().unwrap().push(text);
    }

    /// Gives documents, as a collector that has them does.
    fn give(&self, (named, objectives, baseline): &(Named, String, String)) {
        self.say("200 OK", "", &serde_json::to_string(named).unwrap());
        self.say("200 OK", "", objectives);
        self.say("200 OK", "", baseline);
    }

    fn listen(&self) -> Url {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = self.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut head, mut byte) = (Vec::new(), [0; 1]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                this.asked.lock().unwrap().push(head);
                let answer = this.answers.lock().unwrap().remove(0);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        format!("http://127.0.0.1:{port}/").parse().unwrap()
    }
}

/// An agent of which only this part is real.
struct Ground {
    script: Script,
    folder: tempfile::TempDir,
    puller: Puller,
    monitor: mpsc::Receiver<Command>,
    standing: Arc<Standing>,
}

impl Ground {
    fn lay() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(folder: tempfile::TempDir) -> Self {
        let script = Script::default();
        let url = script.listen();
        let standing = Arc::new(Standing::new(Telemetry::new().unwrap()));
        let (sender, monitor) = mpsc::channel(4);
        let client = Client::new(&url, CollectorTlsConfig::default()).unwrap();
        let pulling = Pulling {
            system: "toy".parse().unwrap(),
            key: SigningKey::from_bytes(&[6; 32]),
            client: Arc::new(client),
            cache: Cache::new(folder.path().to_owned()),
            every: Duration::from_mins(1),
            capped: false,
            monitor: sender,
            standing: Arc::clone(&standing),
        };
        Self {
            puller: Puller::new(&url, pulling).unwrap(),
            script,
            folder,
            monitor,
            standing,
        }
    }

    /// One look at the collector, while the monitor says yes to what it is offered. What came of it, and the offer.
    async fn turn(&mut self) -> (Result<Checked, String>, Option<Named>) {
        let Self {
            puller, monitor, ..
        } = self;
        let mut offered = None;
        let checked = {
            let mut check = std::pin::pin!(puller.check());
            loop {
                tokio::select! {
                    checked = &mut check => break checked,
                    Some(Command::Plan(offer)) = monitor.recv() => {
                        offered = Some(offer.names);
                        offer.answer.send(Taken::From(None)).unwrap();
                    }
                }
            }
        };
        (checked.map_err(|e| e.to_string()), offered)
    }

    fn kept(&self) -> Option<Named> {
        let cache = Cache::new(self.folder.path().to_owned());
        let kept = cache.load(&"toy".parse().unwrap()).unwrap();
        kept.map(|documents| documents.names().clone())
    }
}

#[tokio::test]
async fn documents_are_taken_once_and_asked_for_by_their_names_after() {
    let mut ground = Ground::lay();
    let first = documents(OBJECTIVES);
    ground.script.give(&first);
    let (checked, offered) = ground.turn().await;
    assert_eq!(
        (checked, offered),
        (Ok(Checked::Applied), Some(first.0.clone()))
    );
    assert_eq!(ground.kept(), Some(first.0.clone()));

    let tag = first.0.tag();
    ground
        .script
        .say("304 Not Modified", &format!("ETag: \"{tag}\"\r\n"), "");
    let (checked, offered) = ground.turn().await;
    assert_eq!((checked, offered), (Ok(Checked::Unchanged), None));

    // Of other objectives with the same baseline, the objectives alone are fetched.
    let other = documents(&OBJECTIVES.replace("action: 0.1", "action: 0.2"));
    assert_eq!(other.0.baseline, first.0.baseline);
    ground
        .script
        .say("200 OK", "", &serde_json::to_string(&other.0).unwrap());
    ground.script.say("200 OK", "", &other.1);
    let (checked, offered) = ground.turn().await;
    assert_eq!(
        (checked, offered),
        (Ok(Checked::Applied), Some(other.0.clone()))
    );
    assert_eq!(ground.kept(), Some(other.0));

    let asked = ground.script.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 6);
    for head in &asked {
        let shown = head.lines().find_map(|l| l.strip_prefix("authorization: "));
        let (agent, ask) = plan::open(shown.unwrap().as_bytes()).unwrap().unwrap();
        assert_eq!(ask.system.as_str(), "toy");
        let key = SigningKey::from_bytes(&[6; 32]);
        let id = clause9_shared::ids::AgentId::of_key(key.verifying_key().as_bytes());
        assert_eq!(agent, id);
    }
    assert!(
        asked[3].contains(&format!("if-none-match: \"{tag}\"")),
        "{}",
        asked[3]
    );
}

#[tokio::test]
async fn what_is_not_what_it_is_called_or_no_plan_is_refused_and_what_was_there_stays() {
    let mut ground = Ground::lay();
    let good = documents(OBJECTIVES);
    ground.script.give(&good);
    ground.turn().await.0.unwrap();
    let other = documents(&OBJECTIVES.replace("action: 0.1", "action: 0.2"));
    let changed = (other.0.clone(), good.1.clone(), other.2.clone());
    let mistaken = good.1.replace("\"missing_rate\"", "\"missing_rat\"");
    let mistaken = (named(&mistaken, &good.2), mistaken, good.2.clone());
    let torn = good.2[..good.2.len() - 1].to_owned();
    let torn = (named(&other.1, &torn), other.1.clone(), torn);
    let elsewhere = OBJECTIVES.replace("id: toy\n", "id: other\n");
    let elsewhere = documents(&elsewhere);
    let elsewhere = (named(&elsewhere.1, &elsewhere.2), elsewhere.1, elsewhere.2);
    for (given, why) in [
        (changed, "have not the name"),
        (mistaken, "have mistakes"),
        (torn, "the baseline is none"),
        (elsewhere, "those of system `other`"),
    ] {
        ground.script.answers.lock().unwrap().clear();
        ground.script.give(&given);
        let (checked, offered) = ground.turn().await;
        let error = checked.unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!((offered, ground.kept()), (None, Some(good.0.clone())));
    }
}

#[tokio::test]
async fn what_was_refused_is_not_fetched_again_and_stays_refused() {
    let mut ground = Ground::lay();
    let good = documents(OBJECTIVES);
    let mistaken = good.1.replace("\"missing_rate\"", "\"missing_rat\"");
    let mistaken = (named(&mistaken, &good.2), mistaken, good.2.clone());
    ground.script.give(&mistaken);
    assert!(ground.turn().await.0.is_err());
    let tag = format!("ETag: \"{}\"\r\n", mistaken.0.tag());
    ground.script.say("304 Not Modified", &tag, "");
    let (checked, _) = ground.turn().await;
    assert!(checked.unwrap_err().contains("have mistakes"));
    ground.script.give(&good);
    assert_eq!(ground.turn().await.0, Ok(Checked::Applied));
}

#[tokio::test]
async fn refusals_failures_and_answers_without_end_leave_everything_as_it_was() {
    let mut ground = Ground::lay();
    let good = documents(OBJECTIVES);
    let long = format!(
        "{}{}",
        serde_json::to_string(&good.0).unwrap(),
        " ".repeat(MAX_NAMED)
    );
    let mut elsewhere = good.0.clone();
    elsewhere.system = "other".parse().unwrap();
    let elsewhere = serde_json::to_string(&elsewhere).unwrap();
    for (status, body, why) in [
        (
            "403 Forbidden",
            r#"{"error":"agent x was revoked"}"#,
            "(403 Forbidden): agent x was revoked",
        ),
        ("404 Not Found", "nothing", "no collector, or an older one"),
        ("503 Service Unavailable", "", "503"),
        ("200 OK", "{}", "names no documents"),
        ("200 OK", long.as_str(), "more than 4096 bytes"),
        ("200 OK", elsewhere.as_str(), "those of system `other`"),
    ] {
        ground.script.say(status, "", body);
        let (checked, offered) = ground.turn().await;
        let error = checked.unwrap_err();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!((offered, ground.kept()), (None, None));
    }
    assert!(ground.standing.is_awaited());
}

#[tokio::test]
async fn a_run_begins_with_what_was_kept_and_waits_longer_while_nobody_answers() {
    let mut ground = Ground::lay();
    let good = documents(OBJECTIVES);
    ground.script.give(&good);
    ground.turn().await.0.unwrap();
    let mut again = Ground::on(ground.folder);
    let restoring = again.puller.restore();
    let offered = async {
        let Some(Command::Plan(offer)) = again.monitor.recv().await else {
            panic!("no offer");
        };
        offer.answer.send(Taken::From(None)).unwrap();
        (offer.names, offer.source)
    };
    let ((), offered) = tokio::join!(restoring, offered);
    assert_eq!(offered, (good.0.clone(), Source::Cache));
    again.standing.in_force(&offered.0, offered.1);

    again
        .script
        .say("503 Service Unavailable", "Retry-After: 7\r\n", "");
    let mut pause = Pause::default();
    let wait = again.puller.turn(&mut pause).await;
    assert!(wait >= Duration::from_secs(7), "{wait:?}");
    let status = again.standing.status();
    assert!(status.problem.unwrap().contains("503"));
    assert_eq!(status.source, Some(Source::Cache));

    let tag = format!("ETag: \"{}\"\r\n", good.0.tag());
    again.script.say("304 Not Modified", &tag, "");
    let wait = again.puller.turn(&mut pause).await;
    assert!((54..=66).contains(&wait.as_secs()), "{wait:?}");
    let status = again.standing.status();
    assert_eq!(
        status.source,
        Some(Source::Collector),
        "it is what the collector has"
    );
    assert!(status.problem.is_none() && status.checked_at.is_some());
}
