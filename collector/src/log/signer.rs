//! What signs: a key in a file, or a program that holds one where this one cannot see it. Shell.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::digest::parse_hex_bytes;
use ed25519_dalek::{SIGNATURE_LENGTH, Signer as _, SigningKey, VerifyingKey};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to sign.
const PATIENCE: Duration = Duration::from_secs(10);
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
    // A group of its own: what it leaves behind ends with it.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let group = Pid::from_child(&child);
    let answer = exchange(&mut child, message);
    // Whoever is gone cannot be killed.
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()?;
    let bytes = parse_hex_bytes(answer?.trim_end())
        .context("it answered with something else than hex digits")?;
    let length = bytes.len();
    let signature = bytes.try_into();
    signature.map_err(|_| {
        anyhow::anyhow!("it answered with {length} bytes, a signature has {SIGNATURE_LENGTH}")
    })
}

/// Hands the message over, and takes the answer: up to a line's end, or to the end of what comes.
fn exchange(child: &mut Child, message: &[u8]) -> anyhow::Result<String> {
    let output = child.stdout.take().context("it has no output")?;
    let (told, heard) = channel();
    std::thread::Builder::new()
        .name("signer".to_owned())
        .spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output.take(MAX_ANSWER)).read_line(&mut line);
            // Whoever asked may have lost patience.
            drop(told.send(read.map(|_| line)));
        })?;
    // A checkpoint is shorter than what a pipe holds: this waits for nobody.
    let handed = child
        .stdin
        .take()
        .map_or(Ok(()), |mut input| input.write_all(message));
    let line = heard.recv_timeout(PATIENCE);
    let line =
        line.map_err(|_| anyhow::anyhow!("it took longer than {} s", PATIENCE.as_secs()))??;
    if line.is_empty() {
        let status = child.wait()?;
        anyhow::bail!("it ended with {status} and without an answer");
    }
    handed?;
    Ok(line)
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
        // What it leaves behind keeps its output open; nobody waits for that.
        let begun = std::time::Instant::now();
        let leaves = program(&format!("cat > /dev/null; sleep 1000 & echo {hex}"));
        assert_eq!(leaves.sign(b"text").unwrap(), key.sign(b"text").to_bytes());
        assert!(begun.elapsed() < PATIENCE);
        let absent = Signer::Program {
            command: vec!["/no/such/signer".to_owned()],
            key: Box::new(key.verifying_key()),
        };
        assert!(format!("{:#}", absent.sign(b"text").unwrap_err()).contains("/no/such/signer"));
    }
}
