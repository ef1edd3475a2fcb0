//! Pages.
use axum::extract::{Path, State};
use axum::response::Html;
use super::Shared;
pub(super) async fn systems(State(_): State<Shared>) -> Html<String> { Html(String::new()) }
pub(super) async fn system(State(_): State<Shared>, Path(_): Path<String>) -> Html<String> { Html(String::new()) }
