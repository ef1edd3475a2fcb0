//! Pages are well formed by our own rules; Grafana's schema is checked by `tests/web`.

use std::collections::BTreeSet;
use std::path::Path;

use clause9_tests::repository::{files, text};
use serde_json::Value;

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

fn pages() -> anyhow::Result<Vec<(String, Value)>> {
    let paths: Vec<_> = files()?
        .into_iter()
        .filter(|path| path.starts_with("dashboards/") && has_extension(path, "json"))
        .collect();
    anyhow::ensure!(!paths.is_empty(), "no dashboards found");
    paths
        .into_iter()
        .map(|path| Ok((path.clone(), serde_json::from_str(&text(&path)?)?)))
        .collect()
}

fn panels(page: &Value) -> Vec<&Value> {
    page["panels"].as_array().into_iter().flatten().collect()
}

/// Columns and rows that a panel covers: left, top, right, bottom.
fn place(panel: &Value) -> [u64; 4] {
    let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(u64::MAX / 4);
    [at("x"), at("y"), at("x") + at("w"), at("y") + at("h")]
}

#[test]
fn panels_do_not_overlap_and_stay_on_the_grid() -> anyhow::Result<()> {
    for (path, page) in pages()? {
        let places: Vec<_> = panels(&page)
            .into_iter()
            .map(|p| (p["title"].to_string(), place(p)))
            .collect();
        for (n, (title, a)) in places.iter().enumerate() {
            assert!(a[2] <= 24, "{path}: {title} is beyond the grid");
            for (other, b) in &places[n + 1..] {
                let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                assert!(apart, "{path}: {title} overlaps {other}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_from_the_chosen_source() -> anyhow::Result<()> {
    for (path, page) in pages()? {
        for panel in panels(&page)
            .into_iter()
            .filter(|panel| panel["type"] != "row")
        {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(!title.is_empty(), "{path}: a panel without a title");
            assert!(
                panel["description"].as_str().is_some_and(|d| d.len() > 20),
                "{path}: {title} has no description"
            );
            assert!(
                panel["fieldConfig"]["defaults"]["unit"].is_string(),
                "{path}: {title} has no unit"
            );
            let targets: Vec<_> = panel["targets"].as_array().into_iter().flatten().collect();
            assert!(!targets.is_empty(), "{path}: {title} asks nothing");
            for target in targets {
                assert_eq!(
                    target["datasource"]["uid"], "${datasource}",
                    "{path}: {title} is tied to a data source"
                );
                assert!(
                    target["expr"].as_str().is_some_and(|e| !e.is_empty()),
                    "{path}: {title} has an empty query"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn pages_and_panels_have_ids_of_their_own() -> anyhow::Result<()> {
    let mut uids = BTreeSet::new();
    for (path, page) in pages()? {
        let uid = page["uid"].as_str().unwrap_or_default().to_owned();
        assert!(
            uid.starts_with("clause9-"),
            "{path}: the uid `{uid}` is not ours"
        );
        assert!(uids.insert(uid), "{path}: its uid is taken");
        let ids: BTreeSet<_> = panels(&page)
            .iter()
            .filter_map(|panel| panel["id"].as_u64())
            .collect();
        assert_eq!(ids.len(), panels(&page).len(), "{path}: panels share an id");
    }
    Ok(())
}

#[test]
fn every_variable_in_a_query_is_declared() -> anyhow::Result<()> {
    for (path, page) in pages()? {
        let declared: BTreeSet<_> = page["templating"]["list"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v["name"].as_str())
            .collect();
        for panel in panels(&page) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().unwrap_or_default();
                for rest in expr.split('$').skip(1) {
                    let end = rest
                        .find(|c: char| !c.is_alphanumeric() && c != '_')
                        .unwrap_or(rest.len());
                    let name = &rest[..end];
                    assert!(
                        name.starts_with("__") || declared.contains(name),
                        "{path}: `${name}` is not declared"
                    );
                }
            }
        }
    }
    Ok(())
}
