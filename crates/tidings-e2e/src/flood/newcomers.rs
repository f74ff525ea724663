//! What it is like for somebody who comes meanwhile: a publication on a new connection, again and again.

use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::End;
use super::asking::read_answer;
use super::attack::Attack;

/// How long one waits before it has not been served.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each comes at its time, whether or not those before were served.
pub(super) fn run(attack: &Attack, end: &End, say: &mut impl FnMut(&str)) -> io::Result<String> {
    let every = Duration::from_secs(1) / u32::try_from(attack.count.max(1)).unwrap_or(u32::MAX);
    let (sender, receiver) = mpsc::channel(); // as many as come in the time of the attack
    say(&format!("{} newcomers a second", attack.count));
    let began = Instant::now();
    let mut asked = 0;
    while !end.has_come() {
        let (attack, sender) = (attack.clone(), sender.clone());
        thread::Builder::new().stack_size(128 * 1024).spawn(move || {
            let began = Instant::now();
            let served = ask(&attack, u64::from(asked));
            // Nobody listens once the report is made.
            let _ = sender.send(served.is_ok_and(|is_good| is_good).then(|| began.elapsed()));
        })?;
        asked += 1;
        let due = began + every * asked;
        thread::sleep(due.saturating_duration_since(Instant::now())); // the pace
    }
    drop(sender);
    let mut times: Vec<_> = receiver.iter().flatten().collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let millis = |percent| at(percent).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
    Ok(format!("asked={asked} served={} p50_ms={:.2} p99_ms={:.2}", times.len(), millis(50), millis(99)))
}

fn ask(attack: &Attack, number: u64) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&attack.address.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let target = attack.target(number);
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 3\r\n\r\nnew",
        attack.address
    )?;
    Ok(read_answer(&mut BufReader::new(stream))?.0)
}
