//! Key sets of real servers: slow, dead, huge and rotating ones, and files.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidings_auth::{
    Action, Algorithm, Authority, AuthorityOptions, Claims, JwksOptions, JwksSource, KeySource, TokenError, mint,
};
use tidings_core::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::keys::{ED25519, OTHER_RSA, P256, P384, P521, Pair, RSA, SECRET, now};

const NOW: Timestamp = Timestamp::from_millis(0);
/// A test that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// The public half of a pair as a JWK, written by another library where it can.
fn jwk(pair: &Pair, algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = match algorithm {
        Algorithm::Es512 => point(pair, "P-521", 66),
        Algorithm::EdDsa => {
            let der = der(pair);
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&der[der.len() - 32..])})
        }
        Algorithm::Es256 => point(pair, "P-256", 32),
        Algorithm::Es384 => point(pair, "P-384", 48),
        _ => {
            let key = jsonwebtoken::EncodingKey::from_rsa_pem(pair.private.as_bytes()).expect("a key");
            let algorithm = algorithm.name().parse().expect("an algorithm");
            let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, algorithm).expect("a key");
            let jwk = serde_json::to_value(jwk).expect("JSON");
            json!({"kty": jwk["kty"], "n": jwk["n"], "e": jwk["e"]})
        }
    };
    jwk["kid"] = id.into();
    jwk["alg"] = algorithm.name().into();
    jwk
}

fn der(pair: &Pair) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pair.public.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("base64")
}

/// The end of a public key's DER is its point.
fn point(pair: &Pair, curve: &str, bytes: usize) -> Value {
    let der = der(pair);
    let (x, y) = der[der.len() - 2 * bytes..].split_at(bytes);
    json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with a `kid`, or without.
fn token(key: &KeySource, id: Option<&str>) -> String {
    let their = key.algorithm.name().parse();
    let claims = json!({"tidings": {"publish": ["a"]}});
    let Ok(their) = their else {
        // The other library has no ES512, and ours writes no kid.
        let claims = Claims { publish: vec!["a".to_owned()], ..Claims::default() };
        return mint(&claims, key).expect("a token");
    };
    let pem = key.key.reveal().as_bytes();
    let signing = match key.algorithm.name().as_bytes() {
        [b'H', ..] => jsonwebtoken::EncodingKey::from_secret(pem),
        [b'E', b'S', ..] => jsonwebtoken::EncodingKey::from_ec_pem(pem).expect("a key"),
        [b'E', ..] => jsonwebtoken::EncodingKey::from_ed_pem(pem).expect("a key"),
        _ => jsonwebtoken::EncodingKey::from_rsa_pem(pem).expect("a key"),
    };
    let header = jsonwebtoken::Header { kid: id.map(str::to_owned), ..jsonwebtoken::Header::new(their) };
    jsonwebtoken::encode(&header, &claims, &signing).expect("a token")
}

/// What the server does with a request.
#[derive(Clone)]
enum Answer {
    /// Answers 200 and this.
    Keys(Value),
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Takes the request and never answers.
    Silence,
    /// Sends the head and then a byte now and then, for ever.
    Drip,
}

/// A server that answers one request after the other, the last answer again and again.
struct Server {
    url: String,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: tokio::sync::watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys.json?x=1", listener.local_addr().expect("an address"));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let (count, requests) = tokio::sync::watch::channel(0);
        let mut tasks = JoinSet::new();
        let next = Arc::clone(&answers);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a whole request"));
                }
                assert!(head.starts_with(b"GET /keys.json?x=1 HTTP/1.1\r\n"), "{}", head.escape_ascii());
                count.send_modify(|count| *count += 1);
                let answer = {
                    let mut answers = next.lock().expect("nobody panicked");
                    if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
                };
                connections.spawn(async move { respond(stream, answer.expect("an answer")).await });
            }
        });
        Self { url, answers, requests, _tasks: tasks }
    }

    fn authority(&self, options: JwksOptions) -> Arc<Authority> {
        authority(JwksSource::Url(self.url.clone()), options)
    }

    fn requests(&self) -> usize {
        *self.requests.borrow()
    }

    fn answer(&self, answer: Answer) {
        *self.answers.lock().expect("nobody panicked") = VecDeque::from([answer]);
    }
}

async fn respond(mut stream: tokio::net::TcpStream, answer: Answer) {
    let bytes = match answer {
        Answer::Keys(keys) => {
            let body = keys.to_string();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        }
        Answer::Bytes(bytes) => bytes,
        Answer::Silence => {
            let _ = stream.read_u8().await; // until the other side has enough
            return;
        }
        Answer::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while stream.write_all(b" ").await.is_ok() {
                tick.tick().await;
            }
            return;
        }
    };
    let _ = stream.write_all(&bytes).await;
}

fn authority(source: JwksSource, jwks_options: JwksOptions) -> Arc<Authority> {
    let options = AuthorityOptions { jwks: Some(source), jwks_options, ..AuthorityOptions::default() };
    Arc::new(Authority::new(options).expect("a good source"))
}

/// Fetches when it is asked to, without a pause.
fn quick() -> JwksOptions {
    JwksOptions { refresh_interval: Duration::from_hours(1), refresh_pause: Duration::ZERO, ..JwksOptions::default() }
}

/// For the tests that wait until a fetch is given up.
fn impatient() -> JwksOptions {
    JwksOptions { fetch_time_max: Duration::from_secs(2), ..quick() }
}

/// Runs the task that a server would.
fn keep(authority: &Arc<Authority>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let authority = Arc::clone(authority);
    tasks.spawn(async move { authority.keep_keys_fresh().await });
    tasks
}

async fn verify(authority: &Authority, token: &str) -> Result<(), TokenError> {
    let verified = timeout(DEADLINE, authority.verify(token, Action::Publish, NOW)).await;
    verified.expect("an answer in time").map(|identity| assert!(identity.may_publish("a")))
}

fn one_set() -> Value {
    json!({"keys": [
        jwk(&RSA, Algorithm::Rs256, "r"),
        jwk(&RSA, Algorithm::Ps512, "p"),
        jwk(&P256, Algorithm::Es256, "2"),
        jwk(&P384, Algorithm::Es384, "3"),
        jwk(&P521, Algorithm::Es512, "5"),
        jwk(&ED25519, Algorithm::EdDsa, "e"),
    ]})
}

#[tokio::test]
async fn every_kind_of_key_is_fetched_once_and_then_at_hand() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let authority = server.authority(quick());
    let _task = keep(&authority);
    assert_eq!(verify(&authority, &token(&RSA.signs(Algorithm::Rs256), Some("r"))).await, Ok(()));
    for (key, id) in [
        (RSA.signs(Algorithm::Rs256), Some("r")),
        (RSA.signs(Algorithm::Ps512), Some("p")),
        (P256.signs(Algorithm::Es256), Some("2")),
        (P384.signs(Algorithm::Es384), Some("3")),
        (P521.signs(Algorithm::Es512), None),
        (ED25519.signs(Algorithm::EdDsa), Some("e")),
        (ED25519.signs(Algorithm::EdDsa), None),
    ] {
        let verified = now(authority.verify(&token(&key, id), Action::Publish, NOW));
        assert!(verified.is_ok(), "{} {id:?}: {verified:?}", key.algorithm);
    }
    assert_eq!(server.requests(), 1);
    assert!(authority.can(Action::Publish) && authority.can(Action::Subscribe));
    let counts = authority.key_set().expect("there is one").counts();
    assert_eq!((counts.fetches_total, counts.failures_total, counts.keys, counts.keys_ignored), (1, 0, 6, 0));
}

#[tokio::test]
async fn the_algorithm_is_that_of_the_key_in_the_set() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let authority = server.authority(quick());
    let _task = keep(&authority);
    verify(&authority, &token(&RSA.signs(Algorithm::Rs256), Some("r"))).await.expect("a good token");
    for (key, id, want) in [
        (RSA.signs(Algorithm::Rs384), Some("r"), "signed with RS384; expected RS256"),
        (RSA.signs(Algorithm::Ps256), Some("r"), "signed with PS256; expected RS256"),
        (RSA.signs(Algorithm::Rs512), None, "signed with RS512; expected ES256 or ES384"),
        (
            KeySource::new(RSA.public.as_str(), Algorithm::Hs256),
            Some("r"),
            "signed with HS256; expected an algorithm of the key set",
        ),
        (OTHER_RSA.signs(Algorithm::Rs256), Some("r"), "signature that does not fit the key for RS256"),
    ] {
        let error = verify(&authority, &token(&key, id)).await.expect_err(want).to_string();
        assert!(error.contains(want), "{error}, want {want}");
    }
    assert_eq!(server.requests(), 1, "no token of a known key makes us fetch");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_the_old_one_goes() {
    let old = json!({"keys": [jwk(&RSA, Algorithm::Rs256, "old")]});
    let new = json!({"keys": [jwk(&OTHER_RSA, Algorithm::Rs256, "new")]});
    let server = Server::start([Answer::Keys(old), Answer::Keys(new)]).await;
    let authority = server.authority(quick());
    let _task = keep(&authority);
    let (old, new) = (RSA.signs(Algorithm::Rs256), OTHER_RSA.signs(Algorithm::Rs256));
    assert_eq!(verify(&authority, &token(&old, Some("old"))).await, Ok(()));
    assert_eq!(verify(&authority, &token(&new, Some("new"))).await, Ok(()));
    assert_eq!(server.requests(), 2);
    let error = verify(&authority, &token(&old, Some("old"))).await.expect_err("it has gone").to_string();
    assert_eq!(error, "token is signed with the key \"old\" (kid), which is not in the key set");
}

#[tokio::test]
async fn however_many_unknown_names_come_there_is_a_pause_between_fetches() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let authority = server.authority(JwksOptions { refresh_pause: Duration::from_hours(1), ..quick() });
    let _task = keep(&authority);
    let key = RSA.signs(Algorithm::Rs256);
    assert_eq!(verify(&authority, &token(&key, Some("r"))).await, Ok(()));
    for at in 0..50 {
        // Refused at once: nobody waits in the pause.
        let error = now(authority.verify(&token(&key, Some(&format!("x{at}"))), Action::Publish, NOW));
        assert!(matches!(error, Err(TokenError::UnknownKey { .. })), "{error:?}");
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn many_that_wait_share_one_fetch() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let authority = server.authority(JwksOptions { refresh_pause: Duration::from_hours(1), ..quick() });
    let _task = keep(&authority);
    let good = token(&RSA.signs(Algorithm::Rs256), Some("r"));
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let (authority, good) = (Arc::clone(&authority), good.clone());
        waiting.spawn(async move { verify(&authority, &good).await });
    }
    // Whoever goes away in the middle stops nobody else.
    waiting.spawn({
        let (authority, good) = (Arc::clone(&authority), good.clone());
        async move {
            let _ = timeout(Duration::ZERO, authority.verify(&good, Action::Publish, NOW)).await;
            Ok(())
        }
    });
    while let Some(result) = waiting.join_next().await {
        assert_eq!(result.expect("no panic"), Ok(()));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_and_its_old_keys_stay() {
    for bad in [
        Answer::Silence,
        Answer::Drip,
        Answer::Bytes(Vec::new()),
        Answer::Bytes(b"nonsense\r\n\r\n".to_vec()),
        Answer::Bytes(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":[]}".to_vec()),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()),
        Answer::Bytes(format!("HTTP/1.1 200 OK\r\n\r\n{{\"keys\":[{}{{}}]}}", "{},".repeat(100)).into_bytes()),
        Answer::Bytes([b"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[],\"x\":\"".to_vec(), vec![b'x'; 300_000]].concat()),
    ] {
        let server = Server::start([Answer::Keys(one_set()), bad]).await;
        let authority = server.authority(impatient());
        let _task = keep(&authority);
        let key = RSA.signs(Algorithm::Rs256);
        assert_eq!(verify(&authority, &token(&key, Some("r"))).await, Ok(()));
        let error = verify(&authority, &token(&key, Some("x"))).await.expect_err("an unknown key");
        assert!(matches!(error, TokenError::UnknownKey { .. }), "{error}");
        assert_eq!(verify(&authority, &token(&key, Some("r"))).await, Ok(()), "the old keys stay");
        let counts = authority.key_set().expect("there is one").counts();
        assert_eq!((counts.failures_total, counts.keys), (1, 6));
    }
}

#[tokio::test]
async fn without_keys_a_token_is_refused_for_now_and_later_taken() {
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let server = Server::start([Answer::Bytes(redirect)]).await;
    let authority = server.authority(impatient());
    let good = token(&RSA.signs(Algorithm::Rs256), Some("r"));
    let error = verify(&authority, &good).await.expect_err("nobody fetches");
    assert!(error.is_temporary() && error.to_string().contains("has not been fetched yet"), "{error}");

    let task = keep(&authority);
    let error = verify(&authority, &good).await.expect_err("a redirect");
    assert!(error.is_temporary() && error.to_string().contains("302 Found; redirects are not followed"), "{error}");

    server.answer(Answer::Keys(one_set()));
    assert_eq!(verify(&authority, &good).await, Ok(()));
    drop(task);
    assert!(now(authority.verify(&good, Action::Publish, NOW)).is_ok(), "what was fetched stays");
}

#[tokio::test]
async fn a_replaced_authority_hands_its_keys_on() {
    let server = Server::start([Answer::Keys(one_set()), Answer::Silence]).await;
    let old = server.authority(quick());
    let task = keep(&old);
    let good = token(&RSA.signs(Algorithm::Rs256), Some("r"));
    assert_eq!(verify(&old, &good).await, Ok(()));
    drop(task);

    let new = server.authority(quick());
    new.take_keys_of(&old);
    let _task = keep(&new);
    assert!(now(new.verify(&good, Action::Publish, NOW)).is_ok());
    let elsewhere = authority(JwksSource::Url(server.url.replace("x=1", "x=2")), quick());
    elsewhere.take_keys_of(&old);
    assert_eq!(elsewhere.key_set().expect("there is one").counts().keys, 0);
}

#[tokio::test]
async fn a_dead_server_is_said_to_be_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let authority = authority(JwksSource::Url(format!("http://{address}/keys")), quick());
    let _task = keep(&authority);
    let error = verify(&authority, &token(&RSA.signs(Algorithm::Rs256), Some("r"))).await.expect_err("it is dead");
    assert!(error.is_temporary() && error.to_string().contains(&format!("{address} cannot be reached")), "{error}");
}

#[tokio::test]
async fn the_set_is_fetched_again_without_being_asked() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let authority = server.authority(JwksOptions { refresh_interval: Duration::from_millis(10), ..quick() });
    let _task = keep(&authority);
    let mut requests = server.requests.clone();
    let third = timeout(DEADLINE, requests.wait_for(|count| *count >= 3)).await;
    assert!(third.is_ok());
}

#[tokio::test]
async fn an_own_key_goes_before_the_set_and_fetches_nothing() {
    let server = Server::start([Answer::Keys(one_set())]).await;
    let options = AuthorityOptions {
        publisher: Some(KeySource::new(SECRET, Algorithm::Hs256)),
        jwks: Some(JwksSource::Url(server.url.clone())),
        jwks_options: quick(),
        ..AuthorityOptions::default()
    };
    let authority = Authority::new(options).expect("good keys");
    let own = token(&KeySource::new(SECRET, Algorithm::Hs256), Some("whatever"));
    assert!(now(authority.verify(&own, Action::Publish, NOW)).is_ok());
    // Nor does one that only looks like it.
    let forged = token(&KeySource::new("wrong", Algorithm::Hs256), Some("whatever"));
    let error = now(authority.verify(&forged, Action::Publish, NOW)).expect_err("another secret");
    assert_eq!(error, TokenError::Signature { algorithm: Algorithm::Hs256 });
    let error = now(authority.verify(&forged, Action::Subscribe, NOW)).expect_err("no secret");
    assert!(error.to_string().contains("whose keys are public"), "{error}");
    assert_eq!(server.requests(), 0);
}

fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tidings-auth-{}-{name}.json", std::process::id()));
    std::fs::write(&path, content).expect("a file");
    path
}

#[test]
fn a_file_is_read_at_once_and_needs_nobody_to_keep_it() {
    let path = file("good", one_set().to_string());
    let authority = authority(JwksSource::File(path.clone()), JwksOptions::default());
    std::fs::remove_file(path).expect("it is there");
    assert!(now(authority.verify(&token(&P256.signs(Algorithm::Es256), Some("2")), Action::Publish, NOW)).is_ok());
    let unknown = now(authority.verify(&token(&P256.signs(Algorithm::Es256), Some("9")), Action::Publish, NOW));
    assert!(matches!(unknown, Err(TokenError::UnknownKey { .. })), "{unknown:?}");
}

#[test]
fn a_bad_file_is_refused_with_its_fault() {
    let many = json!({"keys": vec![jwk(&P256, Algorithm::Es256, "x"); 101]});
    for (name, content, want) in [
        ("text", "hello".to_owned(), "no JSON object with a list \"keys\": line 1"),
        ("list", "[]".to_owned(), "no JSON object"),
        ("empty", "{\"keys\": []}".to_owned(), "it has no key to check tokens with"),
        ("huge", " ".repeat(300_000), "it has more than 256 KiB"),
        ("many", many.to_string(), "it has 101 keys; expected at most 100"),
    ] {
        let path = file(name, content);
        let options = AuthorityOptions { jwks: Some(JwksSource::File(path.clone())), ..AuthorityOptions::default() };
        let error = Authority::new(options).expect_err(want).to_string();
        std::fs::remove_file(&path).expect("it is there");
        assert!(error.contains(want) && error.contains(name), "{error}, want {want}");
    }
    let options = AuthorityOptions { jwks: Some(JwksSource::File("/no/such".into())), ..AuthorityOptions::default() };
    let error = Authority::new(options).expect_err("no file").to_string();
    assert!(error.starts_with("key set /no/such: it cannot be opened"), "{error}");
}

/// A set has keys of all purposes; only those that check signatures of ours count.
#[test]
fn keys_that_are_not_for_us_are_left_out() {
    let with = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    let rsa = || jwk(&RSA, Algorithm::Rs256, "r");
    let secret = || json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": encode(SECRET.as_bytes())});
    let usable = |key: Value, options: JwksOptions| {
        let other = jwk(&ED25519, Algorithm::EdDsa, "other");
        let path = file("some", json!({"keys": [other, key]}).to_string());
        let authority = authority(JwksSource::File(path.clone()), options);
        std::fs::remove_file(path).expect("it is there");
        authority.key_set().expect("there is one").counts().keys_ignored == 0
    };
    for (key, want) in [
        (rsa(), true),
        (with(rsa(), "use", json!("sig")), true),
        (with(rsa(), "use", json!("enc")), false),
        (with(rsa(), "key_ops", json!(["verify"])), true),
        (with(rsa(), "key_ops", json!(["encrypt"])), false),
        (with(rsa(), "alg", json!("RSA-OAEP")), false),
        (with(rsa(), "alg", json!("none")), false),
        (with(rsa(), "alg", json!("HS256")), false),
        (with(rsa(), "alg", json!("ES256")), false),
        (with(rsa(), "alg", Value::Null), true),
        (with(rsa(), "n", json!("AQAB")), false),
        (with(rsa(), "n", json!("a b")), false),
        (with(rsa(), "e", json!("AA")), false),
        (with(rsa(), "e", Value::Null), false),
        (with(rsa(), "kty", json!("XYZ")), false),
        (with(rsa(), "kid", json!(7)), false),
        (with(rsa(), "n", json!(encode(&[0xff; 128]))), false),
        (with(jwk(&P256, Algorithm::Es256, "e"), "crv", json!("P-384")), false),
        (with(jwk(&P256, Algorithm::Es256, "e"), "alg", json!("ES384")), false),
        (with(jwk(&P256, Algorithm::Es256, "e"), "x", json!(encode(&[7; 32]))), false),
        (with(jwk(&ED25519, Algorithm::EdDsa, "e"), "crv", json!("Ed448")), false),
        (with(jwk(&ED25519, Algorithm::EdDsa, "e"), "alg", json!("Ed25519")), true),
        (secret(), false),
        (json!("key"), false),
        (json!({}), false),
    ] {
        assert_eq!(usable(key.clone(), JwksOptions::default()), want, "{key}");
    }
    let asked = JwksOptions { takes_secrets: true, ..JwksOptions::default() };
    assert!(usable(secret(), asked));
    assert!(!usable(json!({"kty": "oct", "kid": "s", "k": ""}), asked));
}

#[test]
fn two_keys_of_one_algorithm_need_a_name() {
    let keys = json!({"keys": [jwk(&RSA, Algorithm::Rs256, "a"), jwk(&OTHER_RSA, Algorithm::Rs256, "b")]});
    let path = file("two", keys.to_string());
    let authority = authority(JwksSource::File(path.clone()), JwksOptions::default());
    std::fs::remove_file(path).expect("it is there");
    let error = now(authority.verify(&token(&RSA.signs(Algorithm::Rs256), None), Action::Publish, NOW));
    assert_eq!(error.expect_err("no name"), TokenError::NoKid { algorithm: Algorithm::Rs256, keys: 2 });
}

#[test]
fn an_address_is_checked_at_the_start() {
    for (url, want) in [
        ("", "it is no URL"),
        ("keys.json", "neither https:// nor http://"),
        ("/keys.json", "it names no server"),
        ("ftp://a.example/keys", "it is neither https:// nor http://"),
        ("https://user:secret@a.example/keys", "it has a user name"),
        ("file:///keys", "it is no URL"),
    ] {
        let options = AuthorityOptions { jwks: Some(JwksSource::Url(url.to_owned())), ..AuthorityOptions::default() };
        let error = Authority::new(options).expect_err(want).to_string();
        assert!(error.contains(want), "{url}: {error}, want {want}");
    }
}
