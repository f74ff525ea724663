//! Limits of those who read: lag, time, memory, replays.
