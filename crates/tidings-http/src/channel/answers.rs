//! A response body that is written while the request is still read. What nobody has read yet is held, up to a limit that
//! the writer keeps.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use crate::incoming::{Held, Incoming, NoRoom};

/// Both ends of a body, whose bytes are a part of those of `incoming`.
pub(super) fn answers(incoming: &Arc<Incoming>) -> (AnswerWriter, AnswerBody) {
    let shared = Arc::new(Shared(Mutex::new(State {
        held: BytesMut::new(),
        share: incoming.begin(),
        has_ended: false,
        reader_is_gone: false,
        reader: None,
        writer: None,
    })));
    (AnswerWriter(Arc::clone(&shared)), AnswerBody(shared))
}

/// The end that writes. Dropping it ends the body.
pub(super) struct AnswerWriter(Arc<Shared>);

/// The end that is sent.
pub(super) struct AnswerBody(Arc<Shared>);

/// Whether more may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Less is held than the limit.
    Free,
    /// As much is held as may be: nothing more is to be read until some of it is taken.
    Full,
    /// Nobody will take it.
    Gone,
}

/// Most bytes of answers that are held while the request is read.
pub(super) const HELD_BYTES_MAX: usize = 1024 * 1024;
const FRAME_BYTES_MAX: usize = 64 * 1024; // so that the HTTP library holds little beside what is held here

struct Shared(Mutex<State>);

struct State {
    held: BytesMut,
    /// What `held` has of all that may be held, as it was last asked for.
    share: Held,
    has_ended: bool,
    reader_is_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // each change is whole when the lock is released
    }
}

impl AnswerWriter {
    /// Adds `bytes`. Wakes nobody: see [`AnswerWriter::flush`].
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        if !state.reader_is_gone {
            state.held.extend_from_slice(bytes);
        }
    }

    /// Has the reader look at what was written.
    pub(super) fn flush(&self) {
        let reader = {
            let mut state = self.0.lock();
            if state.held.is_empty() { None } else { state.reader.take() }
        };
        // After the lock is released: the woken reader takes it at once.
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Asks for room for what is held, of at most `bytes_max` for all. Without it, nothing more is to be written.
    pub(super) fn charge(&self, bytes_max: usize) -> Result<(), NoRoom> {
        let state = &mut *self.0.lock();
        state.share.resize(state.held.len(), bytes_max)
    }

    /// Is as much held as may be?
    pub(super) fn is_full(&self) -> bool {
        self.0.lock().held.len() >= HELD_BYTES_MAX
    }

    /// Is there room? When that changes, the task is woken.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Room {
        let mut state = self.0.lock();
        if state.reader_is_gone {
            return Room::Gone;
        }
        state.writer = Some(cx.waker().clone());
        if state.held.len() < HELD_BYTES_MAX { Room::Free } else { Room::Full }
    }
}

impl Drop for AnswerWriter {
    fn drop(&mut self) {
        let reader = {
            let mut state = self.0.lock();
            state.has_ended = true;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (frame, writer) = {
            let mut state = self.0.lock();
            if state.held.is_empty() {
                if state.has_ended {
                    return Poll::Ready(None);
                }
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let was_full = state.held.len() >= HELD_BYTES_MAX;
            let len = state.held.len().min(FRAME_BYTES_MAX);
            let frame = state.held.split_to(len).freeze();
            let has_room = state.held.len() < HELD_BYTES_MAX;
            let left = state.held.len();
            // Less than before always has room; more was not charged yet, and is soon.
            let _ = state.share.resize(left, 0);
            (frame, if was_full && has_room { state.writer.take() } else { None })
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let writer = {
            let mut state = self.0.lock();
            state.reader_is_gone = true;
            state.held = BytesMut::new();
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use http_body::Body as _;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn rings(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    fn take(body: &mut AnswerBody, bell: &Arc<Bell>) -> Poll<Option<usize>> {
        let waker = Waker::from(Arc::clone(bell));
        let frame = Pin::new(body).poll_frame(&mut Context::from_waker(&waker));
        frame.map(|frame| frame.map(|Ok(frame)| frame.data_ref().map_or(0, Bytes::len)))
    }

    fn room(writer: &AnswerWriter, bell: &Arc<Bell>) -> Room {
        writer.poll_room(&mut Context::from_waker(&Waker::from(Arc::clone(bell))))
    }

    #[test]
    fn what_is_written_is_read_and_then_the_end() {
        let (writer, mut body) = answers(&Arc::default());
        let bell = Arc::new(Bell::default());
        assert_eq!(take(&mut body, &bell), Poll::Pending);
        writer.write(b"one\n");
        writer.write(b"two\n");
        assert_eq!(bell.rings(), 0, "nothing before the flush");
        writer.flush();
        assert_eq!(bell.rings(), 1);
        assert_eq!(take(&mut body, &bell), Poll::Ready(Some(8)));
        assert_eq!(take(&mut body, &bell), Poll::Pending);
        drop(writer);
        assert_eq!((bell.rings(), take(&mut body, &bell)), (1, Poll::Ready(None)));
    }

    #[test]
    fn a_full_writer_is_woken_when_there_is_room() {
        let (writer, mut body) = answers(&Arc::default());
        let (reading, writing) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        assert_eq!(room(&writer, &writing), Room::Free);
        writer.write(&vec![b'x'; HELD_BYTES_MAX + 1]);
        assert_eq!(room(&writer, &writing), Room::Full);
        assert_eq!(take(&mut body, &reading), Poll::Ready(Some(FRAME_BYTES_MAX)));
        assert_eq!((writing.rings(), room(&writer, &writing)), (1, Room::Free));
    }

    #[test]
    fn a_writer_learns_that_nobody_reads() {
        let (writer, body) = answers(&Arc::default());
        let bell = Arc::new(Bell::default());
        assert_eq!(room(&writer, &bell), Room::Free);
        drop(body);
        assert_eq!((bell.rings(), room(&writer, &bell)), (1, Room::Gone));
        writer.write(b"nobody takes it");
        writer.flush();
    }
}
