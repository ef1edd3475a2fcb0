//! What a certificate says that TLS itself does not tell: until when it is valid, and whose it is. Core.

use clause9_shared::time::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::spiffe::SpiffeId;

/// Until when a certificate is valid; none if it cannot be read.
pub(crate) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let certificate = Certificate::from_der(der).ok()?;
    let until = certificate.tbs_certificate().validity().not_after;
    Some(Timestamp::after_epoch(until.to_unix_duration()))
}

/// Whose certificate it is: its SPIFFE id, if it names exactly one thing by a URI and that is such an id (X509-SVID, section 2).
pub(crate) fn spiffe_id(der: &[u8]) -> Option<SpiffeId> {
    let certificate = Certificate::from_der(der).ok()?;
    let names = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>();
    let (_, SubjectAltName(names)) = names.ok()??;
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        GeneralName::OtherName(_)
        | GeneralName::Rfc822Name(_)
        | GeneralName::DnsName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::IpAddress(_)
        | GeneralName::RegisteredId(_) => None,
    });
    match (uris.next(), uris.next()) {
        (Some(only), None) => only.parse().ok(),
        (_, _) => None,
    }
}
