//! Deterministic chance: the same seeds give the same numbers on every machine.

/// Blackman and Vigna's xoshiro256++, seeded by `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// A stream for a scenario: the same parts give the same stream, others one of their own.
    pub fn new(parts: &[u64]) -> Self {
        let mut state = 0x636c_6175_7365_3921_u64;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        let mut mixed = [next(), next(), next(), next()];
        for part in parts {
            let mut seeded = Self(mixed);
            seeded.0[0] ^= part.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for _ in 0..8 {
                seeded.next();
            }
            mixed = [seeded.next(), seeded.next(), seeded.next(), seeded.next()];
        }
        Self(mixed)
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let found = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        found
    }

    /// Evenly between 0 and 1, both excluded.
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Evenly one of the numbers below this one; 0 if there are none.
    pub fn below(&mut self, most: u64) -> u64 {
        // The unevenness of a product is below most / 2^64.
        ((u128::from(self.next()) * u128::from(most)) >> 64) as u64
    }

    /// Evenly one of so many places.
    pub fn index(&mut self, most: usize) -> usize {
        usize::try_from(self.below(most as u64)).unwrap_or(0)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }

    /// Standard normal, by the inverse of its law.
    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// Hits among `law.len() - 1` cases, from the cumulated chances of 0, 1, ... hits.
    pub fn hits(&mut self, law: &[f64]) -> u64 {
        let u = self.uniform();
        law.partition_point(|below| *below <= u).min(law.len() - 1) as u64
    }
}

/// Cumulated chances of 0 to n hits at a share.
pub fn binomial_law(n: u64, share: f64) -> Vec<f64> {
    let of = |k: u64| {
        let choose = libm::lgamma(n as f64 + 1.0)
            - libm::lgamma(k as f64 + 1.0)
            - libm::lgamma((n - k) as f64 + 1.0);
        libm::exp(choose + k as f64 * libm::log(share) + (n - k) as f64 * libm::log1p(-share))
    };
    let mut sum = 0.0;
    (0..=n)
        .map(|k| {
            sum += of(k);
            sum
        })
        .collect()
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// The normal law's inverse by rational functions (Wichura 1988, algorithm AS 241), to 1e-16; quick
/// enough for hundreds of millions of draws.
#[expect(
    clippy::excessive_precision,
    clippy::too_many_lines,
    reason = "coefficients as published"
)]
fn normal_quantile(p: f64) -> f64 {
    const CENTRE: [[f64; 8]; 2] = [
        [
            3.387_132_872_796_366_5,
            1.331_416_678_917_843_8e2,
            1.971_590_950_306_551_3e3,
            1.373_169_376_550_946e4,
            4.592_195_393_154_987e4,
            6.726_577_092_700_87e4,
            3.343_057_558_358_813e4,
            2.509_080_928_730_122_7e3,
        ],
        [
            1.0,
            4.231_333_070_160_091e1,
            6.871_870_074_920_579e2,
            5.394_196_021_424_751e3,
            2.121_379_430_158_659_7e4,
            3.930_789_580_009_271e4,
            2.872_908_573_572_194_3e4,
            5.226_495_278_852_854e3,
        ],
    ];
    const MIDDLE: [[f64; 8]; 2] = [
        [
            1.423_437_110_749_683_5,
            4.630_337_846_156_546,
            5.769_497_221_460_691,
            3.647_848_324_763_204_5,
            1.270_458_252_452_368_4,
            2.417_807_251_774_506e-1,
            2.272_384_498_926_918_4e-2,
            7.745_450_142_783_414e-4,
        ],
        [
            1.0,
            2.053_191_626_637_759,
            1.676_384_830_183_803_8,
            6.897_673_349_851e-1,
            1.481_039_764_274_800_8e-1,
            1.519_866_656_361_645_7e-2,
            5.475_938_084_995_345e-4,
            1.050_750_071_644_416_9e-9,
        ],
    ];
    const FAR: [[f64; 8]; 2] = [
        [
            6.657_904_643_501_103_5,
            5.463_784_911_164_114,
            1.784_826_539_917_291_3,
            2.965_605_718_285_048_7e-1,
            2.653_218_952_657_612_4e-2,
            1.242_660_947_388_078_4e-3,
            2.711_555_568_743_487_6e-5,
            2.010_334_399_292_288_1e-7,
        ],
        [
            1.0,
            5.998_322_065_558_879e-1,
            1.369_298_809_227_358e-1,
            1.487_536_129_085_061_5e-2,
            7.868_691_311_456_133e-4,
            1.846_318_317_510_054_7e-5,
            1.421_511_758_316_446e-7,
            2.044_263_103_389_939_8e-15,
        ],
    ];
    let ratio = |of: &[[f64; 8]; 2], x: f64| polynomial(&of[0], x) / polynomial(&of[1], x);
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&CENTRE, 0.180_625 - q * q);
    }
    let r = (-libm::log(p.min(1.0 - p))).sqrt();
    let size = if r <= 5.0 {
        ratio(&MIDDLE, r - 1.6)
    } else {
        ratio(&FAR, r - 5.0)
    };
    if q < 0.0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clause9_shared::interval;

    #[test]
    fn the_quick_quantile_agrees_with_the_careful_one() {
        for i in 1..2000 {
            let p = f64::from(i) / 2000.0;
            for p in [p, p * 1e-9] {
                let (quick, careful) = (normal_quantile(p), interval::normal_quantile(p));
                assert!((quick - careful).abs() < 1e-11, "{p}: {quick} {careful}");
            }
        }
    }

    #[test]
    fn draws_have_the_moments_of_their_laws() {
        let mut random = Random::new(&[1, 2]);
        let n = 200_000;
        let draws: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let square = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(
            mean.abs() < 0.01 && (square - 1.0).abs() < 0.015,
            "{mean} {square}"
        );
        let law = binomial_law(200, 0.85);
        let hits: u64 = (0..20_000).map(|_| random.hits(&law)).sum();
        assert!((hits as f64 / 4e6 - 0.85).abs() < 0.001);
        assert_ne!(
            Random::new(&[1, 3]).uniform().to_bits(),
            Random::new(&[1, 2]).uniform().to_bits()
        );
    }
}
