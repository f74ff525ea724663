//! All that a reader learns from one or more streams, and how the decoder in question learns it.

use tidings_wire::{DecodeError, Decoder, DecoderLimits, Item};

/// Two decoders agree when these are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) items: Vec<Item>,
    pub(crate) last_event_id: String,
    pub(crate) failed: bool,
}

/// Decodes streams that each arrive in the given pieces.
pub(crate) fn decode(streams: &[Vec<&[u8]>]) -> Outcome {
    decode_with(Decoder::new(), streams)
}

/// Decodes one stream up to the limit.
pub(crate) fn decode_within(event_bytes_max: usize, pieces: &[&[u8]]) -> Outcome {
    decode_with(Decoder::with_limits(DecoderLimits { event_bytes_max }), &[pieces.to_vec()])
}

fn decode_with(mut decoder: Decoder, streams: &[Vec<&[u8]>]) -> Outcome {
    let mut outcome = Outcome::default();
    for (index, pieces) in streams.iter().enumerate() {
        if index > 0 {
            decoder.restart();
        }
        for piece in pieces {
            decoder.push(piece);
            while let Some(item) = decoder.poll() {
                match item {
                    Ok(item) => outcome.items.push(item),
                    Err(DecodeError::EventTooLarge { .. }) => outcome.failed = true,
                }
            }
        }
    }
    decoder.last_event_id().clone_into(&mut outcome.last_event_id);
    outcome
}

/// The stream cut at these places; places beyond its end cut nothing.
pub(crate) fn cut<'a>(stream: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|&place| place.min(stream.len())).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect()
}
