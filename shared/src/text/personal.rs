//! What looks like personal data, by shape: counted, never kept. Shapes miss much and hit some that is
//! none; they show a change, not a leak.

/// Counts by shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Personal {
    /// E-mail addresses.
    pub email_addresses: u64,
    /// Numbers of 13 to 19 digits, perhaps in groups, whose check digit is right (Luhn), as of payment
    /// cards.
    pub payment_cards: u64,
    /// International bank account numbers whose check digits are right (ISO 7064, mod 97-10).
    pub ibans: u64,
}

impl Personal {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Self {
            email_addresses: emails(text.as_bytes()),
            payment_cards: cards(text.as_bytes()),
            ibans: ibans(text.as_bytes()),
        }
    }
}

/// Longest half of an address that is looked at.
const LONGEST: usize = 254;

fn emails(bytes: &[u8]) -> u64 {
    let local = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-');
    let domain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let at_signs = bytes.iter().enumerate().filter(|(_, b)| **b == b'@');
    let found = at_signs.filter(|(at, _)| {
        let named = *at > 0 && local(&bytes[at - 1]);
        let after = &bytes[at + 1..bytes.len().min(at + 1 + LONGEST)];
        let length = after.iter().position(|b| !domain(b)).unwrap_or(after.len());
        named && has_ending(&after[..length])
    });
    found.count() as u64
}

/// Whether a host name has a dot with two letters or more after it.
fn has_ending(host: &[u8]) -> bool {
    let mut parts = host.split(|b| *b == b'.').filter(|part| !part.is_empty());
    let first = parts.next();
    let last = parts.next_back();
    first.is_some()
        && last.is_some_and(|last| last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic))
}

fn cards(bytes: &[u8]) -> u64 {
    let mut found = 0;
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit()
            && !(at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'.'));
        if !begins {
            at += 1;
            continue;
        }
        // Digits, with at most one space or dash between two.
        let (mut digits, mut end) = ([0_u8; 20], at);
        let mut n = 0;
        while end < bytes.len() {
            let digit = bytes[end].is_ascii_digit();
            let next_is_digit = bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            if digit {
                if n < digits.len() {
                    digits[n] = bytes[end] - b'0';
                }
                n += 1;
            } else if !(matches!(bytes[end], b' ' | b'-') && next_is_digit) {
                break;
            }
            end += 1;
        }
        let word_follows = bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        if (13..=19).contains(&n) && !word_follows && luhn(&digits[..n]) {
            found += 1;
        }
        at = end.max(at + 1);
    }
    found
}

/// Whether the last digit is the check digit of the others; not if all are 0.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| u32::from(if i % 2 == 1 { doubled(*digit) } else { *digit }))
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

fn ibans(bytes: &[u8]) -> u64 {
    let mut found = 0;
    let mut at = 0;
    while at + 15 <= bytes.len() {
        let free = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let head = &bytes[at..at + 4];
        let country = head[..2].iter().all(u8::is_ascii_uppercase);
        let check = head[2..].iter().all(u8::is_ascii_digit);
        if !(free && country && check) {
            at += 1;
            continue;
        }
        let (length, is_one) = iban_at(&bytes[at..]);
        found += u64::from(is_one);
        at += length.max(1);
    }
    found
}

/// How many bytes belong together from here on, and whether they are an account number of 15 to 34
/// characters: in one piece, or in groups of four.
fn iban_at(bytes: &[u8]) -> (usize, bool) {
    let mut characters = Vec::with_capacity(34);
    let mut end = 0;
    while end < bytes.len() && characters.len() <= 34 {
        let byte = bytes[end];
        let next = bytes.get(end + 1);
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            characters.push(byte);
        } else if !(byte == b' '
            && characters.len() % 4 == 0
            && next.is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
        {
            break;
        }
        end += 1;
    }
    let right_length = (15..=34).contains(&characters.len());
    (end, right_length && mod_97(&characters) == 1)
}

/// The remainder by 97 of the number with its first four characters moved to the end and letters
/// written as 10 to 35.
fn mod_97(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at(4.min(characters.len()));
    tail.iter().chain(head).fold(0, |rest, character| {
        if character.is_ascii_digit() {
            (rest * 10 + u32::from(character - b'0')) % 97
        } else {
            (rest * 100 + u32::from(character - b'A') + 10) % 97
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_name_a_host_and_an_ending() {
        let text = b"a.b+c@mail.example, <x@y.example> no@host @no.example a@.de a@b.c a@b.1x";
        assert_eq!(emails(text), 2);
    }

    #[test]
    fn card_numbers_need_their_check_digit() {
        // Test numbers of payment networks; the last two have a wrong digit or length.
        let text = b"4111 1111 1111 1111, 5500-0000-0000-0004; 340000000000009. \
                     4111 1111 1111 1112 411111111111";
        assert_eq!(cards(text), 3);
        assert_eq!(cards(b"0000 0000 0000 0000"), 0);
        assert_eq!(
            cards(b"x4111111111111111 4111111111111111y 3.4111111111111111"),
            0
        );
        assert_eq!(cards("9".repeat(1 << 16).as_bytes()), 0);
    }

    #[test]
    fn account_numbers_need_their_check_digits() {
        let text =
            b"DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432, not DE88370400440532013000";
        assert_eq!(ibans(text), 2);
        assert_eq!(ibans(b"AB12"), 0);
        assert_eq!(ibans("A".repeat(1 << 16).as_bytes()), 0);
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert_eq!(Personal::of(""), Personal::default());
        assert_eq!(Personal::of("@"), Personal::default());
    }
}
