//! Against a real hub in this process: whatever is cut, nothing is lost and nothing comes twice.

use std::net::SocketAddr;
use std::time::Duration;

use tidings::{Hub, Publication, Topic};
use tidings_client::{EventSource, Frame, Raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::{DEADLINE, next_event, next_raw};

const EVENTS: usize = 400;

struct TestHub {
    hub: Hub,
    address: SocketAddr,
    _shutdown: oneshot::Sender<()>,
}

impl TestHub {
    fn start() -> Self {
        let hub = Hub::builder().retry(Duration::from_millis(2)).build().expect("a hub");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let (shutdown, stopped) = oneshot::channel::<()>();
        let serving = hub.clone();
        tokio::spawn(async move {
            let stop = async move { drop(stopped.await) };
            serving.serve(vec![listener], stop, Duration::ZERO).await.expect("it serves");
        });
        Self { hub, address, _shutdown: shutdown }
    }

    async fn publish(&self, number: usize) {
        let data = format!("{number} {}", "x".repeat(number % 700));
        let topic = Topic::parse("cuts").expect("a topic");
        self.hub.publish(Publication::new(topic, data)).await.expect("it is taken");
    }
}

/// Carries bytes between a client and the hub, and cuts each connection after some.
async fn start_cutter(hub: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let mut chance = fastrand::Rng::with_seed(7);
        while let Ok((client, _)) = listener.accept().await {
            // The first are cut in the head or before the first event, where a client has no id but the opening frame's.
            tokio::spawn(carry(client, hub, chance.usize(0..9_000), chance.bool()));
        }
    });
    address
}

async fn carry(mut client: TcpStream, hub: SocketAddr, mut left: usize, by_reset: bool) {
    let Ok(mut server) = TcpStream::connect(hub).await else { return };
    let (mut asked, mut answered) = ([0; 4096], [0; 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(len) if len > 0 && server.write_all(&asked[..len]).await.is_ok() => {}
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(len) if len > 0 => {
                    let carried = len.min(left);
                    left -= carried;
                    if client.write_all(&answered[..carried]).await.is_err() || left == 0 {
                        if by_reset {
                            let _ = client.set_zero_linger();
                        }
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_arrives_once_and_in_order_however_it_is_cut() {
    let hub = TestHub::start();
    let cutter = start_cutter(hub.address).await;
    let url = format!("http://{cutter}/events/cuts");
    let mut source = EventSource::get(url)
        .no_proxy()
        .prime(true)
        .backoff_max(Duration::from_millis(20))
        .build()
        .expect("it is right");

    // From its opening frame on, the client must see all.
    let first = next_event(&mut source).await;
    assert_eq!(first.frame(), Frame::Open);
    assert!(!first.last_event_id.is_empty());

    let mut cuts = 0;
    let receive = async {
        let mut received = 0;
        while received < EVENTS {
            match next_raw(&mut source).await {
                Raw::Event(event) => match event.frame() {
                    Frame::Open => {}
                    Frame::Message => {
                        let number = event.data.split(' ').next().expect("a number");
                        assert_eq!(number, received.to_string(), "after {cuts} cuts");
                        received += 1;
                    }
                    other => panic!("nothing was lost, but the hub says {other:?}"),
                },
                Raw::Lost { .. } => cuts += 1,
                _ => {}
            }
        }
    };
    let publish = async {
        for number in 0..EVENTS {
            hub.publish(number).await;
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(2 * DEADLINE, async { tokio::join!(receive, publish) }).await.expect("all arrives");
    assert!(cuts >= 10, "only {cuts} cuts");
}

#[tokio::test]
async fn a_failed_resume_is_told_as_a_reset() {
    let hub = TestHub::start();
    hub.publish(0).await;
    let url = format!("http://{}/events/cuts", hub.address);
    let mut source = EventSource::get(url).no_proxy().last_event_id("never-seen").build().expect("it is right");
    let event = next_event(&mut source).await;
    let Frame::Reset(reset) = event.frame() else { panic!("a reset comes first, not {event:?}") };
    assert_eq!((reset.requested.as_str(), reset.reason.as_str()), ("never-seen", "unknown"));
    assert!(reset.oldest.is_some() && reset.latest.is_some(), "{reset:?}");
    assert_eq!(next_event(&mut source).await.data, "0 ");
}

#[tokio::test]
async fn a_refusal_of_the_hub_says_why() {
    let hub = TestHub::start();
    let url = format!("http://{}/events?topic=a&since=yesterdayish", hub.address);
    let error = crate::support::next_error(&mut EventSource::get(url).no_proxy().build().expect("it is right")).await;
    assert!(error.to_string().contains("400") && error.to_string().contains("since"), "{error}");
}
