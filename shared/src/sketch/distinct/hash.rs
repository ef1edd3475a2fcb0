//! SipHash-2-4 (Aumasson and Bernstein 2012): short, keyed, and the same on every platform.

/// Second half of the key; the first is the seed.
const KEY: u64 = 0x636c_6175_7365_2039;

/// The hash of some bytes under a seed.
pub(crate) fn siphash(seed: u64, bytes: &[u8]) -> u64 {
    keyed(seed, KEY, bytes)
}

fn keyed(k0: u64, k1: u64, bytes: &[u8]) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        absorb(&mut v, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the length counts by its last byte"
    )]
    let length = bytes.len() as u8;
    last[7] = length;
    absorb(&mut v, u64::from_le_bytes(last));
    v[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_vectors() {
        let (k0, k1) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let bytes: Vec<u8> = (0..15).collect();
        assert_eq!(keyed(k0, k1, &bytes), 0xa129_ca61_49be_45e5);
        assert_eq!(keyed(k0, k1, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(keyed(k0, k1, &bytes[..8]), 0x93f5_f579_9a93_2462);
    }
}
