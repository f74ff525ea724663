//! Where an event stands in a hub's history: an epoch, and a sequence within it. Only an engine makes one.

use std::fmt;

use tidings_wire::EventId;

use crate::time::Timestamp;

/// The place of an event within its epoch. The first event has 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The place after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place before this one; the one before the first is the first's own beginning.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One unbroken history. A hub that lost its history begins a new epoch, later in order than all before.
///
/// It is twelve characters of `0-9a-z`: ten for the time in microseconds, and two that check them, so that a
/// publisher's own `statements-42` is not taken for a position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; EPOCH_BYTES]);

const EPOCH_BYTES: usize = 12;
const TIME_DIGITS: usize = 10;
const BASE: u64 = 36;

impl Epoch {
    /// The epoch that begins at `unix_micros`, microseconds since 1970. Two hubs that begin in the same microsecond
    /// have the same epoch.
    pub fn from_unix_micros(unix_micros: u64) -> Self {
        let mut bytes = [b'0'; EPOCH_BYTES];
        write_base36(unix_micros, &mut bytes[..TIME_DIGITS]);
        let check = checksum(&bytes[..TIME_DIGITS]);
        write_base36(check, &mut bytes[TIME_DIGITS..]);
        Self(bytes)
    }

    /// The epoch that `raw` is, or nothing when no hub ever made it.
    pub fn parse(raw: &str) -> Option<Self> {
        let bytes: [u8; EPOCH_BYTES] = raw.as_bytes().try_into().ok()?;
        let is_base36 = bytes.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let mut check = [b'0'; EPOCH_BYTES - TIME_DIGITS];
        write_base36(checksum(&bytes[..TIME_DIGITS]), &mut check);
        (is_base36 && bytes[TIME_DIGITS..] == check).then_some(Self(bytes))
    }

    /// When it began.
    pub fn began_at(&self) -> Timestamp {
        let digit =
            |byte: &u8| u64::from(char::from(*byte).to_digit(36).expect("both constructors put only digits of 36"));
        let unix_micros = self.0[..TIME_DIGITS].iter().fold(0, |micros, byte| micros * BASE + digit(byte));
        Timestamp::from_millis(unix_micros / 1000)
    }

    /// As it stands in an id.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("both constructors put only ASCII into it")
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// A place in a hub's history. As an event id it reads `<epoch>-<sequence>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The history that it belongs to.
    pub epoch: Epoch,
    /// Its place there.
    pub sequence: Sequence,
}

impl Position {
    /// The position that `raw` is: a hub's own epoch, a hyphen and a plain decimal number. Anything else is a
    /// publisher's id. Needs no look-up.
    pub fn parse(raw: &str) -> Option<Self> {
        let (epoch, sequence) = raw.split_once('-')?;
        let epoch = Epoch::parse(epoch)?;
        let is_plain =
            sequence.bytes().all(|byte| byte.is_ascii_digit()) && (sequence == "0" || !sequence.starts_with('0'));
        let sequence = is_plain.then(|| sequence.parse().ok())??;
        Some(Self { epoch, sequence: Sequence(sequence) })
    }

    /// The id under which an event at this place goes out when its publisher gave none.
    pub fn to_event_id(self) -> EventId {
        EventId::parse(&self.to_string()).expect("a position is made of 0-9, a-z and a hyphen")
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

fn write_base36(mut value: u64, out: &mut [u8]) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    for byte in out.iter_mut().rev() {
        *byte = DIGITS[usize::try_from(value % BASE).expect("a remainder of 36 fits")];
        value /= BASE;
    }
}

/// A weighted sum over the digits, so that two exchanged ones are noticed, below 36 squared.
fn checksum(digits: &[u8]) -> u64 {
    let sum = digits.iter().fold(7u64, |sum, &digit| (sum * 31 + u64::from(digit)) % 1_000_003);
    sum % (BASE * BASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, is_position: bool) {
        assert_eq!(Position::parse(raw).is_some(), is_position, "{raw:?}");
    }

    #[test]
    fn a_position_reads_back_from_its_id() {
        for (micros, sequence) in [(0, 0), (1_795_464_000_000_000, 42), (3_656_158_440_062_975, u64::MAX)] {
            let position = Position { epoch: Epoch::from_unix_micros(micros), sequence: Sequence(sequence) };
            assert_eq!(Position::parse(position.to_event_id().as_str()), Some(position));
        }
    }

    #[test]
    fn epochs_are_ordered_in_time() {
        let times = [1, 35, 36, 1_795_464_000_000_000, 1_795_464_000_000_001, 2_000_000_000_000_000];
        assert!(times.map(Epoch::from_unix_micros).is_sorted());
    }

    #[test]
    fn an_epoch_knows_when_it_began() {
        assert_eq!(
            Epoch::from_unix_micros(1_795_464_000_123_456).began_at(),
            Timestamp::from_millis(1_795_464_000_123)
        );
    }

    #[test]
    fn only_a_hubs_own_form_is_a_position() {
        let epoch = Epoch::from_unix_micros(1_795_464_000_000_000);
        check(&format!("{epoch}-1"), true);
        check(&format!("{epoch}-0"), true);
        check(&format!("{epoch}-01"), false);
        check(&format!("{epoch}-+1"), false);
        check(&format!("{epoch}-"), false);
        check(&format!("{epoch}-1 "), false);
        check(&format!("{epoch}"), false);
        check(&format!("{epoch}-18446744073709551616"), false);
        check(&format!("{}-1", epoch.as_str().to_uppercase()), false);
        check("order-42", false);
        check("invoices-42", false);
        check("households12-42", false);
        check("", false);
        check("-", false);
    }
}
