//! The case's files in memory: columns of text by name, read from gzipped CSV.

use std::io::Read;

use anyhow::{Context, ensure};

/// A read file.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// For messages.
    name: &'static str,
    header: Vec<String>,
    /// One vector per column.
    columns: Vec<Vec<Box<str>>>,
}

/// Largest unpacked size that is read, in bytes: far above the largest file that is embedded.
const MAX_UNPACKED: u64 = 64 << 20;

impl Table {
    /// Reads gzipped CSV with a header line.
    pub(crate) fn read(name: &'static str, packed: &[u8]) -> anyhow::Result<Self> {
        let unpacked = flate2::read::GzDecoder::new(packed).take(MAX_UNPACKED);
        let mut reader = csv::Reader::from_reader(unpacked);
        let header: Vec<String> = reader
            .headers()
            .with_context(|| format!("cannot read the header of {name}"))?
            .iter()
            .map(Into::into)
            .collect();
        let mut columns = vec![Vec::new(); header.len()];
        let mut record = csv::StringRecord::new();
        while reader
            .read_record(&mut record)
            .with_context(|| format!("cannot read {name}"))?
        {
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.push(cell.into());
            }
        }
        let table = Self {
            name,
            header,
            columns,
        };
        ensure!(table.rows() > 0, "{name} has no rows");
        Ok(table)
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// A column as text.
    pub(crate) fn texts(&self, column: &str) -> anyhow::Result<&[Box<str>]> {
        let at = self
            .header
            .iter()
            .position(|h| h == column)
            .with_context(|| format!("{} has no column `{column}`", self.name))?;
        Ok(&self.columns[at])
    }

    /// A column as numbers. An empty cell is missing: NaN.
    pub(crate) fn numbers(&self, column: &str) -> anyhow::Result<Vec<f64>> {
        let parse = |row: usize, cell: &str| {
            if cell.is_empty() {
                return Ok(f64::NAN);
            }
            cell.parse::<f64>().with_context(|| {
                format!(
                    "{}: column `{column}`, row {row}: `{cell}` is no number",
                    self.name
                )
            })
        };
        let cells = self.texts(column)?.iter().enumerate();
        cells.map(|(row, cell)| parse(row, cell)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn columns_are_read_by_name_and_an_empty_number_is_missing() {
        let table = Table::read("t.csv", &packed("a,b\n1.5,x\n,\"y, z\"\n")).unwrap();
        assert_eq!(table.rows(), 2);
        let a = table.numbers("a").unwrap();
        assert!((a[0] - 1.5).abs() < f64::EPSILON && a[1].is_nan());
        assert_eq!(&*table.texts("b").unwrap()[1], "y, z");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let table = Table::read("t.csv", &packed("a\nx\n")).unwrap();
        assert_eq!(
            table.numbers("a").unwrap_err().to_string(),
            "t.csv: column `a`, row 0: `x` is no number"
        );
        assert_eq!(
            table.texts("c").unwrap_err().to_string(),
            "t.csv has no column `c`"
        );
        assert!(Table::read("t.csv", &packed("a,b\n1\n")).is_err());
        assert!(Table::read("t.csv", &packed("a\n")).is_err());
        assert!(Table::read("t.csv", b"no gzip").is_err());
    }
}
