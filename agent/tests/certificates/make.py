"""Makes the certificates of this folder."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FROM, TO = datetime.datetime(2020, 1, 1), datetime.datetime(2120, 1, 1)


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, authority):
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(TO)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.DNSName("agent.test"), x509.DNSName("localhost")])
        vouched = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        made = made.add_extension(names, critical=False).add_extension(vouched, critical=False)
    return made.sign(issuer_key, hashes.SHA256())


def put(name, data):
    with open(name, "wb") as file:
        file.write(data)


def pem(made):
    return made.public_bytes(serialization.Encoding.PEM)


authority, root = named("tests of clause9"), ec.generate_private_key(ec.SECP256R1())
put("authority.pem", pem(certificate(authority, root, authority, root, True)))
for name in ("first", "second"):
    key = ec.generate_private_key(ec.SECP256R1())
    put(f"{name}.pem", pem(certificate(named(name), key, authority, root, False)))
    put(f"{name}.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
