//! Chunks as another library reads them: `httparse`, the one below hyper.

use proptest::collection::vec;
use proptest::prelude::*;
use tidings_wire::{Chunk, LAST_CHUNK};

/// Reads a whole chunked body; `None` unless it is well-formed and ends with its last byte.
fn read_body(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((head_len, size))) = httparse::parse_chunk_size(wire) else {
            return None;
        };
        let size = usize::try_from(size).ok()?;
        body.extend_from_slice(wire.get(head_len..head_len + size)?);
        wire = wire[head_len + size..].strip_prefix(b"\r\n")?;
        if size == 0 {
            return wire.is_empty().then_some(body);
        }
    }
}

fn chunk(payload: &[u8]) -> Chunk {
    Chunk::build(payload.len(), |out| out.extend_from_slice(payload))
}

proptest! {
    #[test]
    fn a_body_of_chunks_is_read_as_their_payloads(payloads in vec(vec(any::<u8>(), 0..300), 0..8)) {
        let chunks: Vec<Chunk> = payloads.iter().map(|payload| chunk(payload)).collect();
        for (chunk, payload) in chunks.iter().zip(&payloads) {
            prop_assert_eq!(&chunk.payload(), payload);
        }
        let apart: Vec<u8> = chunks.iter().flat_map(Chunk::wire).chain(LAST_CHUNK).copied().collect();
        prop_assert_eq!(read_body(&apart), Some(payloads.concat()));

        let joined = Chunk::join(chunks.iter());
        prop_assert_eq!(read_body(&[joined.wire(), LAST_CHUNK].concat()), Some(payloads.concat()));
        prop_assert_eq!(joined.payload(), payloads.concat());
    }
}

#[test]
fn large_payloads_keep_their_length() {
    for payload_len in [0xffff, 0x1_0000, 0x10_0000, 0xff_ffff] {
        let payload = vec![b'\n'; payload_len];
        assert!(read_body(&[chunk(&payload).wire(), LAST_CHUNK].concat()) == Some(payload), "{payload_len} bytes");
    }
}
