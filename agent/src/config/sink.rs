//! Section `sink`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{KafkaConfig, OtlpConfig};

/// A second door for what is told about inferences after the fact: inference logs, records of one's own
/// and mirrored requests (docs/ways-in.md). It is in no request's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Address and port of `POST /` (events and log lines), `POST /records`, `POST /mirror/...` and
    /// OpenTelemetry's `POST /v1/...`. May be left out beside `kafka`: then nothing is posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// Topics of Kafka that are read, by an agent of its own: without `listen` and `upstream`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaConfig>,
    /// How spans and events of OpenTelemetry (`POST /v1/...`) are read.
    #[serde(default)]
    pub otlp: OtlpConfig,
    /// File with the token that senders must show, as `Authorization: Bearer TOKEN` or as the password of
    /// an address (`http://any:TOKEN@host:9303/`). Default: `sink.token` in the state folder, created with
    /// 32 random bytes in hex if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Take what anybody sends, without a token: for networks that keep others out. Who can send can make
    /// up traffic and labels. Default: false.
    #[serde(default)]
    pub open: bool,
    /// The path that events are taken to have been posted to, which says their protocol:
    /// `/predictions/*`, where `*` is the name of the inference service. Default: told by the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Longest delivery in bytes, also once it is unpacked, and longest record of a topic.
    /// Default: 8388608.
    #[serde(default = "default_delivery")]
    pub delivery_bytes: usize,
    /// How long a request waits for its answer, or an answer for its request, that come as events of
    /// their own; never longer than its pane is open. Default: 2m.
    #[serde(default = "default_joining")]
    pub joining: Span,
    /// Most bytes of those that wait; beyond, the oldest are let go and counted. Default: 16777216.
    #[serde(default = "default_joining_bytes")]
    pub joining_bytes: usize,
}

const fn default_delivery() -> usize {
    8 << 20
}

const fn default_joining() -> Span {
    Span::from_secs(120)
}

const fn default_joining_bytes() -> usize {
    16 << 20
}
