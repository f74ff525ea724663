//! The fuzz target of the decoder. Under `cargo test` a few thousand inputs; without end with
//! `cargo bolero test -p tidings-wire fuzz_decode::any_bytes_are_decoded_as_by_the_naive_decoder`.

use crate::naive;
use crate::outcome::{cut, decode, decode_within};
use crate::properties::TOKENS;

#[test]
fn any_bytes_are_decoded_as_by_the_naive_decoder() {
    bolero::check!().with_iterations(4_000).with_max_len(256).for_each(|input: &[u8]| {
        check(input);
        check(&spell(input));
    });
}

fn check(stream: &[u8]) {
    let want = naive::decode(&[stream]);
    assert_eq!(decode(&[vec![stream]]), want, "whole: {}", stream.escape_ascii());
    assert_eq!(decode(&[stream.chunks(1).collect()]), want, "byte by byte: {}", stream.escape_ascii());
    // The input chooses where it is cut, so that a finding is repeated by its bytes alone.
    let places: Vec<usize> = stream.iter().take(4).map(|&byte| usize::from(byte)).collect();
    assert_eq!(decode(&[cut(stream, &places)]), want, "cut at {places:?}: {}", stream.escape_ascii());

    let limited = decode_within(24, &cut(stream, &places));
    assert_eq!(limited, decode_within(24, &[stream]), "limited: {}", stream.escape_ascii());
    assert!(want.items.starts_with(&limited.items), "limited: {}", stream.escape_ascii());
}

/// Reads small bytes as whole tokens: bytes alone seldom spell `data:`.
fn spell(input: &[u8]) -> Vec<u8> {
    input
        .iter()
        .flat_map(|byte| TOKENS.get(usize::from(byte % 64)).map_or(std::slice::from_ref(byte), |token| *token))
        .copied()
        .collect()
}
