//! Hubs that are stopped and started under load: nobody comes back all at once, and nothing is lost.

mod drain;
mod rolling;
mod support;
