//! What is left to the thread that publishes it, and who commits it in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tidings_core::suite::wait;
use tidings_core::{AppendError, Appended, Engine as _, EngineFuture, SelfCommit as _, Sequence};

use super::{NOW, World, publication, read_all};
use crate::{Durability, Store};

/// Remembers that it was woken, and wakes a thread.
struct Flag {
    is_set: AtomicBool,
    thread: Thread,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_set.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn flag() -> (Arc<Flag>, Waker) {
    let flag = Arc::new(Flag { is_set: AtomicBool::new(false), thread: thread::current() });
    (Arc::clone(&flag), Waker::from(flag))
}

fn is_left(store: &Store, waker: &Waker) -> bool {
    store.poll_left(&mut Context::from_waker(waker)).is_ready()
}

fn poll(append: &mut EngineFuture<'_, Result<Appended, AppendError>>) -> Poll<u64> {
    let answer = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    answer.map(|appended| appended.expect("it is stored").position.sequence.0)
}

fn place(append: EngineFuture<'_, Result<Appended, AppendError>>) -> u64 {
    wait(append).expect("it is stored").position.sequence.0
}

/// A store that this thread has made its offer.
fn offered() -> (World, Store, Arc<Flag>, Waker) {
    let world = World::new(Durability::Sync);
    let store = world.open();
    let (flag, waker) = flag();
    assert!(!is_left(&store, &waker), "nothing was published");
    (world, store, flag, waker)
}

#[test]
fn a_publication_that_is_alone_is_left_to_a_thread_that_offers() {
    let (_world, store, flag, waker) = offered();
    for number in 1..=3 {
        let mut append = store.append(publication("t", "x"), NOW);
        assert!(poll(&mut append).is_pending());
        assert!(flag.is_set.swap(false, Ordering::SeqCst), "the thread is told");
        assert!(is_left(&store, &waker));
        assert!(!is_left(&store, &waker), "it is told once");
        assert_eq!(store.tail(), Sequence(number - 1));
        let announce = store.commit_left().expect("it is committed");
        assert_eq!(store.tail(), Sequence(number));
        assert!(poll(&mut append).is_pending(), "its publisher is answered when that is wanted");
        announce();
        assert_eq!(poll(&mut append), Poll::Ready(number), "nobody else had to come");
        assert!(store.commit_left().is_none());
    }
    assert_eq!(read_all(&store, Sequence::ZERO).expect("all is kept").len(), 3);
}

#[test]
fn a_second_one_calls_the_commit_thread_for_both() {
    let (_world, store, _flag, waker) = offered();
    let appends = ["a", "b"].map(|data| store.append(publication("t", data), NOW));
    assert_eq!(appends.map(place), [1, 2]);
    assert!(is_left(&store, &waker), "the first was");
    assert!(store.commit_left().is_none());
    assert_eq!(store.tail(), Sequence(2));
}

#[test]
fn one_of_another_thread_calls_the_commit_thread_for_both() {
    let (_world, store, _flag, _waker) = offered();
    let mine = store.append(publication("t", "mine"), NOW);
    let theirs = thread::scope(|scope| {
        let other = scope.spawn(|| place(store.append(publication("t", "theirs"), NOW)));
        other.join().expect("it is answered")
    });
    assert_eq!((place(mine), theirs), (1, 2));
}

#[test]
fn what_is_left_is_committed_when_the_store_is_closed_or_dropped() {
    let (world, store, ..) = offered();
    let append = store.append(publication("t", "x"), NOW);
    wait(store.close());
    assert_eq!(place(append), 1);
    drop(store);

    let store = world.open();
    assert!(!is_left(&store, Waker::noop()));
    drop(store.append(publication("t", "y"), NOW)); // its publisher is gone, and it has its place
    drop(store);
    assert_eq!(world.open().tail(), Sequence(2));
}

#[test]
fn an_offer_holds_for_one_store_and_one_thread() {
    let (_world, store, flag, _waker) = offered();
    let other = World::new(Durability::Sync);
    assert_eq!(
        place(other.open().append(publication("t", "x"), NOW)),
        1,
        "the commit thread of that store has done it"
    );
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(place(store.append(publication("t", "x"), NOW)), 1));
    });
    assert!(!flag.is_set.load(Ordering::SeqCst));
}

#[test]
fn a_slow_disk_is_waited_for_by_the_commit_thread() {
    let (_world, store, flag, _waker) = offered();
    let began = Instant::now();
    store.shared.disk.begin_commit(began);
    store.shared.disk.end_commit(began + Duration::from_secs(1));
    assert_eq!(place(store.append(publication("t", "x"), NOW)), 1);
    assert!(!flag.is_set.load(Ordering::SeqCst));
}

#[test]
fn a_log_file_is_begun_by_the_commit_thread() {
    let mut world = World::new(Durability::Sync);
    world.options.segment_bytes = 64 * 1024;
    let store = world.open();
    assert!(!is_left(&store, Waker::noop()));
    drop(store.append(publication("t", "x"), NOW));
    assert!(store.commit_left().is_some());

    let turn = store.shared.take_turn(); // whoever commits waits for it
    let append = store.append(publication("t", "x".repeat(100 * 1024)), NOW);
    thread::scope(|scope| {
        let committing = scope.spawn(|| store.commit_left());
        let began = Instant::now();
        while !committing.is_finished() && began.elapsed() < DEADLINE {
            thread::yield_now();
        }
        let has_committed = !committing.is_finished();
        drop(turn);
        assert!(!has_committed, "it would begin a file");
    });
    assert_eq!(place(append), 2);
    assert_eq!(world.logs().len(), 2);
}

const DEADLINE: Duration = Duration::from_secs(20);
const PUBLICATIONS_EACH: u64 = 3_000;

/// Publishes one after the other on a thread that commits by itself what is left to it.
fn publish_and_commit(store: &Store) -> Vec<u64> {
    let (_flag, waker) = flag();
    let publish = |_| {
        let mut append = store.append(publication("t", "x"), NOW);
        loop {
            if is_left(store, &waker)
                && let Some(announce) = store.commit_left()
            {
                announce();
            }
            let answer = append.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(appended) = answer {
                return appended.expect("it is stored").position.sequence.0;
            }
            thread::park();
        }
    };
    (0..PUBLICATIONS_EACH).map(publish).collect()
}

#[test]
fn threads_that_commit_and_threads_that_do_not_keep_one_order() {
    let world = World::new(Durability::Relaxed);
    let store = world.open();
    let publish = |_| place(store.append(publication("t", "x"), NOW));
    let mut places: Vec<Vec<u64>> = thread::scope(|scope| {
        let committing = [0; 2].map(|_| scope.spawn(|| publish_and_commit(&store)));
        let waiting = [0; 2].map(|_| scope.spawn(|| (0..PUBLICATIONS_EACH).map(publish).collect::<Vec<_>>()));
        committing.into_iter().chain(waiting).map(|thread| thread.join().expect("all is answered")).collect()
    });
    assert!(places.iter().all(|own| own.is_sorted()), "each publisher's order is kept");
    let mut all: Vec<u64> = places.drain(..).flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=4 * PUBLICATIONS_EACH), "each place is given once");
}
