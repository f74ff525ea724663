//! The `text/event-stream` format both ways: values to bytes, bytes to values.
//!
//! Pure: no clock, no socket, no task. What an event *means* and who gets it is decided elsewhere;
//! connecting, waiting and coming back belong to a client.
//!
//! ```
//! use tidings_wire::{Decoder, EventFields, EventId, Item, encode_event};
//!
//! let id = EventId::parse("order-42")?;
//! let mut wire = Vec::new();
//! encode_event(&EventFields { id: Some(&id), data: "one\ntwo", ..EventFields::default() }, &mut wire);
//! assert_eq!(wire, b"id: order-42\ndata: one\ndata: two\n\n");
//!
//! let mut decoder = Decoder::new();
//! decoder.push(&wire);
//! let Some(Ok(Item::Event(event))) = decoder.poll() else { panic!("one whole event was pushed") };
//! assert_eq!((event.event_type.as_str(), event.data.as_str()), ("message", "one\ntwo"));
//! assert_eq!(event.last_event_id, "order-42");
//! # Ok::<(), tidings_wire::EventIdError>(())
//! ```

mod block;
mod chunk;
mod decode;
mod encode;
mod event;
mod lines;

pub use chunk::{Chunk, LAST_CHUNK};
pub use decode::{DecodeError, Decoder, DecoderLimits, Event, Item};
pub use encode::{COMMENT, EventFields, encode_comment, encode_event, encode_retry, encoded_len};
pub use event::{EVENT_TEXT_BYTES_MAX, EventId, EventIdError, EventType, EventTypeError};
