//! Every limit, reached from outside: the answer that whoever reaches it gets, the metric, and the line of the log.

mod connections;
mod publishers;
mod readers;
mod support;
