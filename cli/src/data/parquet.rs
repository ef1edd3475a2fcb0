//! Parquet, batch by batch. Texts come as dictionaries, so that a category's name is looked up once
//! a batch. Lists, structs and binary columns are not read.

use std::fs::File;
use std::sync::Arc;

use anyhow::Context as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Owned};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::bytes::Digesting;
use super::column::{Batch, Column, Form, MISSING, Texts};
use super::instant::{instant, of_number};
use super::{Declared, Kind, MAX_BATCH_ROWS, Meter, Rows, Table, bad};

fn open(
    table: &Table,
    options: ArrowReaderOptions,
) -> anyhow::Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(&table.path).with_context(|| format!("cannot read {}", table.name))?;
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .or_else(|error| broken(&table.name, error))
}

fn broken<T>(name: &str, error: impl std::fmt::Display) -> anyhow::Result<T> {
    bad(format!(
        "{name}: not a Parquet file that can be read: {error}; write it again"
    ))
}

/// The columns of the schema, and how many rows there are.
pub(super) fn columns(table: &Table) -> anyhow::Result<(Vec<Declared>, Option<u64>)> {
    let builder = open(table, ArrowReaderOptions::new())?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).ok();
    let fields = builder.schema().fields().iter();
    let columns = fields.map(|field| Declared {
        name: field.name().clone(),
        kind: Some(kind(field.data_type())),
    });
    Ok((columns.collect(), rows))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow has many types, and what is not listed is not read"
)]
fn kind(of: &DataType) -> Kind {
    match of {
        DataType::Boolean => Kind::Bool,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Dictionary(_, values) => kind(values),
        DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Kind::Time,
        DataType::Decimal128(_, _) => Kind::Number,
        number if number.is_integer() || number.is_floating() => Kind::Number,
        _ => Kind::Other,
    }
}

/// Reads rows of a Parquet file.
pub(super) struct Reader<'a> {
    meter: &'a Meter,
    bytes: Digesting<'a>,
    name: String,
    batches: ParquetRecordBatchReader,
    /// Each wanted column's place in what is read, and its form.
    wanted: Vec<(usize, Form)>,
    row: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn open(
        table: &Table,
        wanted: &[(usize, Form)],
        meter: &'a Meter,
    ) -> anyhow::Result<Self> {
        for (index, _) in wanted {
            let column = &table.columns[*index];
            if column.kind == Some(Kind::Other) {
                return bad(format!(
                    "{}: column `{}` holds no plain values (lists, structs and binary are not read); flatten it",
                    table.name, column.name
                ));
            }
        }
        let mut builder = open(table, ArrowReaderOptions::new())?;
        let with_dictionaries = dictionaries(builder.schema(), wanted);
        let options = ArrowReaderOptions::new().with_schema(Arc::new(with_dictionaries));
        if let Ok(better) = open(table, options) {
            builder = better;
        }
        let mut read: Vec<usize> = wanted.iter().map(|(index, _)| *index).collect();
        read.sort_unstable();
        read.dedup();
        let mask = ProjectionMask::roots(builder.parquet_schema(), read.iter().copied());
        let batches = builder
            .with_projection(mask)
            .with_batch_size(MAX_BATCH_ROWS)
            .build()
            .or_else(|error| broken(&table.name, error))?;
        let place = |index: &usize| read.binary_search(index).unwrap_or_default();
        Ok(Self {
            meter,
            bytes: Digesting::open(table, None)?,
            name: table.name.clone(),
            batches,
            wanted: wanted.iter().map(|(i, form)| (place(i), *form)).collect(),
            row: 0,
        })
    }
}

/// The schema with every text that is wanted as a name told to come as a dictionary.
fn dictionaries(schema: &Schema, wanted: &[(usize, Form)]) -> Schema {
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        if *field.data_type() != DataType::Utf8 || !wanted.contains(&(index, Form::Text)) {
            return Arc::clone(field);
        }
        let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        Arc::new(Field::new(field.name(), kind, field.is_nullable()))
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

impl Rows for Reader<'_> {
    fn read(&mut self, into: &mut Batch) -> anyhow::Result<bool> {
        into.clear(self.wanted.iter().map(|(_, form)| *form));
        let Some(batch) = self.batches.next() else {
            return Ok(false);
        };
        let batch: RecordBatch = batch.or_else(|error| broken(&self.name, error))?;
        into.rows = batch.num_rows();
        into.lines
            .extend((1..=batch.num_rows() as u64).map(|i| self.row + i));
        self.row += batch.num_rows() as u64;
        self.meter.set(self.row);
        for ((place, form), column) in self.wanted.iter().zip(&mut into.columns) {
            let values = batch.column(*place).as_ref();
            match (form, column) {
                (Form::Number, column) => numbers(values, column),
                (Form::Text, Column::Texts(into)) => texts(values, into),
                (Form::Any, Column::Cells(cells)) => {
                    cells.extend(all(values));
                }
                (Form::Time, Column::Times(times)) => {
                    times.extend((0..values.len()).map(|row| time(values, row)));
                }
                // The batch was made for these forms.
                (Form::Text | Form::Any | Form::Time, _) => {}
            }
        }
        Ok(true)
    }

    fn digest(&mut self) -> anyhow::Result<Digest> {
        self.bytes.finish(&self.name)
    }
}

/// The primitive values of an array, if it is of that type.
fn primitive<T: ArrowPrimitiveType>(values: &dyn Array, row: usize) -> Option<T::Native> {
    values.as_primitive_opt::<T>().map(|v| v.value(row))
}

fn numbers(values: &dyn Array, into: &mut Column) {
    if let Some(floats) = values.as_primitive_opt::<Float64Type>()
        && floats.null_count() == 0
        && let Column::Numbers { values, missing } = into
        && missing.is_empty()
    {
        values.extend_from_slice(floats.values());
        return;
    }
    for cell in all(values) {
        match cell {
            Owned::Missing => into.push_number(None),
            Owned::Float(x) => into.push_number(Some(x)),
            Owned::Int(x) => into.push_number(Some(x as f64)),
            Owned::Uint(x) => into.push_number(Some(x as f64)),
            Owned::Bool(x) => into.push_number(Some(f64::from(u8::from(x)))),
            text @ Owned::Text(_) => into.push_cell(text),
        }
    }
}

fn texts(values: &dyn Array, into: &mut Texts) {
    let Some(dictionary) = values.as_any_dictionary_opt() else {
        for row in 0..values.len() {
            name(values, row, into);
        }
        return;
    };
    let names = dictionary.values();
    // Names come into the batch as they are used; most dictionaries are used up anyway.
    let mut codes = vec![None; names.len()];
    for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
        if dictionary.keys().is_null(row) {
            into.codes.push(MISSING);
        } else if let Some(code) = codes[key] {
            into.codes.push(code);
        } else {
            name(names.as_ref(), key, into);
            codes[key] = into.codes.last().copied();
        }
    }
}

/// Adds one value as a name.
fn name(values: &dyn Array, row: usize, into: &mut Texts) {
    match any(values, row) {
        Owned::Missing => into.push(None),
        Owned::Text(text) => into.push(Some(&text)),
        Owned::Float(x) => into.push(Cell::Float(x + 0.0).category().as_deref()),
        Owned::Int(x) => into.push(Cell::Int(x).category().as_deref()),
        Owned::Uint(x) => into.push(Cell::Uint(x).category().as_deref()),
        Owned::Bool(x) => into.push(Cell::Bool(x).category().as_deref()),
    }
}

/// All values, whatever their type.
fn all(values: &dyn Array) -> Vec<Owned> {
    let Some(dictionary) = values.as_any_dictionary_opt() else {
        return (0..values.len()).map(|row| any(values, row)).collect();
    };
    let names = all(dictionary.values().as_ref());
    let keys = dictionary.normalized_keys().into_iter().enumerate();
    let cells = keys.map(|(row, key)| {
        let known = names.get(key).filter(|_| !dictionary.keys().is_null(row));
        known.cloned().unwrap_or(Owned::Missing)
    });
    cells.collect()
}

/// One value that is no dictionary's. Points in time are microseconds.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Arrow has many types, and what is not listed is not read"
)]
fn any(values: &dyn Array, row: usize) -> Owned {
    if values.is_null(row) {
        return Owned::Missing;
    }
    let int = |x: Option<i64>| x.map_or(Owned::Missing, Owned::Int);
    let float = |x: Option<f64>| x.map_or(Owned::Missing, Owned::Float);
    let text = |x: &str| Owned::Text(x.into());
    match values.data_type() {
        DataType::Boolean => Owned::Bool(values.as_boolean().value(row)),
        DataType::Int8 => int(primitive::<Int8Type>(values, row).map(i64::from)),
        DataType::Int16 => int(primitive::<Int16Type>(values, row).map(i64::from)),
        DataType::Int32 => int(primitive::<Int32Type>(values, row).map(i64::from)),
        DataType::Int64 => int(primitive::<Int64Type>(values, row)),
        DataType::UInt8 => int(primitive::<UInt8Type>(values, row).map(i64::from)),
        DataType::UInt16 => int(primitive::<UInt16Type>(values, row).map(i64::from)),
        DataType::UInt32 => int(primitive::<UInt32Type>(values, row).map(i64::from)),
        DataType::UInt64 => primitive::<UInt64Type>(values, row).map_or(Owned::Missing, |x| {
            match i64::try_from(x) {
                Ok(x) => Owned::Int(x),
                Err(_) => Owned::Uint(x),
            }
        }),
        DataType::Float16 => float(primitive::<Float16Type>(values, row).map(f64::from)),
        DataType::Float32 => float(primitive::<Float32Type>(values, row).map(f64::from)),
        DataType::Float64 => float(primitive::<Float64Type>(values, row)),
        DataType::Decimal128(_, scale) => {
            float(primitive::<Decimal128Type>(values, row).map(|x| decimal(x, *scale)))
        }
        DataType::Utf8 => text(values.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(values.as_string::<i64>().value(row)),
        DataType::Utf8View => text(values.as_string_view().value(row)),
        DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => int(time(values, row)),
        _ => Owned::Missing,
    }
}

/// A decimal as the nearest float: its digits are read as they would be written.
fn decimal(digits: i128, scale: i8) -> f64 {
    format!("{digits}e{}", -i32::from(scale))
        .parse()
        .unwrap_or(f64::NAN)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is no time is read as the text or the number of one"
)]
fn time(values: &dyn Array, row: usize) -> Option<i64> {
    const DAY: i64 = 86_400_000_000;
    if values.is_null(row) {
        return None;
    }
    match values.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            primitive::<TimestampSecondType>(values, row)?.checked_mul(1_000_000)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive::<TimestampMillisecondType>(values, row)?.checked_mul(1000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(values, row)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(values, row).map(|x| x.div_euclid(1000))
        }
        DataType::Date32 => i64::from(primitive::<Date32Type>(values, row)?).checked_mul(DAY),
        DataType::Date64 => primitive::<Date64Type>(values, row)?.checked_mul(1000),
        _ => match any(values, row) {
            Owned::Text(text) => instant(&text),
            Owned::Int(x) => of_number(x as f64),
            Owned::Uint(x) => of_number(x as f64),
            Owned::Float(x) => of_number(x),
            Owned::Missing | Owned::Bool(_) => None,
        },
    }
}
