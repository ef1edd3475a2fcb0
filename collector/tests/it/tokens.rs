//! Tokens of people and programs: every route with every kind of token, and what is no token.

use std::io::{Read as _, Write as _};

use clause9_collector::access::{About, Needs, Route, Scope};
use clause9_collector::config::CollectorConfig;
use clause9_collector::{NewToken, declared_routes, new_token};
use clause9_shared::digest::Digest;

use crate::http::{Answer, request_with};
use crate::world::{Files, Running};

const PAST: &str = "2020-01-01T00:00:00Z";

fn line(name: &str, scopes: &str, more: &str) -> String {
    let digest = Digest::of(format!("secret-{name}").as_bytes());
    format!("  - {{ name: {name}, digest: \"{digest}\", scopes: [{scopes}]{more} }}\n")
}

/// One token for each scope, one that expired, one for a system, and one for another system.
fn file() -> String {
    let mut text = "tokens:\n".to_owned();
    for scope in Scope::ALL {
        text.push_str(&line(scope.as_str(), scope.as_str(), ""));
    }
    let all = "read, outcomes, write, audit";
    text.push_str(&line("expired", all, &format!(", expires: {PAST}")));
    text.push_str(&line("loan", all, ", systems: [loan]"));
    text.push_str(&line("nothing", all, ", systems: []"));
    text
}

fn collector() -> Running {
    let files = Files::new("127.0.0.1:0", &[1]).and("tokens: tokens.yaml");
    files.put("tokens.yaml", &file());
    Running::on(files)
}

fn bearer(name: &str) -> String {
    format!("authorization: Bearer secret-{name}\r\n")
}

fn ask(running: &Running, route: &Route, query: &str, headers: &str) -> Answer {
    let digest = Digest::of(b"nothing").to_string();
    let path = route
        .path
        .replace("{id}", "loan")
        .replace("{digest}", &digest);
    let path = format!("{path}{query}");
    request_with(running.address, route.method, &path, headers, b"").unwrap()
}

/// Whether a token of one scope opens a door that asks for another.
fn opens(has: Scope, needs: Scope) -> bool {
    has == needs || (has == Scope::Audit && needs == Scope::Read)
}

#[test]
fn every_route_asks_every_token_for_what_it_declares() {
    let running = collector();
    let routes = declared_routes();
    assert!(routes.len() >= 21, "{routes:?}");
    for route in &routes {
        let status = |query: &str, headers: &str| ask(&running, route, query, headers).status;
        let denied = |status: u16| matches!(status, 401 | 403);
        let (Needs::Scope(needs) | Needs::AgentOr(needs)) = route.needs else {
            // Whether the program lives is told to anybody; what is signed is checked by its signature.
            assert_ne!(status("", ""), 401, "{route:?}");
            continue;
        };
        assert_eq!(status("", ""), 401, "{route:?} without a token");
        for headers in [
            bearer("unknown"),
            bearer("expired"),
            "authorization: Bearer \r\n".to_owned(),
            "authorization: Bearersecret-read\r\n".to_owned(),
            "authorization: Digest secret-read\r\n".to_owned(),
        ] {
            assert_eq!(status("", &headers), 401, "{route:?} {headers}");
        }
        for has in Scope::ALL {
            let got = status("", &bearer(has.as_str()));
            if opens(has, needs) {
                assert!(!denied(got), "{route:?} {has:?}: {got}");
            } else {
                assert_eq!(got, 403, "{route:?} {has:?}");
            }
        }
        let (whole, one, other) = match route.about {
            About::Everything => (true, true, true),
            About::Path => (false, false, false),
            About::Query => (true, false, true),
        };
        for (query, refused) in [("", whole), ("?system=loan", one), ("?system=other", other)] {
            let got = status(query, &bearer("loan"));
            assert_eq!(got == 403, refused, "{route:?} {query}: {got}");
        }
        let twice = status("?system=loan&system=other", &bearer("loan"));
        assert_eq!(
            twice == 403,
            whole || route.about == About::Query,
            "{route:?}"
        );
        assert_eq!(status("?system=loan", &bearer("nothing")), 403, "{route:?}");
    }
    let counted = |reason: &str| {
        let headers = bearer("read");
        let text = request_with(running.address, "GET", "/metrics", &headers, b"")
            .unwrap()
            .text();
        let series = format!("clause9_collector_requests_denied_total{{reason=\"{reason}\"}} ");
        let value = text.lines().find_map(|l| l.strip_prefix(&series)).unwrap();
        value.parse::<u64>().unwrap()
    };
    for reason in ["no_token", "unknown", "expired", "scope", "system"] {
        assert!(counted(reason) > 10, "{reason}");
    }
}

#[test]
fn no_path_outside_of_the_table_is_served() {
    let running = collector();
    let all = bearer("audit");
    for path in [
        "/v1",
        "/v1/",
        "/v2/systems",
        "/v1/systems/loan/",
        "//v1/systems",
        "/v1/tokens",
    ] {
        let answer = request_with(running.address, "GET", path, &all, b"").unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    for (method, path) in [
        ("DELETE", "/v1/systems"),
        ("PUT", "/v1/evidence"),
        ("POST", "/"),
    ] {
        let answer = request_with(running.address, method, path, "", b"").unwrap();
        assert_eq!(answer.status, 405, "{method} {path}");
    }
    let mut stream = std::net::TcpStream::connect(running.address).unwrap();
    let head = b"HEAD /v1/systems HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[test]
fn a_browser_shows_the_token_as_a_password_and_changes_nothing_by_it() {
    let running = collector();
    // "anybody:secret-read" and "anybody:secret-outcomes"
    let read = "authorization: Basic YW55Ym9keTpzZWNyZXQtcmVhZA==\r\n";
    let outcomes = "authorization: Basic YW55Ym9keTpzZWNyZXQtb3V0Y29tZXM=\r\n";
    let get = |headers: &str, path: &str| {
        request_with(running.address, "GET", path, headers, b"").unwrap()
    };
    assert_eq!(get(read, "/systems/loan").status, 200);
    assert!(
        get("", "/")
            .head
            .contains("www-authenticate: Basic realm=\"clause9\"")
    );
    assert!(
        get("", "/v1/systems")
            .head
            .contains("www-authenticate: Bearer")
    );
    let post = request_with(
        running.address,
        "POST",
        "/v1/systems/loan/outcomes",
        outcomes,
        b"{}",
    );
    assert_eq!(post.unwrap().status, 401);
    for bad in ["Basic", "Basic ", "Basic !!", "Basic YW55Ym9keQ=="] {
        assert_eq!(
            get(&format!("authorization: {bad}\r\n"), "/").status,
            401,
            "{bad}"
        );
    }
}

#[test]
fn tokens_are_taken_out_and_added_while_it_runs_and_a_bad_file_changes_nothing() {
    let running = collector();
    let status = |name: &str| {
        let answer = request_with(running.address, "GET", "/v1/systems", &bearer(name), b"");
        answer.unwrap().status
    };
    assert_eq!((status("read"), status("new")), (200, 401));
    running.files.put("tokens.yaml", "tokens: oops");
    running.reload();
    assert_eq!(
        (status("read"), status("new")),
        (200, 401),
        "the old one stays"
    );
    running.files.put(
        "tokens.yaml",
        &format!("tokens:\n{}", line("new", "read", "")),
    );
    running.reload();
    assert_eq!(
        (status("read"), status("new")),
        (401, 200),
        "revoked, and added"
    );
    let text = request_with(running.address, "GET", "/metrics", &bearer("new"), b"")
        .unwrap()
        .text();
    for (result, times) in [("failed", 1), ("loaded", 1)] {
        let line = format!(
            "clause9_collector_reloads_total{{result=\"{result}\",what=\"tokens\"}} {times}"
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn without_a_tokens_file_reading_stays_open_on_this_machine() {
    let running = Running::start(&[1]);
    for route in declared_routes() {
        let (Needs::Scope(Scope::Read | Scope::Audit) | Needs::AgentOr(Scope::Read)) = route.needs
        else {
            continue;
        };
        let status = ask(&running, &route, "", "").status;
        assert!(!matches!(status, 401 | 403), "{route:?}: {status}");
    }
}

#[test]
fn the_token_of_outcomes_opens_that_door_and_no_other() {
    let files = Files::new("127.0.0.1:0", &[1])
        .and("tokens: tokens.yaml\noutcomes: { token_file: outcomes.token }");
    files.put("tokens.yaml", &file());
    files.put("outcomes.token", "0123456789abcdef\n");
    let running = Running::on(files);
    let own = "authorization: Bearer 0123456789abcdef\r\n";
    for route in declared_routes() {
        let (Needs::Scope(scope) | Needs::AgentOr(scope)) = route.needs else {
            continue;
        };
        let status = ask(&running, &route, "", own).status;
        assert_eq!(
            status != 401,
            scope == Scope::Outcomes,
            "{route:?}: {status}"
        );
    }
    let path = "/v1/systems/loan/outcomes";
    let headers = format!("{}content-type: application/json\r\n", bearer("outcomes"));
    let body = br#"{"request_id":"r-1","label":1}"#;
    let answer = request_with(running.address, "POST", path, &headers, body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_new_token_s_line_lets_its_secret_in_as_it_says() {
    let wanted = NewToken {
        name: "people".parse().unwrap(),
        scopes: vec![Scope::Read, Scope::Outcomes],
        systems: vec!["loan".parse().unwrap()],
        valid: Some("90d".parse().unwrap()),
    };
    let (secret, line) = new_token(&wanted).unwrap();
    assert!(secret.starts_with("c9t_") && secret.len() == 68, "{secret}");
    assert!(!line.contains(&secret[4..]), "the file holds no secret");
    let files = Files::new("127.0.0.1:0", &[1]).and("tokens: tokens.yaml");
    files.put("tokens.yaml", &format!("tokens:\n{line}\n"));
    let running = Running::on(files);
    let status = |path: &str| {
        let headers = format!("authorization: Bearer {secret}\r\n");
        request_with(running.address, "GET", path, &headers, b"")
            .unwrap()
            .status
    };
    assert_eq!(
        (status("/v1/systems/loan"), status("/v1/systems")),
        (200, 403)
    );
    assert_ne!(new_token(&wanted).unwrap().0, secret);
}

#[test]
fn a_tokens_file_that_does_not_fit_is_refused_with_its_reason() {
    for (text, why) in [
        (line("a", "", ""), "has no scope"),
        (
            line("a", "read", "") + &line("a", "audit", ""),
            "listed twice",
        ),
        (
            line("a", "read", ", systems: [other]"),
            "not among the configured systems",
        ),
        (line("a", "everything", ""), "everything"),
        (line("a", "read", ", expires: soon"), "soon"),
        (line("a", "read", ", secret: x"), "secret"),
    ] {
        let files = Files::new("127.0.0.1:0", &[1]).and("tokens: tokens.yaml");
        files.put("tokens.yaml", &format!("tokens:\n{text}"));
        let read = CollectorConfig::read(&files.config()).and_then(|c| c.resolve().map(drop));
        let error = read.unwrap_err().to_string();
        assert!(error.contains(why), "{error} for {text}");
    }
}
