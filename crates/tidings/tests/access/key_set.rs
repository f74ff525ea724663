//! Keys that another server publishes: fetched while the hub serves, and by the authority that counts then.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tidings::{Algorithm, Authority, AuthorityOptions, Claims, Delivery, JwksSource, KeySource, mint};

use crate::support::{DEADLINE, SUBSCRIBER_KEY, TestHub, key, over_both_ways, reader};

/// The example of RFC 8037, appendix A.
const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----";
const SET: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Serves the set until the test ends; answers where.
fn serve_keys() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    let address = listener.local_addr().expect("a bound listener has an address");
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request); // one that breaks off is asked again
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{SET}", SET.len());
            let _ = socket.write_all(head.as_bytes());
        }
    });
    format!("http://{address}/jwks.json")
}

fn authority(jwks: Option<JwksSource>) -> Arc<Authority> {
    let options = AuthorityOptions { subscriber: Some(key(SUBSCRIBER_KEY)), jwks, ..AuthorityOptions::default() };
    Arc::new(Authority::new(options).expect("good keys"))
}

#[test]
fn a_browser_is_asked_to_come_back_while_there_are_no_keys() {
    // Nobody listens there any more: the set is never fetched.
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free").local_addr().expect("bound");
    let jwks = Some(JwksSource::Url(format!("http://{gone}/jwks.json")));
    let hub = TestHub::start(Delivery::Auto, |builder| builder.authority(authority(jwks)));
    let token = mint(&Claims::default(), &KeySource::new(PRIVATE_KEY, Algorithm::EdDsa)).expect("good claims");
    let bearer = ("authorization", &*format!("Bearer {token}"));
    let answer = hub.try_listen("/events/news", &[bearer]).expect_err("no keys");
    answer.expect_problem(503, &["cannot be checked now"]);
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    let told = hub.ask("GET", "/events/news", &[bearer, ("sec-fetch-mode", "cors")], "").expect(200);
    assert!(told.body.contains("retry: ") && told.body.contains("cannot be checked now"), "{told:?}");
}

over_both_ways!(a_key_server_that_never_answers_holds_up_nobody_else);

/// The door's thread has no runtime: asking for a timer there ended it, and with it the hub.
fn a_key_server_that_never_answers_holds_up_nobody_else(delivery: Delivery) {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
    let address = silent.local_addr().expect("bound");
    let jwks = Some(JwksSource::Url(format!("http://{address}/jwks.json")));
    let hub = TestHub::start(delivery, |builder| builder.authority(authority(jwks)));
    let (_fetching, _) = silent.accept().expect("the hub fetches the keys");
    let token = mint(&Claims::default(), &KeySource::new(PRIVATE_KEY, Algorithm::EdDsa)).expect("good claims");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let bearer = format!("Bearer {token}");
            hub.try_listen("/events/news", &[("authorization", &bearer)]).expect_err("no key ever comes")
        });
        let mut stream = hub.listen_as(&reader(&["news"]), "/events/news");
        hub.publish("news", "x", true);
        assert_eq!(stream.next_data(), "x");
        waiting.join().expect("an answer").expect_problem(503, &["cannot be checked now"]);
    });
}

#[test]
fn keys_are_fetched_while_the_hub_serves() {
    let hub = TestHub::start(Delivery::Auto, |builder| builder.authority(authority(None)));
    let claims = Claims { publish: vec!["news".to_owned()], ..Claims::default() };
    let token = mint(&claims, &KeySource::new(PRIVATE_KEY, Algorithm::EdDsa)).expect("good claims");
    let publish = || hub.ask_as(&token, "POST", "/events/news", "x");
    publish().expect_problem(401, &["no key is configured to publish"]);
    // The set comes with an authority that replaces the first one.
    hub.hub.replace_authority(authority(Some(JwksSource::Url(serve_keys()))));
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = publish();
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.status, 503, "the keys are under way: {answer:?}");
        assert!(Instant::now() < deadline, "{answer:?}");
    }
}
