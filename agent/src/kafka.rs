//! What every client of Kafka's brokers has in common: how the configuration is put to librdkafka, and the words for what
//! goes wrong.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::config::{Access, Mechanism, Wrong};

/// Longest pause between attempts to reach a broker, in milliseconds.
const RECONNECT: &str = "10000";
/// How often it is looked for new topics and partitions, in milliseconds.
const METADATA: &str = "10000";
/// Longest password in bytes.
const MAX_PASSWORD: usize = 4096;

/// The settings by which brokers are reached. Errors name what is at fault, never what is secret.
pub(crate) fn settings(access: &Access<'_>) -> Result<ClientConfig, Wrong> {
    let mut settings = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", access.brokers.join(",")),
        ("client.id", "clause9-agent".into()),
        ("reconnect.backoff.max.ms", RECONNECT.into()),
        ("topic.metadata.refresh.interval.ms", METADATA.into()),
        ("allow.auto.create.topics", "false".into()),
    ] {
        settings.set(key, value);
    }
    protect(access, &mut settings)?;
    Ok(settings)
}

/// TLS and who the agent is.
fn protect(access: &Access<'_>, settings: &mut ClientConfig) -> Result<(), Wrong> {
    let keys = access.keys;
    let protocol = match (access.tls, access.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    settings.set("security.protocol", protocol);
    if let Some(tls) = access.tls {
        for (key, what, path) in [
            ("ssl.ca.location", keys.roots, &tls.roots),
            (
                "ssl.certificate.location",
                keys.certificate,
                &tls.certificate,
            ),
            ("ssl.key.location", keys.key, &tls.key),
        ] {
            let Some(path) = path else { continue };
            // librdkafka says which file only in its log.
            std::fs::metadata(path)
                .map_err(|e| (what, format!("cannot read {}: {e}", path.display())))?;
            settings.set(key, path.to_string_lossy());
        }
    }
    if let Some(sasl) = access.sasl {
        let mechanism = match sasl.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram256 => "SCRAM-SHA-256",
            Mechanism::Scram512 => "SCRAM-SHA-512",
        };
        let path = &sasl.password_file;
        let what = keys.password_file;
        let read = std::fs::read_to_string(path);
        let password = read.map_err(|e| (what, format!("cannot read {}: {e}", path.display())))?;
        let password = password.strip_suffix('\n').unwrap_or(&password);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.len() > MAX_PASSWORD {
            let path = path.display();
            let message = format!("{path} must hold a password of 1 to {MAX_PASSWORD} bytes");
            return Err((what, message));
        }
        settings.set("sasl.mechanisms", mechanism);
        settings.set("sasl.username", &sasl.user);
        settings.set("sasl.password", password);
    }
    Ok(())
}

/// Passes on what librdkafka says. Errors come a second time, as such.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
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
pub(crate) fn reason(error: &KafkaError) -> &'static str {
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
        Code::MessageTimedOut,
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
