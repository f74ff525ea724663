//! Redirects: in a circle, to another origin, for good, and of a request with a body.

use tidings_client::{EventSource, Lost};

use crate::support::{STREAM, Server, hold, next_data, next_error, next_event, next_lost, send};

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_circle_is_left_after_twenty_redirects() {
    let mut server = Server::start(|_, mut socket| async move {
        send(&mut socket, redirect(302, "/round")).await;
    })
    .await;
    let mut source = server.client().build().unwrap();
    let (cause, _) = next_lost(&mut source).await;
    assert!(matches!(cause, Lost::Redirects { limit: 20, .. }), "{cause}");
    assert_eq!(server.unseen_requests(), 21);
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_final_and_one_to_another_scheme_passes() {
    for location in ["", " "] {
        let server = Server::start(move |_, mut socket| async move {
            send(&mut socket, redirect(301, location)).await;
        })
        .await;
        let error = next_error(&mut server.client().build().unwrap()).await.to_string();
        assert!(error.contains("301"), "{error}");
    }
    let server = Server::start(|_, mut socket| async move {
        send(&mut socket, redirect(301, "file:///etc/passwd")).await;
    })
    .await;
    let (cause, _) = next_lost(&mut server.client().build().unwrap()).await;
    assert!(matches!(cause, Lost::Location { .. }), "{cause}");
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_origin() {
    let mut other = Server::start(|_, mut socket| async move {
        send(&mut socket, format!("{STREAM}id: 1\ndata: a\n\n")).await;
    })
    .await;
    let location = other.url("/away?x=1");
    let mut home = Server::start(move |_, mut socket| {
        let location = location.clone();
        async move { send(&mut socket, redirect(307, &location)).await }
    })
    .await;
    let mut source = home
        .client()
        .bearer("secret")
        .header("cookie", "c=1")
        .header("x-kept", "2")
        .last_event_id("0")
        .build()
        .unwrap();
    let event = next_event(&mut source).await;
    assert_eq!(&*event.origin, format!("http://{}", other.address));
    assert_eq!(source.url().as_str(), home.url("/stream"));

    let first = home.next_request().await;
    assert_eq!((first.header("authorization"), first.header("cookie")), (Some("Bearer secret"), Some("c=1")));
    let followed = other.next_request().await;
    assert_eq!(followed.line(), "GET /away?x=1");
    assert_eq!((followed.header("authorization"), followed.header("cookie")), (None, None));
    assert_eq!((followed.header("x-kept"), followed.header("last-event-id")), (Some("2"), Some("0")));

    next_event(&mut source).await;
    let again = home.next_request().await;
    assert_eq!((again.header("authorization"), again.header("last-event-id")), (Some("Bearer secret"), Some("1")));
}

#[tokio::test]
async fn a_permanent_redirect_is_remembered() {
    let mut server = Server::start(|request, mut socket| async move {
        match request.line() {
            "GET /stream" => send(&mut socket, redirect(308, "/new/")).await,
            "GET /new/" => send(&mut socket, redirect(301, "home")).await,
            _ => send(&mut socket, format!("{STREAM}data: {}\n\n", request.line())).await,
        }
    })
    .await;
    let mut source = server.client().build().unwrap();
    assert_eq!(next_data(&mut source).await, "GET /new/home");
    assert_eq!(next_data(&mut source).await, "GET /new/home");
    for want in ["GET /stream", "GET /new/", "GET /new/home", "GET /new/home"] {
        assert_eq!(server.next_request().await.line(), want);
    }
}

#[tokio::test]
async fn a_body_goes_along_where_the_method_does() {
    let mut server = Server::start(|request, mut socket| async move {
        match request.line() {
            "POST /stream" => send(&mut socket, redirect(307, "/kept")).await,
            "POST /kept" => send(&mut socket, redirect(303, "/seen")).await,
            _ => {
                send(&mut socket, format!("{STREAM}data: a\n\n")).await;
                hold(&mut socket).await;
            }
        }
    })
    .await;
    let mut source = EventSource::post(server.url("/stream"))
        .no_proxy()
        .header("content-type", "application/json")
        .body("{\"q\":1}")
        .build()
        .unwrap();
    next_event(&mut source).await;
    let mut check = async |want: (&str, &str, Option<&str>)| {
        let request = server.next_request().await;
        assert_eq!((request.line(), request.body.as_str(), request.header("content-type")), want);
    };
    check(("POST /stream", "{\"q\":1}", Some("application/json"))).await;
    check(("POST /kept", "{\"q\":1}", Some("application/json"))).await;
    check(("GET /seen", "", None)).await;
}
