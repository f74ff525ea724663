//! A look inside a hub that has something to show: busy topics, live readers, one that takes no byte, one far behind. By
//! `tidings top` in a real terminal, by its output without one, by the page in a real browser, and by bare requests.

mod page;
mod requests;
mod terminal;
mod text;
mod world;
