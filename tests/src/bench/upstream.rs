//! The smallest model server that a benchmark needs: answers each inference at once with the same
//! decision. A thread for each connection, no limits, for loopback only: not a server for anybody.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::Context as _;
use clap::Args;

use super::Bench;

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Where to listen on loopback.
    #[arg(long)]
    port: u16,
}

impl Bench for Options {
    fn run(&self, _: &mut dyn Write) -> anyhow::Result<()> {
        serve(self.port)
    }
}

/// Serves the loan model until the process is killed.
pub fn serve(port: u16) -> anyhow::Result<()> {
    serve_with(port, answer)
}

/// Serves another one, by its answer to so many rows.
pub fn serve_with(port: u16, answer: fn(usize) -> String) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} is taken"))?;
    for stream in listener.incoming() {
        let stream = stream.context("no connection")?;
        std::thread::spawn(move || {
            // A client that leaves ends its connection's thread and nothing else.
            let _ = converse(stream, answer);
        });
    }
    Ok(())
}

/// The answer to a request with that many rows.
pub fn answer(rows: usize) -> String {
    let decisions = vec!["1"; rows].join(",");
    format!(
        r#"{{"model_name":"loan","model_version":"1","outputs":[{{"name":"predict","shape":[{rows},1],"datatype":"INT64","data":[{decisions}]}}]}}"#
    )
}

fn converse(stream: TcpStream, answer: fn(usize) -> String) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let (mut length, mut rows, mut first) = (0, 1, true);
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let text = line.trim_end();
            if text.is_empty() && !first {
                break;
            }
            first = false;
            if let Some((name, value)) = text.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse()?;
                } else if name.eq_ignore_ascii_case("x-rows") {
                    rows = value.trim().parse()?;
                }
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
        let answer = answer(rows);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream
            .get_mut()
            .write_all(&[head.as_bytes(), answer.as_bytes()].concat())?;
    }
}
