//! The register as a log: every record is proved, tiles are the tree, keys change hands, and nobody can fork it.

use std::path::Path;
use std::time::{Duration, Instant};

use clause9_collector::config::CollectorConfig;
use clause9_collector::log::{keys, rotate};
use clause9_shared::digest::Digest;
use clause9_shared::evidence;
use clause9_shared::evidence::body::SealBody;
use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::{self, Hash};
use clause9_shared::evidence::note::{Note, VerifierKey};
use clause9_shared::evidence::proof::LogProof;
use clause9_shared::evidence::tiles::{Place, hashes};
use serde_json::Value;

use crate::http::{all, get};
use crate::world::{Agents, Files, Running};

/// A checkpoint comes every second.
const QUICK: &str = "log: { checkpoint_every: 1s, origin: log.example/loans }";

fn quick() -> Running {
    Running::on(Files::new("127.0.0.1:0", &[1, 2]).and(QUICK))
}

fn config(running: &Running) -> CollectorConfig {
    CollectorConfig::read(&running.files.config()).unwrap()
}

fn send(running: &Running, hours: std::ops::Range<u32>) {
    let agents = Agents::new();
    for h in hours {
        for n in [1, 2] {
            assert_eq!(running.post(&agents.hourly(n, h)).status, 200);
        }
    }
}

fn note(running: &Running) -> Option<Note> {
    let answer = get(running.address, "/log/checkpoint");
    (answer.status == 200).then(|| Note::parse(&answer.body).unwrap())
}

fn checkpoint(note: &Note) -> Checkpoint {
    note.text().parse().unwrap()
}

/// Waits for a checkpoint that is as wanted.
fn wait_note(running: &Running, wanted: impl Fn(&Note) -> bool) -> Note {
    let begun = Instant::now();
    loop {
        if let Some(note) = note(running).filter(|note| wanted(note)) {
            return note;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "no such checkpoint: {:?}",
            note(running)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Every record by now, with its place.
fn records(running: &Running) -> Vec<(u64, Digest, String)> {
    let items = all(running.address, "/v1/evidence?limit=1000");
    let read = |item: &Value| {
        let word = |name: &str| item[name].as_str().unwrap().to_owned();
        (
            item["leaf"].as_u64().unwrap(),
            word("digest").parse().unwrap(),
            word("type"),
        )
    };
    items.iter().map(read).collect()
}

/// The newest key in the register.
fn newest_key(running: &Running) -> VerifierKey {
    let listed = keys(&config(running)).unwrap();
    let line = listed
        .lines()
        .rfind(|line| line.contains(" leaf "))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn signed(note: &Note, key: &VerifierKey) -> bool {
    matches!(key.verify(note), Ok(Some(_)))
}

#[test]
fn every_record_is_proved_by_its_own_bytes_and_a_checkpoint() {
    let running = quick();
    send(&running, 0..70);
    running.wait_sealed(70);
    let all = records(&running);
    assert!(all.len() > 512, "several tiles: {}", all.len());
    let size = all.len() as u64;
    let newest = wait_note(&running, |note| checkpoint(note).size >= size);
    assert_eq!(checkpoint(&newest).origin.as_str(), "log.example/loans");
    let key = newest_key(&running);
    for (leaf, name, _) in all.iter().step_by(7).chain(all.last()) {
        let bytes = get(running.address, &format!("/v1/evidence/{name}")).text();
        assert_eq!(evidence::digest(&bytes), *name);
        let proof = get(running.address, &format!("/v1/evidence/{name}/proof"));
        assert_eq!(proof.status, 200, "{}", proof.text());
        let proof = LogProof::parse(&proof.body).unwrap();
        assert_eq!(proof.index, *leaf);
        proof.check(Hash::leaf(name.as_bytes())).unwrap();
        assert!(signed(&proof.note, &key));
    }
    let absent = Digest::of(b"nothing");
    assert_eq!(
        get(running.address, &format!("/v1/evidence/{absent}/proof")).status,
        404
    );
    assert_eq!(
        get(running.address, "/v1/evidence/nonsense/proof").status,
        400
    );
}

#[test]
fn tiles_and_bundles_are_the_tree_under_the_checkpoint() {
    let running = quick();
    send(&running, 0..70);
    running.wait_sealed(70);
    let all = records(&running);
    let size = all.len() as u64;
    let newest = checkpoint(&wait_note(&running, |note| checkpoint(note).size >= size));
    let size = newest.size;
    let mut leaves = Vec::new();
    for number in 0..=size / 256 {
        let width = Place { level: 0, number }.width(size);
        if width == 0 {
            continue;
        }
        let path = Place { level: 0, number }.path(width);
        let tile = get(running.address, &format!("/log/{path}"));
        assert_eq!(
            tile.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&tile.body)
        );
        leaves.extend(hashes(&tile.body).unwrap());
        let entries = get(
            running.address,
            &format!("/log/{}", path.replace("tile/0/", "tile/entries/")),
        );
        let mut rest = entries.body.as_slice();
        for (_, name, _) in all
            .iter()
            .skip(usize::try_from(number * 256).unwrap())
            .take(width)
        {
            assert_eq!(rest[..2], [0, 32]);
            assert_eq!(&rest[2..34], name.as_bytes());
            rest = &rest[34..];
        }
        assert!(rest.is_empty());
    }
    let named: Vec<_> = all
        .iter()
        .map(|(_, name, _)| Hash::leaf(name.as_bytes()))
        .collect();
    assert_eq!(leaves[..named.len()], named[..]);
    let level1 = get(
        running.address,
        &format!("/log/tile/1/000.p/{}", size / 256),
    );
    assert_eq!(hashes(&level1.body).unwrap().len() as u64, size / 256);
    let absent = [
        ("tile/0/999", 404),
        ("tile/0/000.p/0", 400),
        ("tile/9/000", 404),
        ("tile/63/000", 404),
        ("tile/64/000", 400),
        ("tile/0/x999/x999/x999/x999/x999/999", 404),
        ("tile/entries/999", 404),
        ("tile/nonsense", 400),
    ];
    for (path, status) in absent {
        assert_eq!(
            get(running.address, &format!("/log/{path}")).status,
            status,
            "{path}"
        );
    }
}

#[test]
fn a_log_only_grows_and_proves_it() {
    let running = quick();
    let first = checkpoint(&wait_note(&running, |_| true));
    send(&running, 0..12);
    running.wait_sealed(12);
    let size = records(&running).len() as u64;
    wait_note(&running, |note| checkpoint(note).size >= size);
    let answer = get(
        running.address,
        &format!("/v1/log/consistency?from={}", first.size),
    )
    .json();
    let proof: Vec<Hash> = answer["proof"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h.as_str().unwrap().parse().unwrap())
        .collect();
    let later =
        checkpoint(&Note::parse(answer["checkpoint"].as_str().unwrap().as_bytes()).unwrap());
    merkle::check_consistency((first.size, first.root), (later.size, later.root), &proof).unwrap();
    let beyond = get(running.address, "/v1/log/consistency?from=1000000");
    assert_eq!(beyond.status, 400);
    assert!(
        beyond
            .text()
            .contains("it is another log, or it was set back"),
        "{}",
        beyond.text()
    );
    assert_eq!(get(running.address, "/v1/log/consistency").status, 400);
}

#[test]
fn what_came_last_is_under_a_checkpoint_when_the_collector_has_ended() {
    // Seldom: only the start and the end sign.
    let mut running =
        Running::on(Files::new("127.0.0.1:0", &[1, 2]).and("log: { checkpoint_every: 10m }"));
    send(&running, 0..40);
    running.wait_sealed(40);
    running.stop();
    let register = running.register();
    let one = |sql: &str| {
        register
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert!(one("SELECT count(*) FROM tiles") > 0);
    assert_eq!(
        one("SELECT max(size) FROM checkpoints"),
        one("SELECT count(*) FROM records")
    );
    let origin: String = register
        .query_row("SELECT note FROM checkpoints", [], |row| row.get(0))
        .unwrap();
    assert!(origin.starts_with("clause9.local/log-"), "{origin}");
    // What was written cannot be written over.
    for sql in [
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "UPDATE tiles SET root = zeroblob(32)",
        "DELETE FROM tiles",
        "INSERT INTO checkpoints(size, made_at, note) VALUES(1, 0, '')",
    ] {
        let refused = register.execute(sql, []);
        assert!(refused.is_err(), "{sql}");
    }
}

fn key_file(running: &Running) -> std::path::PathBuf {
    running.files.path().join("register/log.key")
}

fn next(path: &Path) -> std::path::PathBuf {
    path.with_extension("key.next")
}

#[test]
fn a_key_hands_over_under_a_checkpoint_of_both_and_is_gone() {
    let running = quick();
    let old = {
        let first = wait_note(&running, |_| true);
        let key = newest_key(&running);
        assert!(signed(&first, &key));
        key
    };
    let secret = std::fs::read(key_file(&running)).unwrap();
    let said = rotate(&config(&running), None).unwrap();
    assert!(said.contains("next checkpoint"), "{said}");
    let twice = rotate(&config(&running), None);
    assert!(
        twice.is_err() || !next(&key_file(&running)).exists(),
        "one at a time"
    );
    let both = wait_note(&running, |note| note.signatures().len() == 2);
    let new = newest_key(&running);
    assert_ne!(old, new);
    assert_eq!((signed(&both, &old), signed(&both, &new)), (true, true));
    // The record of the handover is under it.
    let listed = keys(&config(&running)).unwrap();
    assert!(listed.contains("handed_over"), "{listed}");
    let leaf: u64 = listed
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert!(checkpoint(&both).size > leaf);
    send(&running, 0..3);
    let alone = wait_note(&running, |note| note.signatures().len() == 1);
    assert_eq!((signed(&alone, &old), signed(&alone, &new)), (false, true));
    // Long after, whoever knows the old key alone is shown the new one by it.
    let (_, handover, _) = records(&running)
        .into_iter()
        .find(|(at, ..)| *at == leaf)
        .unwrap();
    let under = |first: &str| {
        let answer = get(
            running.address,
            &format!("/v1/evidence/{handover}/proof{first}"),
        );
        LogProof::parse(&answer.body).unwrap()
    };
    let proof = under("?first=true");
    proof.check(Hash::leaf(handover.as_bytes())).unwrap();
    assert!(signed(&proof.note, &old));
    let told = get(running.address, &format!("/v1/evidence/{handover}")).json();
    assert_eq!(
        (
            told["body"]["key"].as_str(),
            told["body"]["former"].as_str()
        ),
        (
            Some(new.to_string().as_str()),
            Some(old.to_string().as_str())
        )
    );
    assert!(!signed(&under("").note, &old));
    assert!(!next(&key_file(&running)).exists());
    assert_ne!(std::fs::read(key_file(&running)).unwrap(), secret);
    // And stays so over a restart.
    let running = running.again();
    send(&running, 3..6);
    let later = wait_note(&running, |note| {
        checkpoint(note).size > checkpoint(&alone).size
    });
    assert!(signed(&later, &new));
    assert_eq!(later.signatures().len(), 1);
}

#[test]
fn without_its_key_the_register_is_written_and_no_checkpoint_signed_until_people_say_so() {
    let mut running = quick();
    let before = checkpoint(&wait_note(&running, |_| true));
    running.stop();
    let covered: i64 = running
        .register()
        .query_row("SELECT max(size) FROM checkpoints", [], |row| row.get(0))
        .unwrap();
    let covered = covered.cast_unsigned();
    std::fs::remove_file(key_file(&running)).unwrap();
    let mut running = running.again();
    send(&running, 0..3);
    running.wait_sealed(3);
    running.wait_line(
        "clause9_collector_log_rounds_total{result=\"failed\"}",
        " 2",
    );
    assert!(
        !key_file(&running).exists(),
        "no key is made up for a log that has one"
    );
    assert_eq!(checkpoint(&note(&running).unwrap()).size, covered);
    // Another key in its place is as good as none.
    std::fs::write(key_file(&running), "07".repeat(32)).unwrap();
    running.wait_line(
        "clause9_collector_log_rounds_total{result=\"failed\"}",
        " 4",
    );
    assert_eq!(checkpoint(&note(&running).unwrap()).size, covered);
    running.stop();
    assert!(
        rotate(&config(&running), Some(" "))
            .unwrap_err()
            .to_string()
            .contains("say how")
    );
    let said = rotate(&config(&running), Some("the disk of the key vault died")).unwrap();
    assert!(said.contains("tell those who keep the old one"), "{said}");
    assert!(
        rotate(&config(&running), Some("again"))
            .unwrap_err()
            .to_string()
            .contains("it is not lost")
    );
    let running = running.again();
    let after = wait_note(&running, |note| checkpoint(note).size > before.size);
    assert!(signed(&after, &newest_key(&running)));
    let listed = keys(&config(&running)).unwrap();
    assert!(listed.contains(" replaced "), "{listed}");
}

#[test]
fn a_program_signs_in_the_place_of_a_file() {
    let files = Files::new("127.0.0.1:0", &[1, 2]);
    // It holds a key that the collector's configuration does not, and writes what openssl signs.
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend(key.to_bytes());
    std::fs::write(files.path().join("hsm.der"), pkcs8).unwrap();
    files.put(
        "sign.sh",
        "cd \"$(dirname \"$0\")\" && cat > message && openssl pkeyutl -sign -rawin -inkey hsm.der -keyform DER -in message | od -An -v -tx1 | tr -d ' \\n'",
    );
    let script = files.path().join("sign.sh");
    let public = clause9_shared::digest::to_hex(key.verifying_key().as_bytes());
    let files = files.and(&format!(
        "log: {{ checkpoint_every: 1s, signer: {{ command: [sh, \"{}\"], public_key: \"{public}\" }} }}",
        script.display()
    ));
    let running = Running::on(files);
    let note = wait_note(&running, |_| true);
    let vkey = newest_key(&running);
    assert_eq!(vkey.key(), &key.verifying_key());
    assert!(signed(&note, &vkey));
    assert!(!key_file(&running).exists());
    assert!(
        rotate(&config(&running), None)
            .unwrap_err()
            .to_string()
            .contains("log.next_signer")
    );
}

#[test]
fn a_log_keeps_its_origin() {
    let mut running = quick();
    wait_note(&running, |_| true);
    running.stop();
    let text = std::fs::read_to_string(running.files.config()).unwrap();
    std::fs::write(
        running.files.config(),
        text.replace("log.example/loans", "log.example/other"),
    )
    .unwrap();
    let running = running.again();
    running.wait_line(
        "clause9_collector_log_rounds_total{result=\"failed\"}",
        " 1",
    );
    assert_eq!(
        checkpoint(&note(&running).unwrap()).origin.as_str(),
        "log.example/loans"
    );
}

#[test]
fn a_register_that_was_changed_is_signed_no_more() {
    let mut running = quick();
    send(&running, 0..3);
    let before = checkpoint(&wait_note(&running, |note| checkpoint(note).size > 8));
    running.stop();
    // Somebody puts another record in the place of one that was signed.
    let change = "DROP TRIGGER records_keep;
        UPDATE records SET digest = (SELECT digest FROM contents WHERE digest NOT IN (SELECT digest FROM records) LIMIT 1)
        WHERE leaf = 3;";
    let register = running.register();
    let covered: i64 = register
        .query_row("SELECT max(size) FROM checkpoints", [], |row| row.get(0))
        .unwrap();
    let covered = covered.cast_unsigned();
    assert!(covered >= before.size);
    register.execute_batch(change).unwrap();
    drop(register);
    let running = running.again();
    send(&running, 3..6);
    running.wait_line(
        "clause9_collector_log_rounds_total{result=\"failed\"}",
        " 2",
    );
    assert_eq!(checkpoint(&note(&running).unwrap()).size, covered);
}

#[test]
fn each_seal_counts_the_records_of_its_system_since_the_one_before() {
    let mut running = quick();
    send(&running, 0..6);
    assert_eq!(running.post(b"junk").status, 400);
    running.wait_sealed(6);
    running.stop();
    let running = running.again();
    send(&running, 6..9);
    running.wait_sealed(9);
    let (mut since, mut previous, mut seals) = (Vec::new(), None, 0);
    for (_, name, kind) in records(&running) {
        let record: Value =
            serde_json::from_str(&get(running.address, &format!("/v1/evidence/{name}")).text())
                .unwrap();
        if record["header"]["system"] != "loan" {
            continue;
        }
        if kind != "seal" {
            since.push(name);
            continue;
        }
        let body: SealBody = serde_json::from_value(record["body"].clone()).unwrap();
        assert_eq!(
            (body.previous, body.records),
            (previous, since.len() as u64),
            "{record:#}"
        );
        assert_eq!(body.census, evidence::census(since.iter()));
        assert!(!since.is_empty());
        let mut without = since.clone();
        without.pop();
        assert_ne!(body.census, evidence::census(without.iter()));
        since.clear();
        previous = Some(name);
        seals += 1;
    }
    assert_eq!(seals, 9);
}
