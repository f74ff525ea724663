//! Tickets: what lets a reader in, and until when.

use std::sync::Arc;

use tidings_auth::{
    Action, Algorithm, Authority, AuthorityOptions, Claims, Identity, KeySource, Ticket, TicketError, Tickets, mint,
};
use tidings_core::Timestamp;
use tidings_topic::{SelectorSet, Topic};

use crate::keys::{SECRET, now};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn identity(subject: &str, subscribe: &[&str], expires_at: Option<u64>) -> Identity {
    let key = KeySource::new(SECRET, Algorithm::Hs256);
    let claims = Claims {
        subject: Some(subject.to_owned()),
        subscribe: subscribe.iter().map(|&text| text.to_owned()).collect(),
        expires_at: expires_at.map(at),
        ..Claims::default()
    };
    let token = mint(&claims, &key).expect("a token");
    let options = AuthorityOptions { subscriber: Some(key), ..AuthorityOptions::default() };
    let authority = Authority::new(options).expect("a good key");
    Arc::unwrap_or_clone(now(authority.verify(&token, Action::Subscribe, at(0))).expect("a good token"))
}

fn ticket(expires_at: Option<u64>) -> Ticket {
    let topics = SelectorSet::one(Topic::parse("a").expect("a topic"));
    Ticket { topics, identity: identity("ann", &["a"], expires_at) }
}

#[test]
fn a_ticket_is_first_used_within_a_minute() {
    let mut tickets = Tickets::new(10);
    let (id, until) = tickets.issue(ticket(Some(1000)), at(0)).expect("there is room");
    assert_eq!(until, at(60));
    assert_eq!(tickets.connect(&id, 1, at(60)).expect_err("too late"), TicketError::Unknown);
    let (id, _) = tickets.issue(ticket(Some(1000)), at(60)).expect("there is room");
    assert!(tickets.connect(&id, 1, at(119)).is_ok());
    assert_eq!(tickets.len(), 1, "the first is forgotten");

    let (_, until) = tickets.issue(ticket(Some(130)), at(120)).expect("there is room");
    assert_eq!(until, at(130), "a ticket never outlives its token");
}

#[test]
fn a_used_ticket_is_good_until_its_token_ends_for_one_connection_at_a_time() {
    let mut tickets = Tickets::new(10);
    let (id, _) = tickets.issue(ticket(Some(1000)), at(0)).expect("there is room");
    let first = tickets.connect(&id, "first", at(10)).expect("it is good");
    assert_eq!(first.replaced, None);
    assert_eq!(first.ticket.identity.subject.as_deref(), Some("ann"));
    assert!(first.ticket.topics.matches("a"));
    assert_eq!(tickets.connect(&id, "second", at(999)).expect("it is good").replaced, Some("first"));
    assert!(tickets.connect(&id, "third", at(1000)).is_err());
    assert_eq!(tickets.sweep(at(1000)), 1);
    assert!(tickets.is_empty());
}

#[test]
fn looking_at_a_ticket_does_not_use_it() {
    let mut tickets = Tickets::<()>::new(10);
    let (id, _) = tickets.issue(ticket(Some(1000)), at(0)).expect("there is room");
    assert!(tickets.look(&id, at(59)).is_some_and(|ticket| ticket.topics.matches("a")));
    assert!(tickets.look(&id, at(60)).is_none(), "it still had to be used within the minute");
}

#[test]
fn the_ticket_of_a_token_without_end_ends_when_nobody_uses_it() {
    let week = 7 * 24 * 3600;
    let mut tickets = Tickets::new(10);
    let (id, _) = tickets.issue(ticket(None), at(0)).expect("there is room");
    assert!(tickets.connect(&id, 1, at(59)).is_ok());
    assert!(tickets.connect(&id, 2, at(week)).is_ok());
    assert!(tickets.connect(&id, 3, at(2 * week)).is_err());
}

#[test]
fn tickets_have_a_limit_and_can_be_taken_back() {
    let mut tickets = Tickets::new(2);
    let (id, _) = tickets.issue(ticket(None), at(0)).expect("there is room");
    tickets.issue(ticket(None), at(0)).expect("there is room");
    let full = tickets.issue(ticket(None), at(1)).expect_err("it is full");
    assert_eq!(full.to_string(), "2 tickets are kept already, which is the limit; one of them ends in 59 s");
    assert!(tickets.connect(&id, 7, at(1)).is_ok(), "none was forgotten");
    assert_eq!(tickets.revoke(&id), Some(7));
    assert!(tickets.connect(&id, 8, at(1)).is_err());
    assert!(tickets.issue(ticket(None), at(1)).is_ok());
}

#[test]
fn a_renewed_ticket_lives_as_long_as_the_fresh_token() {
    let mut tickets = Tickets::new(1);
    let (id, _) = tickets.issue(ticket(Some(100)), at(0)).expect("there is room");
    tickets.connect(&id, 1, at(1)).expect("it is good");
    tickets.renew(&id, identity("ann", &["a"], Some(200)), at(99));
    assert_eq!(tickets.connect(&id, 2, at(199)).expect("it is good").ticket.identity.expires_at, Some(at(200)));
    assert!(tickets.connect(&id, 3, at(200)).is_err());
}
