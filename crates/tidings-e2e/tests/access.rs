//! Keys of the program: by flag, variable and file, read again at SIGHUP, and never printed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tidings_auth::{Algorithm, Claims, KeySource, mint};
use tidings_e2e::{DEADLINE, Finished, Program, RawStream, request, tidings};

const KEY: &str = "a secret that nobody is to see";
/// The example of RFC 8037, appendix A.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----";
const OTHER_KEY: &str = "another secret that nobody is to see";

/// A token that publishes and reads everything.
fn token(secret: &str) -> String {
    let all = || vec!["**".to_owned()];
    let claims = Claims { publish: all(), subscribe: all(), ..Claims::default() };
    mint(&claims, &KeySource::new(secret, Algorithm::Hs256)).expect("good claims")
}

/// A hub in memory on any port.
#[derive(Debug)]
struct Hub {
    program: Program,
    address: SocketAddr,
}

impl Hub {
    #[track_caller]
    fn start(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut words = vec!["serve", "--memory", "--drain", "0s"];
        words.extend(flags);
        if !flags.contains(&"--listen") && !variables.iter().any(|(name, _)| *name == "SERVER_NAME") {
            words.extend(["--listen", "127.0.0.1:0"]);
        }
        let program = Program::start(with(&mut tidings(&words), variables));
        let address: SocketAddr =
            program.wait_for_line("its address", |line| line.strip_prefix("listening on http://")?.trim().parse().ok());
        Self { program, address: SocketAddr::new([127, 0, 0, 1].into(), address.port()) }
    }

    /// The status of a publish with a token of this key.
    #[track_caller]
    fn publish(&self, secret: &str) -> u16 {
        let bearer = format!("Authorization: Bearer {}", token(secret));
        request(self.address, "POST", "/events/news", &[&bearer], b"x").status
    }

    #[track_caller]
    fn publish_with_nothing(&self) -> u16 {
        request(self.address, "POST", "/events/news", &[], b"x").status
    }

    /// Asks for a stream with a token of this key; the status.
    #[track_caller]
    fn listen(&self, secret: &str) -> u16 {
        self.status_of_stream(&format!("Authorization: Bearer {}\r\n", token(secret)))
    }

    #[track_caller]
    fn listen_with_nothing(&self) -> u16 {
        self.status_of_stream("")
    }

    /// The status alone: what follows it may have no end.
    #[track_caller]
    fn status_of_stream(&self, headers: &str) -> u16 {
        let stream = TcpStream::connect_timeout(&self.address, DEADLINE).expect("the hub listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time that is not zero");
        let request = format!("GET /events/news HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address);
        (&stream).write_all(request.as_bytes()).expect("the hub reads");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("the hub answers");
        line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
    }

    /// Sends SIGHUP and waits for what the log says of it.
    #[track_caller]
    fn hang_up(&self, words: &str) {
        self.program.hang_up();
        self.program.wait_for_stderr(words, |log| String::from_utf8_lossy(log).contains(words).then_some(()));
    }

    /// Ends it, and checks that no key was printed.
    #[track_caller]
    fn end(self) -> Finished {
        let finished = self.program.terminate().expect_code(0);
        expect_no_key(&finished);
        finished
    }
}

fn with<'a>(command: &'a mut Command, variables: &[(&str, &str)]) -> &'a mut Command {
    for (name, value) in variables {
        command.env(name, value);
    }
    command
}

#[track_caller]
fn run(words: &[&str], variables: &[(&str, &str)]) -> Finished {
    let finished = Program::start(with(&mut tidings(words), variables)).finish();
    expect_no_key(&finished);
    finished
}

#[track_caller]
fn expect_no_key(finished: &Finished) {
    for secret in [KEY, OTHER_KEY] {
        assert!(!finished.stdout.contains(secret) && !finished.stderr.contains(secret), "{finished:?}");
    }
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the folder is writable");
    path_text(&path)
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("paths of tests are UTF-8").to_owned()
}

#[test]
fn a_key_comes_by_flag_variable_or_file_in_that_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = file(&folder, "tidings.toml", &format!("[access]\npublisher-jwt-key = \"{KEY}\"\n"));
    let key_file = format!("file://{}", file(&folder, "key", &format!("{KEY}\n")));
    let check = |flags: &[&str], variables: &[(&str, &str)]| {
        let hub = Hub::start(flags, variables);
        assert_eq!((hub.publish(KEY), hub.publish(OTHER_KEY)), (200, 401), "{flags:?} {variables:?}");
        assert_eq!((hub.publish_with_nothing(), hub.listen(KEY)), (401, 401), "{flags:?} {variables:?}");
        let finished = hub.end();
        assert!(finished.stderr.contains("--subscriber-jwt-key"), "nobody may listen: {}", finished.stderr);
    };
    check(&["--publisher-jwt-key", KEY], &[("TIDINGS_PUBLISHER_JWT_KEY", OTHER_KEY)]);
    check(&["--publisher-jwt-key", &key_file], &[]);
    check(&[], &[("TIDINGS_PUBLISHER_JWT_KEY", KEY), ("MERCURE_PUBLISHER_JWT_KEY", OTHER_KEY)]);
    check(&[], &[("MERCURE_PUBLISHER_JWT_KEY", KEY), ("TIDINGS_PUBLISHER_JWT_KEY", "")]);
    check(&["--config", &config], &[]);
    let other = format!("[access]\npublisher-jwt-key = \"{OTHER_KEY}\"\n");
    let other = file(&folder, "other.toml", &other);
    check(&["--config", &other], &[("MERCURE_PUBLISHER_JWT_KEY", KEY)]);
}

#[test]
fn both_keys_and_anonymous_readers() {
    let keys = ["--publisher-jwt-key", KEY, "--subscriber-jwt-key", OTHER_KEY];
    let hub = Hub::start(&keys, &[]);
    assert_eq!((hub.publish(KEY), hub.listen(OTHER_KEY), hub.listen(KEY)), (200, 200, 401));
    assert_eq!(hub.listen_with_nothing(), 401);
    hub.end();
    let hub = Hub::start(&[&keys[..], &["--anonymous", "--listen", "0.0.0.0:0"]].concat(), &[]);
    assert_eq!(hub.listen_with_nothing(), 200);
    assert_eq!((hub.publish_with_nothing(), hub.listen(KEY)), (401, 401));
    hub.end();
}

#[test]
fn a_hub_that_others_reach_needs_a_decision() {
    let listen = ["serve", "--memory", "--listen", "0.0.0.0:0"];
    let told = run(&listen, &[]).expect_code(2).stderr;
    for flag in ["--publisher-jwt-key", "--subscriber-jwt-key", "--jwks-url", "--anonymous", "--open", "127.0.0.1"] {
        assert!(told.contains(flag), "{flag}: {told}");
    }
}

#[test]
fn a_bad_key_ends_with_2_and_what_is_wrong() {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----");
    for (words, wants) in [
        (&["--publisher-jwt-key", KEY, "--publisher-jwt-alg", "RS256"][..], &["--publisher-jwt-key", "not a PEM"][..]),
        (&["--subscriber-jwt-key", &pem], &["--subscriber-jwt-key", "PEM file", "HS256"]),
        (&["--publisher-jwt-key", "--anonymous"], &["--publisher-jwt-key", "as a flag does"]),
        (&["--publisher-jwt-key="], &["--publisher-jwt-key", "empty"]),
        (&["--publisher-jwt-key", KEY, "--publisher-jwt-alg", "none"], &["--publisher-jwt-alg", "none", "HS256"]),
        (&["--publisher-jwt-key", "file:///no/such/key"], &["--publisher-jwt-key", "/no/such/key"]),
        (&["--jwks-url", "file:///no/such/set"], &["/no/such/set"]),
        (&["--jwks-url", "id.example"], &["--jwks-url", "https://"]),
    ] {
        let finished = run(&[&["serve", "--memory"], words].concat(), &[]).expect_code(2);
        for want in wants {
            assert!(finished.stderr.contains(want), "{words:?}: {want} in {}", finished.stderr);
        }
    }
}

#[test]
fn no_key_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("[access]\npublisher-jwt-key = [\"{KEY}\"]\nsubscriber-jwt-key = \"{OTHER_KEY}\nopen = 5\n");
    run(&["config", "check", &file(&folder, "bad.toml", &text)], &[]).expect_code(2);
    let text = format!("[access]\npublisher-jwt-key = \"{KEY}\"\npublisher-jwt-alg = \"ES256\"\n");
    let checked = run(&["config", "check", &file(&folder, "good.toml", &text)], &[]).expect_code(0);
    assert!(checked.stderr.contains("--publisher-jwt-key: the key for ES256 is not a PEM file"), "{}", checked.stderr);
    let variables = [("TIDINGS_PUBLISHER_JWT_KEY", KEY), ("MERCURE_SUBSCRIBER_JWT_KEY", OTHER_KEY)];
    run(&["serve", "--help"], &variables).expect_code(0);
    run(&["config", "default"], &variables).expect_code(0);

    let flags = ["--log-level", "trace", "--admin-listen", "127.0.0.1:0"];
    let hub = Hub::start(&flags, &variables);
    assert_eq!((hub.publish(KEY), hub.listen(OTHER_KEY), hub.listen(KEY)), (200, 200, 401));
    let admin = hub.program.wait_for_line("the admin address", |line| {
        line.strip_prefix("admin listening on http://")?.trim().parse::<SocketAddr>().ok()
    });
    let metrics = request(admin, "GET", "/metrics", &[], b"").text();
    assert!(!metrics.contains(KEY) && !metrics.contains(OTHER_KEY));
    hub.end();
}

#[test]
fn keys_are_read_again_and_a_bad_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |key: &str| {
        format!(
            "[access]\npublisher-jwt-key = \"{key}\"\nsubscriber-jwt-key = \"file://{}/reader\"\n",
            folder.path().display()
        )
    };
    let config = file(&folder, "tidings.toml", &text(KEY));
    file(&folder, "reader", KEY);
    let hub = Hub::start(&["--config", &config], &[]);
    assert_eq!((hub.publish(KEY), hub.publish(OTHER_KEY), hub.listen(KEY)), (200, 401, 200));
    let bearer = format!("Authorization: Bearer {}", token(KEY));
    let mut stream = RawStream::get(hub.address, "/events/news", &[&bearer]);
    stream.wait_for_text("retry: ");

    file(&folder, "tidings.toml", &text(OTHER_KEY));
    file(&folder, "reader", OTHER_KEY);
    hub.hang_up("the keys were read again");
    assert_eq!((hub.publish(KEY), hub.publish(OTHER_KEY)), (401, 200));
    assert_eq!((hub.listen(KEY), hub.listen(OTHER_KEY)), (401, 200));
    stream.wait_for_text("data: x"); // it was open before and goes on

    file(&folder, "tidings.toml", "[access]\npublisher-jwt-kye = \"\"\n");
    hub.hang_up("did you mean publisher-jwt-key?");
    assert_eq!((hub.publish(KEY), hub.publish(OTHER_KEY)), (401, 200), "the old ones stay");
    file(&folder, "tidings.toml", "");
    hub.hang_up("cannot all go while it runs");
    assert_eq!((hub.publish_with_nothing(), hub.publish(OTHER_KEY)), (401, 200));
    hub.end();
}

#[test]
fn a_hub_without_keys_stays_open_when_it_is_asked_to_read_them() {
    let hub = Hub::start(&[], &[]);
    hub.hang_up("there are none");
    assert_eq!(hub.publish_with_nothing(), 200);
    hub.end();
}

#[test]
fn a_key_set_in_a_file_lets_its_holders_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = concat!(
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one","#,
        r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
    );
    let url = format!("file://{}", file(&folder, "jwks.json", set));
    let hub = Hub::start(&["--jwks-url", &url], &[]);
    assert_eq!((hub.publish_with_nothing(), hub.publish(KEY)), (401, 401));
    let claims = Claims { publish: vec!["news".to_owned()], ..Claims::default() };
    let token = mint(&claims, &KeySource::new(PRIVATE_KEY, Algorithm::EdDsa)).expect("good claims");
    let bearer = format!("Authorization: Bearer {token}");
    let answer = request(hub.address, "POST", "/events/news", &[&bearer], b"x");
    assert_eq!(answer.status, 200, "{}", answer.text());
    hub.end();
}

#[test]
fn mercures_defaults() {
    let port = { std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port() };
    let server_name = format!(":{port}");
    let variables = [("SERVER_NAME", &*server_name), ("MERCURE_PUBLISHER_JWT_KEY", KEY)];
    let hub = Hub::start(&["--mercure-compat"], &variables);
    assert_eq!(hub.address.port(), port);
    assert_eq!((hub.publish(KEY), hub.listen(KEY)), (200, 401));
    hub.end();
    let hub = Hub::start(&["--mercure-compat"], &[]);
    assert_eq!(
        (hub.publish_with_nothing(), hub.publish(KEY), hub.listen(KEY)),
        (401, 401, 401),
        "closed without a key"
    );
    hub.end();
}
