//! A real collector of OpenTelemetry's protocol that prints all that it takes, read as data points, events and spans.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::process::{Running, free_port};

/// How long it may take to start.
const START: Duration = Duration::from_secs(20);

/// Rotel, with what it printed.
#[derive(Debug)]
pub struct Rotel {
    running: Running,
    /// Port of gRPC.
    pub grpc: u16,
    /// Port of HTTP.
    pub http: u16,
}

/// A data point, an event or a span: its fields as printed, and its attributes without the names of their types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Fields, by their names without spaces around.
    pub fields: BTreeMap<String, String>,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Taken {
    /// A field; empty if it has none of that name.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// An attribute; empty if it has none of that name.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Rotel {
    /// Starts it in a folder.
    pub fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let (grpc, http) = (free_port()?, free_port()?);
        let arguments = format!(
            "start --debug-log metrics --debug-log logs --debug-log traces --debug-log-verbosity detailed --exporter blackhole \
             --otlp-grpc-endpoint 127.0.0.1:{grpc} --otlp-http-endpoint 127.0.0.1:{http}"
        );
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let mut running = Running::start(program, folder, &arguments)?;
        running.wait_for_port(grpc, START)?;
        running.wait_for_port(http, START)?;
        Ok(Self {
            running,
            grpc,
            http,
        })
    }

    /// Attributes of the resource that was told last.
    pub fn resource(&self) -> BTreeMap<String, String> {
        let lines = self.running.lines();
        let last = lines
            .iter()
            .rposition(|line| line == "Resource attributes:");
        let after = last.map_or(&[][..], |at| &lines[at + 1..]);
        after.iter().map_while(|line| attribute(line)).collect()
    }

    /// Data points of a gauge, in the order in which they came.
    pub fn points(&self, gauge: &str) -> Vec<Taken> {
        let points = self.items("NumberDataPoints #");
        points
            .into_iter()
            .filter(|point| point.field("-> Name") == gauge)
            .collect()
    }

    /// Events, in the order in which they came.
    pub fn events(&self) -> Vec<Taken> {
        self.items("LogRecord #")
    }

    /// Spans, in the order in which they came.
    pub fn spans(&self) -> Vec<Taken> {
        self.items("Span #")
    }

    /// What begins with such a line. Points have the fields of their metric, too.
    fn items(&self, begins: &str) -> Vec<Taken> {
        let mut items: Vec<Taken> = Vec::new();
        let mut metric = BTreeMap::new();
        let mut within = false;
        for line in self.running.lines() {
            if line.starts_with(begins) {
                within = true;
                items.push(Taken {
                    fields: metric.clone(),
                    attributes: BTreeMap::new(),
                });
            } else if line.contains(" #") && !line.starts_with(' ') {
                within = false;
                if line.starts_with("Metric #") {
                    metric.clear();
                }
            } else if !within {
                if let Some((name, value)) = line.split_once(": ") {
                    metric.insert(name.trim().to_owned(), value.to_owned());
                }
            } else if let Some(item) = items.last_mut() {
                if let Some((name, value)) = attribute(&line) {
                    item.attributes.insert(name, value);
                } else if let Some((name, value)) = line.split_once(": ") {
                    let (name, value) = (name.trim().to_owned(), value.to_owned());
                    item.fields.insert(name, value);
                }
            }
        }
        items
    }
}

/// `     -> NAME: Type(VALUE)`.
fn attribute(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim().strip_prefix("-> ")?.split_once(": ")?;
    let (_, value) = value.strip_suffix(')')?.split_once('(')?;
    Some((name.to_owned(), value.to_owned()))
}
