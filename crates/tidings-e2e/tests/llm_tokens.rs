//! The example `llm_tokens` in a real Chromium: an answer that is written while it is read, by pages that come late, come
//! back, and stop by themselves.

use std::env;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use tidings_e2e::{Browser, DEADLINE, Follower, Program};

/// The example, on a free port.
struct Example {
    address: SocketAddr,
    _program: Program,
}

impl Example {
    fn start() -> Self {
        let test = env::current_exe().expect("the system can tell which file this program is");
        let profile = test.ancestors().nth(2).expect("a test binary lies two folders below its profile folder");
        let example = profile.join("examples/llm_tokens");
        assert!(
            example.is_file(),
            "{} is not there: run `cargo build -p tidings --example llm_tokens` first (`cargo test --workspace` does)",
            example.display()
        );
        let program = Program::start(Command::new(example).arg("0"));
        let address = program.wait_for_line("where it is open", |line| {
            line.strip_prefix("open http://")?.trim_end_matches('/').parse().ok()
        });
        Self { address, _program: program }
    }
}

/// The one request that writes an answer, at the pace of a test.
struct Writer(TcpStream);

impl Writer {
    fn begin(hub: SocketAddr, topic: &str) -> Self {
        let mut request = TcpStream::connect(hub).expect("the example listens");
        let head = format!(
            "POST /live/events?topic={topic} HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\n\
             Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        request.write_all(head.as_bytes()).expect("the hub reads");
        Self(request)
    }

    fn write(&mut self, tokens: &[&str]) {
        for token in tokens {
            self.line(&json!({ "data": token }));
        }
    }

    fn line(&mut self, line: &serde_json::Value) {
        let line = format!("{line}\n");
        self.0.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).expect("the hub reads");
    }

    /// The last line ends the topic; what was answered.
    fn end(mut self) -> String {
        self.line(&json!({ "end": true }));
        self.0.write_all(b"0\r\n\r\n").expect("the hub reads");
        let mut answer = String::new();
        self.0.set_read_timeout(Some(DEADLINE)).expect("a socket takes a time");
        self.0.read_to_string(&mut answer).expect("the hub answers");
        answer
    }
}

/// Stands between the browser and the example, and keeps what the browser asked.
struct Relay {
    address: SocketAddr,
    asked: Asked,
}

/// For each connection, all that came from the browser.
type Asked = Arc<Mutex<Vec<Vec<u8>>>>;

impl Relay {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let asked = Asked::default();
        let all = Arc::clone(&asked);
        thread::spawn(move || {
            for (number, browser) in listener.incoming().map_while(Result::ok).enumerate() {
                let example = TcpStream::connect(to).expect("the example listens");
                all.lock().expect("no thread panics with it").push(Vec::new());
                let all = Arc::clone(&all);
                let note = move |bytes: &[u8]| {
                    all.lock().expect("no thread panics with it")[number].extend_from_slice(bytes);
                };
                carry(&browser, &example, note);
                carry(&example, &browser, |_| {});
            }
        });
        Self { address, asked }
    }

    /// How many streams were asked for.
    fn streams(&self) -> usize {
        let asked = self.asked.lock().expect("no thread panics with it");
        asked.iter().map(|bytes| String::from_utf8_lossy(bytes).matches("GET /live/events/").count()).sum()
    }
}

/// Carries bytes one way, on a thread that ends with either side.
fn carry(from: &TcpStream, to: &TcpStream, note: impl Fn(&[u8]) + Send + 'static) {
    let mut from = from.try_clone().expect("a socket can be shared");
    let mut to = to.try_clone().expect("a socket can be shared");
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            note(&bytes[..read]);
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

const TEXT: &str = "document.querySelector('#text').textContent";

#[test]
fn pages_that_come_late_or_come_back_show_the_whole_answer_and_stop_by_themselves() {
    let example = Example::start();
    let relay = Relay::start(example.address);
    let page = format!("http://{}/?answer=test", relay.address);
    let mut writer = Writer::begin(example.address, "answers/test");
    let browser = Browser::start();
    let wait_for_text = |want: &str| {
        browser.wait_for(&format!("{TEXT} === {}", json!(want)));
    };

    writer.write(&["It", " goes", " one"]);
    browser.open(&page);
    wait_for_text("It goes one");
    writer.write(&[" way", ",", "\n"]);
    wait_for_text("It goes one way,\n");

    browser.open(&page); // loaded again: a new page, which has nothing
    wait_for_text("It goes one way,\n");
    browser.screenshot("llm-tokens.png");
    writer.write(&["  as", " the", " answer\n\ndoes", " – ", "…"]);
    let answered = writer.end();
    assert!(!answered.contains("error"), "{answered}");
    let whole = "It goes one way,\n  as the answer\n\ndoes – …";
    wait_for_text(whole);
    browser.wait_for("document.body.dataset.answer === 'whole'");
    browser.wait_for("document.body.dataset.connection === 'closed'");
    assert_eq!(relay.streams(), 3, "one each time it was loaded, and one that was answered 204");

    // Another page comes when all is over. While it reads and asks again, the first one keeps silent.
    browser.run(SECOND_PAGE, &json!([page]));
    let second = browser.wait_for("window.second?.connection === 'closed' && window.second");
    assert_eq!((&second["text"], &second["answer"]), (&json!(whole), &json!("whole")));
    wait_for_text(whole);
    assert_eq!(relay.streams(), 5, "the second page asked twice, the first one no more");
}

/// Opens a page within this one, and notes what it shows.
const SECOND_PAGE: &str = "
const frame = document.createElement('iframe');
frame.onload = () => {
  const page = frame.contentDocument;
  const look = () => {
    window.second = { ...page.body.dataset, text: page.querySelector('#text').textContent };
    document.documentElement.dataset.second = JSON.stringify(window.second);
  };
  new MutationObserver(look).observe(page, { subtree: true, childList: true, attributes: true, characterData: true });
  look();
};
frame.src = arguments[0];
document.body.append(frame);
";

#[test]
fn the_button_asks_and_the_answer_is_whole() {
    let example = Example::start();
    let browser = Browser::start();
    browser.open(&format!("http://{}/", example.address));
    browser.click("#ask");
    browser.wait_for_address("?answer=");
    browser.wait_for("document.body.dataset.answer === 'whole'");

    let shown = browser.run(&format!("return {TEXT}"), &json!([]));
    let tokens = browser.run("return document.querySelector('#text').childNodes.length", &json!([]));
    let tokens = usize::try_from(tokens.as_u64().expect("a number")).expect("a small number");
    assert!(tokens > 100, "{tokens} tokens: {shown}");
    let answer = browser.run("return new URLSearchParams(location.search).get('answer')", &json!([]));
    let answer = answer.as_str().expect("the page is that of an answer");
    let curl = Follower::curl(&format!("http://{}/live/events/answers/{answer}?since=earliest", example.address));
    let kept: String = curl.wait_for_events(tokens).into_iter().map(|seen| seen.data).collect();
    assert_eq!(shown, json!(kept));
    assert!(kept.starts_with("A stream of server-sent events") && kept.ends_with("is both.\n"), "{kept}");
}
