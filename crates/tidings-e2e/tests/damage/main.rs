//! The worst days of a data directory, over the real binary: torn writes, flipped bytes, two hubs, a full disk, a format
//! of another version. What is damaged is found and told and never served; what was acknowledged elsewhere stays.

mod directory;
mod flipped;
mod frozen_disk;
mod full_disk;
mod memory;
mod torn;
mod world;
