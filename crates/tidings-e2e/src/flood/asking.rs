//! Connections that publish as fast as they are answered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::End;
use super::attack::Attack;

/// How long an answer may take before its connection is made anew.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Count {
    asked: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

pub(super) fn run(attack: &Attack, end: &End, say: &mut impl FnMut(&str)) -> String {
    let count = Count::default();
    thread::scope(|scope| {
        for _ in 0..attack.count {
            scope.spawn(|| {
                while !end.has_come() {
                    if ask(attack, end, &count).is_err() {
                        count.failed.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(20)); // the pace of the attack
                    }
                }
            });
        }
        while count.accepted.load(Ordering::Relaxed) == 0 && !end.has_come() {
            thread::sleep(Duration::from_millis(20)); // between two looks
        }
        say(&format!("flooding with {} connections", attack.count));
    });
    let [accepted, refused, failed] =
        [&count.accepted, &count.refused, &count.failed].map(|count| count.load(Ordering::Relaxed));
    format!("accepted={accepted} refused={refused} failed={failed}")
}

/// Publishes on one connection until it ends.
fn ask(attack: &Attack, end: &End, count: &Count) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(attack.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let data = vec![b'x'; attack.bytes.max(1)];
    while !end.has_come() {
        let target = attack.target(count.asked.fetch_add(1, Ordering::Relaxed));
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            attack.address,
            data.len()
        );
        stream.write_all(&[head.as_bytes(), &data].concat())?;
        let (is_good, is_last) = read_answer(&mut answers)?;
        let counter = if is_good { &count.accepted } else { &count.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads an answer with a length. Answers whether it is a good one, and whether the connection ends with it.
pub(super) fn read_answer(answers: &mut BufReader<TcpStream>) -> std::io::Result<(bool, bool)> {
    let (mut line, mut length, mut is_last) = (String::new(), 0, false);
    answers.read_line(&mut line)?;
    let is_good = line.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
    if !line.starts_with("HTTP/1.1 ") {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        is_last |= name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close");
    }
    std::io::copy(&mut answers.take(length), &mut std::io::sink())?;
    Ok((is_good, is_last))
}
