//! A hub that speaks HTTPS: HTTP/1.1 and HTTP/2, with clients that check its certificate, and a browser.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;
use tidings_e2e::{Browser, DEADLINE, Program, tidings};

/// A hub by HTTPS, and the certificate that its clients trust.
struct PrivateHub {
    program: Program,
    address: SocketAddr,
    files: TempDir,
}

/// A certificate of this machine and its key, in files.
fn write_identity(folder: &Path) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names are all it takes");
    fs::write(folder.join("cert.pem"), cert.pem()).expect("a temporary directory is writable");
    fs::write(folder.join("key.pem"), signing_key.serialize_pem()).expect("a temporary directory is writable");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

impl PrivateHub {
    #[track_caller]
    fn start(command: &[&str]) -> Self {
        let files = TempDir::new().expect("there is room for two small files");
        write_identity(files.path());
        let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        let tls = ["--tls-cert", text(&certificate), "--tls-key", text(&key)];
        let listen = ["--listen", "127.0.0.1:0", "--drain", "100ms"];
        let program = Program::start(&mut tidings(&[command, &tls, &listen].concat()));
        let address = program.wait_for_line("the line `listening on https://ADDR`", |line| {
            line.strip_prefix("listening on https://")?.trim().parse().ok()
        });
        Self { program, address, files }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn certificate(&self) -> std::path::PathBuf {
        self.files.path().join("cert.pem")
    }

    /// curl that trusts this hub and no other.
    fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--cacert"]).arg(self.certificate());
        command
    }

    #[track_caller]
    fn publish(&self, version: &str, path: &str, data: &str) -> String {
        let mut curl = self.curl();
        curl.args([version, "--data", data, "--write-out", "\n%{http_version} %{response_code}", &self.url(path)]);
        let finished = Program::start(&mut curl).finish();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout
    }
}

/// Publishes and listens by one version of HTTP, with a resume.
fn check(version: &str, want: &str) {
    let hub = PrivateHub::start(&["serve", "--memory"]);
    let answer = hub.publish(version, "/events/news", "first");
    assert!(answer.ends_with(&format!("\n{want} 200")), "{answer}");
    let id = answer.split('"').nth(3).expect("an id in JSON").to_owned();

    let mut curl = hub.curl();
    curl.args([version, "--header", &format!("Last-Event-ID: {id}"), &hub.url("/events/news")]);
    let reader = Program::start(&mut curl);
    hub.publish(version, "/events/news", "second");
    reader.wait_for_stdout("what came after the first event", |stdout| {
        let text = String::from_utf8_lossy(stdout);
        assert!(!text.contains("first"), "{text}");
        text.contains("data: second\n\n").then_some(())
    });
}

#[test]
fn http_1_over_tls_publishes_and_listens() {
    check("--http1.1", "1.1");
}

#[test]
fn http_2_over_tls_publishes_and_listens() {
    check("--http2", "2");
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload_and_a_bad_one_never() {
    let hub = PrivateHub::start(&["serve", "--memory"]);
    let old = hub.files.path().join("old.pem");
    fs::copy(hub.certificate(), &old).expect("a temporary directory is writable");
    let is_shown = |certificate: &Path| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--cacert"]).arg(certificate).arg(hub.url("/healthz"));
        Program::start(&mut curl).finish().code == Some(0)
    };
    let reload = |level: &str, words: &str| {
        hub.program.hang_up();
        hub.program.wait_for_stderr(&format!("a line with {words:?}"), |log| {
            let log = String::from_utf8_lossy(log);
            log.lines().any(|line| line.contains(level) && line.contains(words)).then_some(())
        });
    };
    let mut curl = hub.curl();
    let reader = Program::start(curl.arg(hub.url("/events/news")));
    reader.wait_for_stdout("the beginning of a stream", |bytes| (!bytes.is_empty()).then_some(()));

    fs::write(hub.certificate(), "no certificate at all").expect("a temporary directory is writable");
    reload("ERROR", "no certificate");
    assert!(is_shown(&old), "a file that is no certificate");
    fs::copy(&old, hub.certificate()).expect("a temporary directory is writable");
    fs::write(hub.files.path().join("key.pem"), "no key").expect("a temporary directory is writable");
    reload("ERROR", "no private key");
    assert!(is_shown(&old), "a file that is no key");

    write_identity(hub.files.path());
    assert!(is_shown(&old) && !is_shown(&hub.certificate()), "nobody has asked for it yet");
    reload("INFO", "the certificate was read again");
    assert!(is_shown(&hub.certificate()) && !is_shown(&old));
    hub.publish("--http1.1", "/events/news", "open streams go on");
    reader.wait_for_stdout("an event after the reload", |bytes| {
        String::from_utf8_lossy(bytes).contains("open streams go on").then_some(())
    });
}

#[test]
fn our_own_commands_trust_what_the_system_trusts() {
    let hub = PrivateHub::start(&["serve", "--memory"]);
    let url = hub.url("");
    let run = |arguments: &[&str]| {
        let mut command = tidings(arguments);
        Program::start(command.args(["--hub", &url]).env("SSL_CERT_FILE", hub.certificate())).finish()
    };
    let published = run(&["publish", "news", "hello"]);
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let followed = run(&["tail", "news", "--since", "earliest", "--count", "1"]);
    assert!(followed.stdout.contains("hello"), "{} {}", followed.stdout, followed.stderr);
}

#[test]
fn a_browser_has_more_than_six_streams_on_one_page() {
    const STREAMS: usize = 8;
    let hub = PrivateHub::start(&["demo"]);
    let browser = Browser::start();
    browser.open(&hub.url("/"));
    browser.run(
        "const count = arguments[0];
         document.body.dataset.greeted = 0;
         window.sources = Array.from({ length: count }, () => {
           const source = new EventSource('/events');
           source.addEventListener('message', () => { document.body.dataset.greeted++; }, { once: true });
           return source;
         });",
        &json!([STREAMS]),
    );
    browser.wait_for(&format!("document.body.dataset.greeted == {STREAMS}"));
}

#[test]
fn plain_http_at_such_a_port_is_told() {
    let hub = PrivateHub::start(&["serve", "--memory"]);
    let mut stream = TcpStream::connect(hub.address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline is not zero");
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer and its end");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("speaks HTTPS"), "{answer}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let files = TempDir::new().expect("there is room for two small files");
    write_identity(files.path());
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    let nowhere = files.path().join("nowhere.pem");
    let check = |flags: &[&str], words: &[&str]| {
        let arguments = [&["serve", "--memory", "--listen", "127.0.0.1:0"], flags].concat();
        let finished = Program::start(&mut tidings(&arguments)).finish();
        assert_eq!(finished.code, Some(2), "{flags:?}: {}", finished.stderr);
        assert!(words.iter().all(|word| finished.stderr.contains(word)), "{flags:?}: {}", finished.stderr);
    };
    check(&["--tls-cert", text(&certificate)], &["--tls-cert", "--tls-key"]);
    check(&["--tls-key", text(&key)], &["--tls-cert", "--tls-key"]);
    check(&["--tls-cert", text(&nowhere), "--tls-key", text(&key)], &["--tls-cert", "nowhere.pem"]);
    check(&["--tls-cert", text(&key), "--tls-key", text(&key)], &["--tls-cert", "no certificate"]);
    check(&["--tls-cert", text(&certificate), "--tls-key", text(&certificate)], &["--tls-key", "no private key"]);
}
