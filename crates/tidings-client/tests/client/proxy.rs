//! Through a proxy: plain requests, tunnels, a proxy that refuses, and the environment.

use std::process::Command;

use tidings_client::{EventSource, Lost};

use crate::support::{STREAM, Server, hold, next_data, next_lost, send};

async fn start_plain_proxy() -> Server {
    Server::start(|request, mut socket| async move {
        send(&mut socket, format!("{STREAM}data: {}\n\n", request.line())).await;
        hold(&mut socket).await;
    })
    .await
}

#[tokio::test]
async fn a_plain_url_is_asked_of_the_proxy_whole() {
    let mut proxy = start_plain_proxy().await;
    let mut source = EventSource::get("http://user:pass@hub.invalid:81/events?topic=a#b")
        .proxy(format!("http://us:pw@{}", proxy.address))
        .build()
        .unwrap();
    assert_eq!(next_data(&mut source).await, "GET http://hub.invalid:81/events?topic=a");
    let request = proxy.next_request().await;
    assert_eq!(request.header("host"), Some("hub.invalid:81"));
    assert_eq!(request.header("proxy-authorization"), Some("Basic dXM6cHc="));
    assert_eq!(request.header("authorization"), Some("Basic dXNlcjpwYXNz"));
}

#[cfg(all(feature = "rustls", feature = "http2"))]
#[tokio::test]
async fn an_https_url_goes_through_a_tunnel() {
    let server = crate::tls::TlsServer::start(&["h2"]).await;
    let mut proxy = Server::start(|request, mut socket| async move {
        let there = request.line().strip_prefix("CONNECT ").expect("a tunnel is asked for").to_owned();
        let mut server = tokio::net::TcpStream::connect(there).await.unwrap();
        send(&mut socket, "HTTP/1.1 200 Connected\r\nX: y\r\n\r\n").await;
        let _ = tokio::io::copy_bidirectional(&mut socket, &mut server).await;
    })
    .await;
    let through = format!("http://us:pw@{}", proxy.address);
    let mut source = server.client("localhost").proxy(through).bearer("secret").build().unwrap();
    assert_eq!(next_data(&mut source).await, "h2 GET /stream?x=1 none ");
    let request = proxy.next_request().await;
    assert_eq!(request.line(), format!("CONNECT localhost:{}", server.address.port()));
    assert_eq!(request.header("proxy-authorization"), Some("Basic dXM6cHc="));
    assert_eq!(request.header("authorization"), None, "the proxy is told no secret of the server's");
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_proxy_that_refuses_or_breaks_is_a_network_error() {
    for (answer, want) in [
        ("HTTP/1.1 407 Who are you\r\n\r\n", "the proxy answered 407; expected 200"),
        ("HTTP/1.1 200 OK\r\n\r\nsurprise", "the proxy sent bytes that were not asked for"),
        ("HTTP/1.1 200", "the proxy closed without an answer"),
        ("nonsense\r\n\r\n", "invalid HTTP version"),
    ] {
        let proxy = Server::start(move |_, mut socket| async move { send(&mut socket, answer).await }).await;
        let mut source = EventSource::get("https://hub.invalid/").proxy(proxy.url("")).build().unwrap();
        let (cause, _) = next_lost(&mut source).await;
        let Lost::Unreachable { source, .. } = &cause else { panic!("no answer, but {cause}") };
        assert_eq!(source.to_string(), want);
    }
}

/// The environment is the process's, so this takes a process: the example beside this test.
#[tokio::test]
async fn the_environment_names_the_proxy() {
    let proxy = start_plain_proxy().await;
    let server = start_plain_proxy().await;
    let examples = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples");
    let check = async |variables: &[(&str, String)], url: String, want: &str| {
        let mut command = Command::new(examples.join("tail"));
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().cloned()).arg(url).stdout(std::process::Stdio::piped());
        let mut tail =
            command.stderr(std::process::Stdio::null()).spawn().expect("the example is built with the tests");
        let output = tail.stdout.take().expect("it is piped");
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).map(|_| line)
        });
        let line = tokio::time::timeout(crate::support::DEADLINE, read).await.expect("a line comes").unwrap().unwrap();
        tail.kill().and_then(|()| tail.wait()).expect("it was running");
        assert_eq!(line.trim(), want);
    };
    let by_proxy = ("HTTP_PROXY", proxy.url(""));
    check(std::slice::from_ref(&by_proxy), "http://hub.invalid/a".into(), "message\tGET http://hub.invalid/a").await;
    check(&[("http_proxy", proxy.url(""))], "http://hub.invalid/b".into(), "message\tGET http://hub.invalid/b").await;
    check(&[by_proxy, ("NO_PROXY", "10.0.0.0/8,127.0.0.1".into())], server.url("/c"), "message\tGET /c").await;
}
