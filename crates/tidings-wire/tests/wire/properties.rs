//! What holds for all texts, all bytes and all splits.

use proptest::collection::vec;
use proptest::prelude::*;
use tidings_wire::{
    Event, EventFields, EventId, EventType, Item, encode_comment, encode_event, encode_retry, encoded_len,
};

use crate::naive;
use crate::outcome::{cut, decode, decode_within};

/// What makes streams interesting: field names, near misses, line ends, and cut-up characters.
pub(crate) const TOKENS: &[&[u8]] = &[
    b"data",
    b"data:",
    b"data: x",
    b"Data: x",
    b"event",
    b"event: t",
    b"id",
    b"id: 1",
    b"id: 2",
    b"id:\0",
    b"retry: 5",
    b"retry: 99999999999999999999",
    b"retry",
    b"unknown: x",
    b":",
    b": ",
    b" ",
    b"\t",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r\r",
    b"\xEF\xBB\xBF",
    b"\xEF",
    b"\xBB",
    b"\xBF",
    b"\xF0\x9F\xA6\x80",
    b"\xF0\x9F",
    b"\xE2\x82",
    b"\xAC",
    b"\xED\xA0",
    b"\xC0",
    b"\xFF",
    b"0",
    b"\xC2\x85",
    b"\xE2\x80\xA8",
];

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => proptest::sample::select(TOKENS).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop_oneof![
        3 => vec(token, 0..40).prop_map(|tokens| tokens.concat()),
        1 => vec(any::<u8>(), 0..200),
    ]
}

/// Any text, and often one that tries to leave its line.
fn hostile_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        proptest::sample::select(
            &["\r", "\n", "\r\n", "\0", " ", ":", "\u{feff}", "data: x", "id: forged", "event: forged", "retry: 1"][..]
        )
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    vec(part, 0..16).prop_map(|parts| parts.concat())
}

fn event_id() -> impl Strategy<Value = EventId> {
    any::<String>().prop_filter_map("not an id", |text| EventId::parse(&text).ok())
}

fn event_type() -> impl Strategy<Value = EventType> {
    prop_oneof!["message", any::<String>()].prop_filter_map("not a type", |text| EventType::parse(&text).ok())
}

fn with_plain_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #[test]
    fn any_split_of_any_stream_agrees_with_the_naive_decoder(
        streams in vec((stream(), vec(0..200_usize, 0..6)), 1..4)
    ) {
        let whole: Vec<&[u8]> = streams.iter().map(|(stream, _)| stream.as_slice()).collect();
        let pieces: Vec<_> = streams.iter().map(|(stream, places)| cut(stream, places)).collect();
        let bytes: Vec<_> = streams.iter().map(|(stream, _)| stream.chunks(1).collect()).collect();
        let want = naive::decode(&whole);
        prop_assert_eq!(&decode(&pieces), &want);
        prop_assert_eq!(&decode(&bytes), &want);
    }

    #[test]
    fn a_limit_is_met_at_the_same_line_for_any_split(
        stream in stream(), event_bytes_max in 0..40_usize, places in vec(0..200_usize, 0..6)
    ) {
        let want = decode_within(event_bytes_max, &[&stream]);
        prop_assert_eq!(&decode_within(event_bytes_max, &cut(&stream, &places)), &want);
        prop_assert_eq!(&decode_within(event_bytes_max, &stream.chunks(1).collect::<Vec<_>>()), &want);
        if !want.failed {
            prop_assert_eq!(want, naive::decode(&[&stream]));
        }
    }

    /// So no data forges a field: each event is the one that was meant, and there is nothing else.
    #[test]
    fn what_is_encoded_is_decoded(
        events in vec((proptest::option::of(event_type()), any::<Option<u64>>(), proptest::option::of(event_id()), hostile_text()), 1..5)
    ) {
        let mut wire = Vec::new();
        let mut want = Vec::new();
        let mut last_event_id = String::new();
        for (event_type, retry_ms, id, data) in &events {
            let fields = EventFields { event_type: event_type.as_ref(), retry_ms: *retry_ms, id: id.as_ref(), data };
            let start = wire.len();
            encode_event(&fields, &mut wire);
            prop_assert_eq!(wire.len() - start, encoded_len(&fields));

            want.extend(retry_ms.map(Item::Retry));
            last_event_id = id.as_ref().map_or(last_event_id, EventId::to_string);
            want.push(Item::Event(Event {
                event_type: event_type.as_ref().map_or("message", EventType::as_str).to_owned(),
                data: with_plain_line_ends(data),
                last_event_id: last_event_id.clone(),
            }));
        }
        let got = decode(&[vec![&wire]]);
        prop_assert_eq!(got.items, want);
        prop_assert_eq!(got.last_event_id, last_event_id);
    }

    #[test]
    fn a_comment_is_one_comment_and_a_retry_one_retry(text in hostile_text(), ms in any::<u64>()) {
        let mut wire = Vec::new();
        encode_comment(&text, &mut wire);
        encode_retry(ms, &mut wire);
        let got = decode(&[vec![&wire]]);
        // The encoder's space after the colon is a part of the comment.
        prop_assert_eq!(got.items, [Item::Comment(format!(" {}", text.replace(['\r', '\n'], " "))), Item::Retry(ms)]);
    }

    #[test]
    fn an_id_or_type_is_taken_only_if_it_has_the_form(text in hostile_text()) {
        let good = (1..=1024).contains(&text.len()) && !text.contains(char::is_control) && text.trim() == text;
        prop_assert_eq!(EventId::parse(&text).is_ok(), good);
        prop_assert_eq!(EventType::parse(&text).is_ok(), good);
    }
}
