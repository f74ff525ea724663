//! Takes chunked framing off, strictly: what RFC 9112 does not have a hub write is a fault.

/// A chunked body while it is read.
#[derive(Debug, Default)]
pub(crate) struct Dechunker {
    place: Place,
    /// The size line that is being read.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Size,
    Data {
        left: usize,
    },
    /// The CRLF after a chunk's data, of which so many bytes are read.
    DataEnd {
        read: usize,
    },
    /// The CRLF after the last chunk.
    BodyEnd {
        read: usize,
    },
    Done,
}

/// A size line has at most as many hexadecimal digits as a length.
const SIZE_DIGITS_MAX: usize = 16;

impl Dechunker {
    /// Is the whole body read?
    pub(crate) fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// Puts the payload of `bytes` into `out`. Answers what is wrong, if something is.
    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                Place::Size => {
                    bytes = rest;
                    self.line.push(first);
                    if first == b'\n' {
                        self.place = self.end_of_size()?;
                        self.line.clear();
                    } else if self.line.len() > SIZE_DIGITS_MAX + 1 {
                        return Err(format!("no size line: {:?}", String::from_utf8_lossy(&self.line)));
                    }
                }
                Place::Data { left } => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    out.extend_from_slice(data);
                    bytes = rest;
                    self.place = match left - data.len() {
                        0 => Place::DataEnd { read: 0 },
                        left => Place::Data { left },
                    };
                }
                Place::DataEnd { read } => {
                    expect_crlf(first, read, "after a chunk's data")?;
                    bytes = rest;
                    self.place = if read == 1 { Place::Size } else { Place::DataEnd { read: 1 } };
                }
                Place::BodyEnd { read } => {
                    expect_crlf(first, read, "after the last chunk")?;
                    bytes = rest;
                    self.place = if read == 1 { Place::Done } else { Place::BodyEnd { read: 1 } };
                }
                Place::Done => return Err(format!("{} bytes after the end of the body", bytes.len())),
            }
        }
        Ok(())
    }

    fn end_of_size(&self) -> Result<Place, String> {
        let wrong = || format!("no size line: {:?}", String::from_utf8_lossy(&self.line));
        let digits = self.line.strip_suffix(b"\r\n").ok_or_else(wrong)?;
        let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex).ok_or_else(wrong)?;
        match usize::from_str_radix(digits, 16).map_err(|_| wrong())? {
            0 => Ok(Place::BodyEnd { read: 0 }),
            left => Ok(Place::Data { left }),
        }
    }
}

fn expect_crlf(byte: u8, read: usize, place: &str) -> Result<(), String> {
    let want = b"\r\n"[read];
    if byte == want { Ok(()) } else { Err(format!("{byte:#04x} {place}, where {want:#04x} belongs")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &str, want: Result<(&str, bool), ()>) {
        for piece in 1..=bytes.len() {
            let (mut dechunker, mut out) = (Dechunker::default(), Vec::new());
            let read = bytes.as_bytes().chunks(piece).try_for_each(|piece| dechunker.push(piece, &mut out));
            let got = read.map(|()| (String::from_utf8(out).expect("text"), dechunker.is_done())).map_err(drop);
            assert_eq!(got, want.map(|(text, is_done)| (text.to_owned(), is_done)), "{bytes:?} in pieces of {piece}");
        }
    }

    #[test]
    fn only_well_framed_bodies_pass() {
        check("3\r\nabc\r\nA\r\n0123456789\r\n", Ok(("abc0123456789", false)));
        check("1\r\na\r\n0\r\n\r\n", Ok(("a", true)));
        check("3\r\nab", Ok(("ab", false)));
        check("3\nabc\r\n", Err(()));
        check("3\r\nabcd\r\n", Err(()));
        check("3;x=y\r\nabc\r\n", Err(()));
        check("\r\n", Err(()));
        check("x\r\n", Err(()));
        check("12345678123456781\r\n", Err(()));
        check("0\r\n\r\n0\r\n\r\n", Err(()));
        check("0\r\nx: y\r\n\r\n", Err(()));
    }
}
