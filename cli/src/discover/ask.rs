//! What a model server says of its models when it is asked.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value as Json;

use super::learned::{Found, Learned, Place, Said};
use crate::data::bad;
use crate::infer::Seems;

/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most columns of a tensor that are watched one by one.
const MAX_COLUMNS: u64 = 256;

/// Asks the server at that address.
pub(super) fn server(upstream: &str, model: Option<&str>) -> anyhow::Result<Learned> {
    let base: Url = upstream
        .parse()
        .ok()
        .filter(|url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .with_context(|| {
            format!("`{upstream}` cannot be asked; write http://HOST:PORT or https://HOST:PORT, or add --listen to learn from traffic")
        })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Whoever comes second finds the first one's choice, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(PATIENCE).build()?;
        Asking { client, base }.learn(model).await
    })
}

struct Asking {
    client: Client,
    base: Url,
}

impl Asking {
    async fn learn(&self, model: Option<&str>) -> anyhow::Result<Learned> {
        let names = match model {
            Some(name) => Listed::Names(vec![name.to_owned()]),
            None => self.list().await?,
        };
        let name = match names {
            Listed::Writers(names) => return one(names).map(|name| writer(&name, &self.base)),
            Listed::Names(names) => one(names)?,
            Listed::Nothing => {
                return bad(format!(
                    "{} lists no models; name one with --model, or learn from traffic with --listen",
                    self.base
                ));
            }
        };
        if let Some(said) = self.get(&["v2", "models", &name]).await? {
            return Ok(open_inference(&name, &said, &self.base));
        }
        if let Some(said) = self.get(&["v1", "models", &name, "metadata"]).await? {
            return Ok(tensorflow(&name, &said, &self.base));
        }
        if let Listed::Writers(names) = self.list().await?
            && names.contains(&name)
        {
            return Ok(writer(&name, &self.base));
        }
        bad(format!(
            "{} says nothing of model `{name}`; see how clients call it, or learn from traffic with --listen",
            self.base
        ))
    }

    /// The models, by the first interface that lists any.
    async fn list(&self) -> anyhow::Result<Listed> {
        let index = self.url(&["v2", "repository", "index"]);
        let asked = self
            .client
            .post(index)
            .header("content-type", "application/json");
        if let Some(Json::Array(models)) = self.answer(asked.body("{}")).await? {
            let names = models
                .iter()
                .filter_map(|m| Some(m.get("name")?.as_str()?.to_owned()));
            return Ok(Listed::Names(names.collect()));
        }
        let Some(said) = self.get(&["v1", "models"]).await? else {
            return Ok(Listed::Nothing);
        };
        let names = |key: &str, of: fn(&Json) -> Option<&str>| {
            let list = said.get(key).and_then(Json::as_array);
            let names = list.map(|l| {
                l.iter()
                    .filter_map(of)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
            names.filter(|names| !names.is_empty())
        };
        if let Some(names) = names("data", |m| m.get("id")?.as_str()) {
            return Ok(Listed::Writers(names));
        }
        Ok(names("models", Json::as_str).map_or(Listed::Nothing, Listed::Names))
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn get(&self, segments: &[&str]) -> anyhow::Result<Option<Json>> {
        self.answer(self.client.get(self.url(segments))).await
    }

    /// What is answered, if it is JSON and no error.
    async fn answer(&self, asked: reqwest::RequestBuilder) -> anyhow::Result<Option<Json>> {
        let unreachable = || format!("cannot reach {}", self.base);
        let mut answer = asked.send().await.with_context(unreachable)?;
        if matches!(
            answer.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            return bad(format!(
                "{} wants to know who asks ({}); ask where it trusts you, or learn from traffic with --listen",
                self.base,
                answer.status().as_u16()
            ));
        }
        if !answer.status().is_success() {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return bad(format!(
                    "{} answers with more than {MAX_ANSWER} bytes",
                    answer.url()
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body).ok())
    }
}

/// Which models a server has.
enum Listed {
    /// By names that its protocol uses.
    Names(Vec<String>),
    /// Language models.
    Writers(Vec<String>),
    Nothing,
}

fn one(mut names: Vec<String>) -> anyhow::Result<String> {
    names.sort();
    names.dedup();
    match names.len() {
        1 => Ok(names.remove(0)),
        0 => bad("the server has no models; load one, or name it with --model"),
        many => {
            let shown: Vec<String> = names.iter().take(10).map(|n| format!("`{n}`")).collect();
            bad(format!(
                "the server has {many} models: {}{}; choose one with --model",
                shown.join(", "),
                if many > 10 { ", ..." } else { "" }
            ))
        }
    }
}

fn learned(model: &str, from: String, found: Vec<Found>, notes: Vec<String>) -> Learned {
    Learned {
        model: model.to_owned(),
        from,
        writes: false,
        found,
        rows: Vec::new(),
        notes,
    }
}

/// Metadata of the Open Inference Protocol.
fn open_inference(model: &str, said: &Json, base: &Url) -> Learned {
    let mut declared = Declared::default();
    for (answered, side) in [(false, "inputs"), (true, "outputs")] {
        let tensors = said.get(side).and_then(Json::as_array);
        for tensor in tensors.into_iter().flatten() {
            let text = |key: &str| tensor.get(key).and_then(Json::as_str).unwrap_or_default();
            let shape = tensor.get("shape").and_then(Json::as_array);
            let shape = shape.into_iter().flatten().filter_map(Json::as_i64);
            let what = match text("datatype") {
                "BYTES" | "BOOL" => Said::Name,
                float if float.contains("FP") || float == "BF16" => Said::Real,
                _ => Said::Whole,
            };
            let name = text("name");
            declared.tensor(answered, (name, name), &shape.collect::<Vec<_>>(), what);
        }
    }
    let Declared { found, notes } = declared;
    learned(model, format!("the metadata of {base}"), found, notes)
}

/// Metadata of TensorFlow Serving: the signature that is called unless another is named.
fn tensorflow(model: &str, said: &Json, base: &Url) -> Learned {
    let mut declared = Declared::default();
    let signature = said.pointer("/metadata/signature_def/signature_def/serving_default");
    let sides = [
        (false, "inputs", "instances"),
        (true, "outputs", "predictions"),
    ];
    for (answered, side, alone) in sides {
        let tensors = signature.and_then(|s| s.get(side)?.as_object());
        let only = tensors.is_some_and(|t| t.len() == 1);
        for (name, tensor) in tensors.into_iter().flatten() {
            let sizes = tensor.pointer("/tensor_shape/dim").and_then(Json::as_array);
            let size = |d: &Json| d.get("size")?.as_str()?.parse().ok();
            let shape: Vec<i64> = sizes.into_iter().flatten().filter_map(size).collect();
            let what = match tensor.get("dtype").and_then(Json::as_str) {
                Some("DT_STRING" | "DT_BOOL") => Said::Name,
                Some("DT_FLOAT" | "DT_DOUBLE" | "DT_HALF" | "DT_BFLOAT16") => Said::Real,
                Some(_) | None => Said::Whole,
            };
            // Rows of a single tensor are sent without its name.
            let place = if only { alone } else { name };
            declared.tensor(answered, (place, name), &shape, what);
        }
    }
    let Declared { found, notes } = declared;
    learned(model, format!("the metadata of {base}"), found, notes)
}

/// Tensors that somebody declared.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) found: Vec<Found>,
    pub(super) notes: Vec<String>,
}

impl Declared {
    /// Takes in the columns of a tensor, whose first dimension is rows. It stands under one name, and is
    /// perhaps called by another.
    pub(super) fn tensor(
        &mut self,
        answered: bool,
        (name, called): (&str, &str),
        shape: &[i64],
        what: Said,
    ) {
        let inner = shape.get(1..).unwrap_or_default();
        let product = inner.iter().try_fold(1_u64, |product, size| {
            product.checked_mul(u64::try_from(*size).ok()?)
        });
        let of = match product {
            Some(of @ 1..=MAX_COLUMNS) => u32::try_from(of).unwrap_or(1),
            Some(of) => {
                self.notes.push(format!(
                    "`{called}` has {of} values in a row; it is left out, write features for those that say something"
                ));
                return;
            }
            None => {
                self.notes.push(format!(
                    "how many values `{called}` has in a row is not said; the first is watched"
                ));
                1
            }
        };
        self.found.extend((0..of).map(|column| {
            let place = Place {
                answered,
                name: name.into(),
                column,
                of,
            };
            Found {
                called: Some(called.into()),
                ..Found::said(place, what)
            }
        }));
    }
}

/// A language model: what is watched of it is known.
fn writer(model: &str, base: &Url) -> Learned {
    let text = |answered: bool, name: &str| Found {
        seems: Seems::FreeText,
        ..Found::alone(answered, name, Said::Name)
    };
    let found = vec![
        text(false, "prompt"),
        text(true, "text"),
        Found::alone(true, "finish_reason", Said::Name),
        Found::alone(true, "prompt_tokens", Said::Whole),
        Found::alone(true, "completion_tokens", Said::Whole),
    ];
    Learned {
        writes: true,
        ..learned(model, format!("the models of {base}"), found, Vec::new())
    }
}
