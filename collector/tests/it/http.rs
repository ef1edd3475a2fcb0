//! As much HTTP as the tests speak: one request, one connection, the whole answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub(crate) fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    request_with(to, method, path, "", body)
}

/// With more headers, each ended by a line break.
pub(crate) fn request_with(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    request_on(TcpStream::connect(to)?, method, path, headers, body)
}

/// On a connection that stands.
pub(crate) fn request_on(
    mut stream: TcpStream,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    exchange(&mut stream, method, path, headers, body)
}

/// One request and its answer over a connection that may be encrypted.
pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    parsed(all)
}

fn parsed(mut all: Vec<u8>) -> std::io::Result<Answer> {
    let cut = all
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&all[..cut]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = all.split_off(cut + 4);
    let length: Option<usize> = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
    if length.is_some_and(|n| n != body.len()) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer { status, head, body })
}

pub(crate) fn get(to: SocketAddr, path: &str) -> Answer {
    request(to, "GET", path, b"").unwrap()
}

/// Every item of a list, page by page.
pub(crate) fn all(to: SocketAddr, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(to, &format!("{path}{after}")).json();
        items.extend(page["items"].as_array().unwrap().clone());
        let next = &page["next"];
        if next.is_null() {
            return items;
        }
        let text = next
            .as_str()
            .map_or_else(|| next.to_string(), str::to_owned);
        after = format!("&after={text}");
    }
}
