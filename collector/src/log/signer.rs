//! What signs: a key in a file, or a program that holds one where this one cannot see it. Shell.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clause9_shared::digest::parse_hex_bytes;
use ed25519_dalek::{SIGNATURE_LENGTH, Signer as _, SigningKey, VerifyingKey};

/// How long a program may take to sign.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// Most bytes of its answer that are read.
const MAX_ANSWER: u64 = 4096;

/// Holds a key.
#[derive(Clone)]
pub(crate) enum Signer {
    /// Here.
    File(Box<SigningKey>),
    /// Elsewhere: a program reads the message from its standard input and writes the signature as 128 hex digits.
    Program {
        /// The program with its arguments.
        command: Vec<String>,
        /// The key that it signs by.
        key: Box<VerifyingKey>,
    },
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(_) => f.write_str("File"),
            Self::Program { command, .. } => write!(f, "Program({:?})", command.first()),
        }
    }
}

impl Signer {
    /// The public half.
    pub(crate) fn key(&self) -> VerifyingKey {
        match self {
            Self::File(key) => key.verifying_key(),
            Self::Program { key, .. } => **key,
        }
    }

    /// Signs a message. What a program answers is verified: a signature that nobody believes is none.
    pub(crate) fn sign(&self, message: &[u8]) -> anyhow::Result<[u8; SIGNATURE_LENGTH]> {
        match self {
            Self::File(key) => Ok(key.sign(message).to_bytes()),
            Self::Program { command, key } => {
                let name = command.first().map_or("", String::as_str);
                let signature = ask(command, message)
                    .with_context(|| format!("the signer `{name}` did not sign"))?;
                let verifies = key.verify_strict(message, &signature.into()).is_ok();
                anyhow::ensure!(
                    verifies,
                    "the signer `{name}` signed with another key than its `public_key`"
                );
                Ok(signature)
            }
        }
    }
}

fn ask(command: &[String], message: &[u8]) -> anyhow::Result<[u8; SIGNATURE_LENGTH]> {
    let (program, arguments) = command.split_first().context("no program is configured")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let input = child.stdin.take();
    // A checkpoint is shorter than what a pipe holds: this waits for nobody.
    let told = input.map_or(Ok(()), |mut input| input.write_all(message));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if begun.elapsed() > PATIENCE => {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("it took longer than {} s", PATIENCE.as_secs());
            }
            None => std::thread::sleep(PAUSE),
        }
    };
    anyhow::ensure!(status.success(), "it ended with {status}");
    told?;
    let mut answer = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_ANSWER).read_to_string(&mut answer)?;
    }
    let bytes = parse_hex_bytes(answer.trim_end())
        .context("it answered with something else than hex digits")?;
    let length = bytes.len();
    let signature = bytes.try_into();
    signature.map_err(|_| {
        anyhow::anyhow!("it answered with {length} bytes, a signature has {SIGNATURE_LENGTH}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(script: &str) -> Signer {
        let key = SigningKey::from_bytes(&[3; 32]).verifying_key();
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Signer::Program {
            command,
            key: Box::new(key),
        }
    }

    #[test]
    fn a_program_signs_and_is_not_believed_blindly() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let hex = clause9_shared::digest::to_hex(&key.sign(b"text").to_bytes());
        let signs = program(&format!("cat > /dev/null; echo {hex}"));
        assert_eq!(signs.sign(b"text").unwrap(), key.sign(b"text").to_bytes());
        let wrong = [
            (signs.sign(b"other").unwrap_err(), "signed with another key"),
            (
                program("exit 3").sign(b"text").unwrap_err(),
                "exit status: 3",
            ),
            (
                program("cat >/dev/null; echo no")
                    .sign(b"text")
                    .unwrap_err(),
                "something else than hex",
            ),
            (
                program("cat >/dev/null; echo abcd")
                    .sign(b"text")
                    .unwrap_err(),
                "2 bytes",
            ),
        ];
        for (error, says) in wrong {
            let said = format!("{error:#}");
            assert!(said.contains(says), "{said}");
        }
        let absent = Signer::Program {
            command: vec!["/no/such/signer".to_owned()],
            key: Box::new(key.verifying_key()),
        };
        assert!(format!("{:#}", absent.sign(b"text").unwrap_err()).contains("/no/such/signer"));
    }
}
