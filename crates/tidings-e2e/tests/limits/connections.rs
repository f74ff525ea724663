//! Limits of connections: in all, for an address, for a subject, for topics and heads.
