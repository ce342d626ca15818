//! base58btc, as far as a `did:key` needs it: `N` bytes whose first is not zero.

/// The digits: no `0`, `O`, `I` and `l`.
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The digits of `bytes` read as one big-endian number.
pub fn encode(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 7 / 5 + 1);
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = low_byte(carry % 58);
            carry /= 58;
        }
        while carry > 0 {
            digits.push(low_byte(carry % 58));
            carry /= 58;
        }
    }
    digits
        .iter()
        .rev()
        .filter_map(|digit| ALPHABET.get(usize::from(*digit)))
        .map(|letter| char::from(*letter))
        .collect()
}

/// The `N` bytes whose [`encode`]d form is `text`, and nothing else: no other alphabet, no leading zero digit, no value that is
/// shorter or longer (DI-7).
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A number of N bytes has at most N * 1.37 digits; a longer text cannot be one and is not worth reading.
    if text.len() > N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = low_byte(carry & 0xFF);
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    let full_length = bytes.first().is_some_and(|first| *first != 0);
    (full_length && encode(&bytes) == text).then_some(bytes)
}

/// Values below 256 by construction.
fn low_byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of draft-msporny-base58, section 5.
    #[test]
    fn published_examples() {
        assert_eq!(encode(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(
            encode(b"The quick brown fox jumps over the lazy dog."),
            "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
        );
        assert_eq!(decode::<12>("2NEpo7TZRRrLZSi2U"), Some(*b"Hello World!"));
    }

    /// DI-7: one text for one value.
    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "12NEpo7TZRRrLZSi2U",
            "2NEpo7TZRRrLZSi",
            "2NEpo7TZRRrLZSi2UU",
            "0NEpo7TZRRrLZSi2U",
            "2NEpo7TZRRrLZSi2l",
        ] {
            assert_eq!(decode::<12>(text), None, "{text}");
        }
        assert_eq!(decode::<12>("2NEpo7TZRRrLZSi2é"), None);
        assert_eq!(decode::<12>(&"z".repeat(1 << 20)), None);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(mut bytes in any::<[u8; 34]>()) {
            bytes[0] |= 1;
            prop_assert_eq!(decode::<34>(&encode(&bytes)), Some(bytes));
        }

        /// DI-7: whatever decodes is its own encoding.
        #[test]
        fn decoding_is_one_to_one(text in "[1-9A-Za-z]{0,10}") {
            if let Some(bytes) = decode::<6>(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
