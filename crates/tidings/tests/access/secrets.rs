//! No token, key, ticket or renewal address ever stands in the log, whatever level it has.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tidings::{Claims, Delivery};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Has, PUBLISHER_KEY, SUBSCRIBER_KEY, TestHub, publisher, reader, reader_for, sign};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn nothing_secret_is_logged() {
    let log = Log::default();
    // Of all threads: this test has the only hubs that look at it.
    let lines = tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE);
    tracing::subscriber::set_global_default(lines.finish()).expect("no other test of this binary sets one");

    let hub = TestHub::with_keys(Delivery::Auto, Has::BOTH, |builder| {
        builder.tokens(tidings::TokenRules { in_query: true, ..Default::default() })
    });
    let mut secrets = vec![PUBLISHER_KEY.to_owned(), SUBSCRIBER_KEY.to_owned()];
    let stranger = sign(&Claims::default(), "a stranger's key");
    for token in [publisher(&["news"]), reader(&["news"]), stranger, "nonsense-but-secret".to_owned()] {
        let bearer = format!("Bearer {token}");
        let cookie = format!("tidings_token={token}");
        for headers in [&[("authorization", &*bearer)][..], &[("cookie", &*cookie)], &[("authorization", &*token)]] {
            hub.ask("POST", "/events/other", headers, "x");
            drop(hub.try_listen("/events/news", headers));
        }
        drop(hub.try_listen(&format!("/events/news?access_token={token}"), &[]));
        drop(hub.try_listen(&format!("/.well-known/mercure?topic=a&authorization={token}"), &[]));
        hub.ask_as(&token, "POST", "/.well-known/mercure", "topic=a");
        secrets.extend(token.split('.').map(str::to_owned).filter(|part| part.len() > 10));
        secrets.push(token);
    }
    let token = reader_for("ann", &["news"], 20);
    let ticket = hub.ask_as(&token, "POST", "/tickets", r#"{"topics":["news"]}"#).expect(200).json();
    let url = ticket["url"].as_str().expect("an address");
    let mut stream = hub.listen(url, &[]);
    let told = stream.next_of("tidings.expiring");
    let renew_url = told["renew_url"].as_str().expect("an address");
    hub.ask_as(&token, "POST", renew_url, "").expect(200);
    secrets.extend([token, url.rsplit('=').next().unwrap_or_default().to_owned()]);
    secrets.push(renew_url.rsplit('/').next().unwrap_or_default().to_owned());
    drop(hub);

    let text = String::from_utf8(log.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("UTF-8");
    assert!(text.contains("a reader was refused") && text.contains("signature"), "readers' faults are told: {text}");
    // The header of all tokens is the same and no secret.
    let header = secrets.iter().find(|secret| secret.starts_with("eyJ") && !secret.contains('.')).cloned();
    for secret in secrets.iter().filter(|secret| Some(*secret) != header.as_ref()) {
        assert!(!secret.is_empty() && !text.contains(&**secret), "{secret} stands in the log");
    }
}
