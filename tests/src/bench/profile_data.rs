//! The data of the profile benchmark: 20 numeric and 5 string columns, drifting a little in four of
//! five columns, written as plain little-endian files that every contender reads.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// Numeric columns.
pub const NUMERIC: usize = 20;
/// Categories of each string column.
pub const CATEGORIES: [u32; 5] = [3, 5, 10, 50, 1000];
/// Rows of the reference and of the current data.
pub const ROWS: [(&str, usize); 2] = [("ref", 100_000), ("cur", 1_000_000)];

/// A small generator (`SplitMix64`): the same data everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1, neither included.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(std::f64::consts::TAU * v)
    }
}

/// One value of numeric column `column`, shifted by a little.
fn number(random: &mut Random, column: usize, shift: f64) -> f64 {
    let s = shift * (column % 5) as f64 * 0.05;
    match column % 4 {
        0 => s + (1.0 + s) * random.normal(),
        1 => libm::exp(s + 0.7 * random.normal()),
        // A gamma law of shape 2: the sum of two exponential ones.
        2 => -(1.5 + s) * (libm::log(random.uniform()) + libm::log(random.uniform())),
        _ => libm::floor((90.0 + 10.0 * s) * random.uniform()),
    }
}

/// A category by Zipf's law, tilted by a little.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(categories: u32, tilt: f64) -> Self {
        let last = f64::from(categories - 1).max(1.0);
        let weights = (0..categories).map(|i| {
            let i = f64::from(i);
            (1.0 + tilt * (2.0 * i / last - 1.0)) / (i + 1.0)
        });
        let mut sum = 0.0;
        Self(
            weights
                .map(|w| {
                    sum += w;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> u32 {
        let total = self.0.last().copied().unwrap_or(1.0);
        let at = random.uniform() * total;
        let index = self.0.partition_point(|sum| *sum < at);
        u32::try_from(index.min(self.0.len() - 1)).unwrap_or(0)
    }
}

/// So many rows of the reference's kind: numbers and codes by column.
pub fn draw(rows: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<u32>>) {
    let numbers = (0..NUMERIC).map(|column| {
        let mut random = Random(seed * 100 + column as u64);
        (0..rows)
            .map(|_| number(&mut random, column, 0.0))
            .collect()
    });
    let codes = CATEGORIES.iter().enumerate().map(|(column, categories)| {
        let mut random = Random(seed * 100 + 50 + column as u64);
        let zipf = Zipf::new(*categories, 0.0);
        (0..rows).map(|_| zipf.draw(&mut random)).collect()
    });
    (numbers.collect(), codes.collect())
}

/// The name of a category.
pub fn category(column: usize, code: u32) -> String {
    format!("c{column}_v{code:04}")
}

/// Writes `ref` and `cur` into a folder, unless they are there.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let done = folder.join("complete");
    if done.exists() {
        return Ok(());
    }
    for (seed, (name, rows)) in ROWS.iter().enumerate() {
        let shift = seed as f64;
        for column in 0..NUMERIC {
            let mut random = Random((seed * 100 + column) as u64);
            let mut out = BufWriter::new(File::create(
                folder.join(format!("{name}_n{column:02}.f64")),
            )?);
            for _ in 0..*rows {
                out.write_all(&number(&mut random, column, shift).to_le_bytes())?;
            }
            out.flush()?;
        }
        for (column, categories) in CATEGORIES.iter().enumerate() {
            let mut random = Random((seed * 100 + 50 + column) as u64);
            let zipf = Zipf::new(*categories, 0.1 * column as f64 * shift);
            let mut out =
                BufWriter::new(File::create(folder.join(format!("{name}_c{column}.u32")))?);
            for _ in 0..*rows {
                out.write_all(&zipf.draw(&mut random).to_le_bytes())?;
            }
            out.flush()?;
        }
    }
    std::fs::write(done, "")?;
    Ok(())
}

/// Reads a file of fixed-width values.
fn read<const N: usize, T>(path: &Path, of: impl Fn([u8; N]) -> T) -> anyhow::Result<Vec<T>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    let values = bytes
        .chunks_exact(N)
        .filter_map(|chunk| chunk.try_into().ok().map(&of));
    Ok(values.collect())
}

/// The numbers of a column.
pub fn numbers(folder: &Path, name: &str, column: usize) -> anyhow::Result<Vec<f64>> {
    read(
        &folder.join(format!("{name}_n{column:02}.f64")),
        f64::from_le_bytes,
    )
}

/// The codes of a string column.
pub fn codes(folder: &Path, name: &str, column: usize) -> anyhow::Result<Vec<u32>> {
    read(
        &folder.join(format!("{name}_c{column}.u32")),
        u32::from_le_bytes,
    )
}
