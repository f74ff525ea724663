//! Topics, the selectors that choose among them, and the index from a topic to whoever selected it.
//!
//! Here: [`Topic`] (what an event is published on), [`Selector`] and [`SelectorSet`] (what a subscriber asked for), and
//! [`Index`] (topic → keys of groups). Not here: sessions, groups and grants (see `tidings-core`), percent-decoding and query
//! strings (see `tidings-http`). Nothing in this crate reads a clock, spawns, sleeps or opens anything.
//!
//! A pattern is a [`Glob`] on plain channels; Mercure's are a [`Template`] (0.x), a [`UrlPattern`] (1.0), or every topic. They come
//! from strangers: all are matched in linear time and kept within a limit of memory.
//!
//! A **segment** is what stands between slashes, and may be empty: `chat/42` has two, `chat/` has two, `/` has two.
//!
//! ```
//! use tidings_topic::{Index, Selector, SelectorSet, Topic};
//!
//! let everything_in_chat = SelectorSet::new([Selector::parse("chat/**")?]).expect("one selector was given");
//! let one_room = SelectorSet::one(Topic::parse("chat/42")?);
//!
//! let mut index = Index::new(1024);
//! index.insert(&everything_in_chat, 7_u32);
//! index.insert(&one_room, 3);
//!
//! assert_eq!(index.matching("chat/42"), [3, 7]);
//! assert_eq!(index.matching("chat/43"), [7]);
//! assert_eq!(index.matching("news"), []);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod excerpt;
mod format_character;
#[cfg(test)]
mod fuzz;
mod glob;
mod index;
#[cfg(test)]
mod naive;
mod selector;
mod selector_set;
mod template;
mod topic;
mod url_pattern;

pub use format_character::find_format_character;
pub use glob::Glob;
pub use index::{Index, IndexCounts};
pub use selector::{Selector, SelectorError};
pub use selector_set::SelectorSet;
pub use template::Template;
pub use topic::{TOPIC_BYTES_MAX, Topic, TopicError};
pub use url_pattern::UrlPattern;
