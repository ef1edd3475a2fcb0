//! How the configuration is put to librdkafka, and the words for what goes wrong.

use anyhow::Context as _;
use clause9_shared::wire::answer::MAX_ANSWER;
use clause9_shared::wire::batch::MAX_ENVELOPE;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{KafkaConfig, Mechanism};

/// Longest password in bytes.
const MAX_PASSWORD: usize = 4096;

/// What goes wrong between collector and brokers.
pub(crate) const ERRORS: [&str; 6] = [
    "broker",
    "authentication",
    "authorization",
    "topic",
    "commit",
    "other",
];

/// What reading is told.
pub(super) fn reading(config: &KafkaConfig) -> anyhow::Result<ClientConfig> {
    let mut settings = common(config)?;
    for (key, value) in [
        ("group.id", config.group.clone()),
        // An agent that was here before the collector is heard.
        ("auto.offset.reset", "earliest".into()),
        // What is committed is what was stored, and that is what is durable.
        ("enable.auto.commit", "true".into()),
        ("enable.auto.offset.store", "false".into()),
        ("auto.commit.interval.ms", "1000".into()),
        ("session.timeout.ms", "10000".into()),
        ("heartbeat.interval.ms", "3000".into()),
        (
            "queued.max.messages.kbytes",
            (MAX_ENVELOPE >> 9).to_string(),
        ),
        ("fetch.message.max.bytes", MAX_ENVELOPE.to_string()),
        ("fetch.max.bytes", (2 * MAX_ENVELOPE).to_string()),
        ("statistics.interval.ms", "2000".into()),
    ] {
        settings.set(key, value);
    }
    Ok(settings)
}

/// What answering is told. An answer that the brokers would not have is given again when its batch comes again.
pub(super) fn answering(config: &KafkaConfig) -> anyhow::Result<ClientConfig> {
    let mut settings = common(config)?;
    for (key, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("compression.codec", "zstd"),
        ("message.timeout.ms", "10000"),
        ("topic.metadata.propagation.max.ms", "5000"),
        ("linger.ms", "5"),
        ("queue.buffering.max.kbytes", "65536"),
    ] {
        settings.set(key, value);
    }
    settings.set("message.max.bytes", (MAX_ANSWER + 4096).to_string());
    Ok(settings)
}

fn common(config: &KafkaConfig) -> anyhow::Result<ClientConfig> {
    let mut settings = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", config.brokers.join(",")),
        ("client.id", "clause9-collector".into()),
        ("reconnect.backoff.max.ms", "10000".into()),
        ("topic.metadata.refresh.interval.ms", "10000".into()),
        ("allow.auto.create.topics", "false".into()),
    ] {
        settings.set(key, value);
    }
    protect(config, &mut settings)?;
    Ok(settings)
}

/// TLS and who the collector is. Errors name what is at fault, never what is secret.
fn protect(config: &KafkaConfig, settings: &mut ClientConfig) -> anyhow::Result<()> {
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    settings.set("security.protocol", protocol);
    if let Some(tls) = &config.tls {
        for (setting, key, path) in [
            ("ssl.ca.location", "roots", &tls.roots),
            ("ssl.certificate.location", "certificate", &tls.certificate),
            ("ssl.key.location", "key", &tls.key),
        ] {
            let Some(path) = path else { continue };
            // librdkafka says which file only in its log.
            std::fs::metadata(path)
                .with_context(|| format!("kafka.tls.{key}: cannot read {}", path.display()))?;
            settings.set(setting, path.to_string_lossy());
        }
    }
    if let Some(sasl) = &config.sasl {
        let mechanism = match sasl.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram256 => "SCRAM-SHA-256",
            Mechanism::Scram512 => "SCRAM-SHA-512",
        };
        let path = &sasl.password_file;
        let password = std::fs::read_to_string(path)
            .with_context(|| format!("kafka.sasl.password_file: cannot read {}", path.display()))?;
        let password = password.strip_suffix('\n').unwrap_or(&password);
        let password = password.strip_suffix('\r').unwrap_or(password);
        anyhow::ensure!(
            (1..=MAX_PASSWORD).contains(&password.len()),
            "kafka.sasl.password_file: {} must hold a password of 1 to {MAX_PASSWORD} bytes",
            path.display()
        );
        settings.set("sasl.mechanisms", mechanism);
        settings.set("sasl.username", &sasl.user);
        settings.set("sasl.password", password);
    }
    Ok(())
}

/// Passes on what librdkafka says. Errors come a second time, as such.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    let is_loud = matches!(
        level,
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical
    );
    if is_loud {
        tracing::warn!(facility, "kafka: {line}");
    } else {
        tracing::debug!(facility, "kafka: {line}");
    }
}

/// The word of telemetry for an error.
pub(super) fn reason(error: &KafkaError) -> &'static str {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else {
        return "other";
    };
    let is = |codes: &[Code]| codes.contains(&code);
    if is(&[
        Code::BrokerTransportFailure,
        Code::AllBrokersDown,
        Code::Resolve,
        Code::OperationTimedOut,
        Code::RequestTimedOut,
        Code::NetworkException,
        Code::BrokerNotAvailable,
        Code::LeaderNotAvailable,
        Code::NotLeaderForPartition,
        Code::CoordinatorNotAvailable,
        Code::CoordinatorLoadInProgress,
        Code::NotCoordinator,
    ]) {
        "broker"
    } else if is(&[
        Code::SSL,
        Code::Authentication,
        Code::SaslAuthenticationFailed,
        Code::UnsupportedSASLMechanism,
    ]) {
        "authentication"
    } else if is(&[
        Code::TopicAuthorizationFailed,
        Code::GroupAuthorizationFailed,
        Code::ClusterAuthorizationFailed,
    ]) {
        "authorization"
    } else if is(&[
        Code::UnknownTopic,
        Code::UnknownTopicOrPartition,
        Code::UnknownPartition,
        Code::AutoOffsetReset,
        Code::OffsetOutOfRange,
    ]) {
        "topic"
    } else {
        "other"
    }
}
