//! An answer of a language model, streamed token by token: `cargo run -p tidings --example llm_tokens -- 3000`, then
//! press the button at <http://127.0.0.1:3000/>, load the page again while the answer is being written, or open it in
//! a second tab later: each shows all of it, and each stops asking when it has ended.
//!
//! The answer is a topic that ends. The program that has the model publishes it by one request, a line for each token;
//! the page is in `page.html`. A text stands in for the model. docs/llm-streams.md tells the rest.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use serde_json::json;
use tidings::Hub;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    say(format_args!("open http://{address}/"));

    let hub = Hub::builder().build()?;
    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/ask", post(move || async move { ask(address) }))
        .nest("/live", hub.router());
    let drained = async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            hub.drain(Duration::from_secs(1)).await;
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(drained).await?;
    Ok(())
}

/// A question begins an answer, which is written whether anybody reads it or not.
fn ask(hub: SocketAddr) -> Redirect {
    let answer = format!("{:016x}", fastrand::u64(..));
    let page = format!("/?answer={answer}");
    tokio::spawn(async move {
        if let Err(error) = publish(hub, &format!("answers/{answer}")).await {
            say(format_args!("answer {answer} broke off: {error}"));
        }
    });
    Redirect::to(&page)
}

/// One request for the whole answer. Over HTTP, as a program in any language would do it; one that has the hub within it,
/// as this one has, could as well call `hub.publish` for each token.
async fn publish(hub: SocketAddr, topic: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut request = TcpStream::connect(hub).await?;
    let head = format!(
        "POST /live/events?topic={topic}&summary HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    request.write_all(head.as_bytes()).await?;
    for token in tokens(TEXT) {
        sleep(Duration::from_millis(fastrand::u64(5..35))).await;
        let line = json!({ "data": token });
        request.write_all(&chunk(&format!("{line}\n"))).await?;
    }
    // The last line ends the topic, and the empty chunk the request.
    request.write_all(&chunk("{\"end\":true}\n")).await?;
    request.write_all(b"0\r\n\r\n").await?;

    let mut answer = String::new();
    request.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200") && answer.contains("\"rejected\":0") {
        Ok(())
    } else {
        Err(format!("the hub answered {answer:?}").into())
    }
}

/// A piece of a body whose length is not known in advance.
fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// As models make them: most begin with a space, and line ends are tokens of their own.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begins_token = |at: &(usize, char)| at.0 > 0 && (at.1 == ' ' || at.1 == '\n');
        let end = match rest.strip_prefix('\n') {
            Some(_) => 1,
            None => rest.char_indices().find(begins_token).map_or(rest.len(), |(at, _)| at),
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}

#[expect(clippy::print_stdout, reason = "an example speaks to the person at the keyboard")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}

const TEXT: &str = "\
A stream of server-sent events is one long answer to one request. The server writes a few lines for each event and
leaves the connection open; the browser hands each event to the page as it comes.

Three things make it a good fit for an answer that is being written:

  1. It goes one way, as the answer does.
  2. Each event has an id. When the connection breaks, the browser comes back by itself and names the last one it saw,
     so the server can go on with the next token – not with the next one that happens to be made.
  3. It is plain HTTP: proxies, cookies and the tools you know work with it.

What is left to the server is to remember. Whoever comes late, or loads the page again, wants the answer from its first
word; whoever has read it to its end wants to hear that this was all, and not to ask again and again. A topic that is
kept for a while, and that has an end, is both.
";
