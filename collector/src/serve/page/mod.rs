//! Pages for people: rendered here, readable without any script and without asking anybody else.

mod objective;
mod overview;
mod plot;
mod state;
mod system;
mod words;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use clause9_shared::digest::Digest;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{ApiError, Shared};

const STYLE: &str = include_str!("style.css");

/// `GET /`: every system.
pub(super) async fn systems(State(shared): State<Shared>) -> Response {
    answer(shared.read(overview::page).await)
}

/// `GET /systems/{id}`: one system.
pub(super) async fn system(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    answer(
        shared
            .read(move |shared, read| system::page(shared, read, &id))
            .await,
    )
}

fn answer(page: Result<Markup, ApiError>) -> Response {
    let (status, page) = match page {
        Ok(page) => (StatusCode::OK, page),
        Err(error) => {
            if let ApiError::Store(cause) = &error {
                tracing::error!(error = ?cause, "the register was not read");
            }
            let said = error.to_string();
            let body =
                html! { h1 { (error.status()) } p { (said) } p { a href="/" { "All systems" } } };
            (error.status(), document("Not shown", &body))
        }
    };
    let mut response = (status, Html(page.into_string())).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        base64(Digest::of(STYLE.as_bytes()).as_bytes())
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · clause9" }
                // The text between the tags is exactly what the policy's hash is of.
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to content" }
                header class="top" {
                    a class="home" href="/" { "clause9" }
                    span { "Evidence of monitoring under ISO/IEC 42001, clause 9.1" }
                }
                main id="main" { (body) }
                footer {
                    p {
                        "States are the machine's. What they mean is evaluated by people. "
                        a href="/v1/evidence" { "Register" } " · "
                        a href="/v1/refusals" { "Refusals" } " · "
                        a href="/metrics" { "Telemetry" }
                    }
                }
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .chain([&0, &0])
            .take(3)
            .fold(0_u32, |w, b| w << 8 | u32::from(*b));
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() {
                char::from(DIGITS[digit as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_as_in_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(super::base64(plain.as_bytes()), coded);
        }
    }
}
