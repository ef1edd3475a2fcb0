//! Plain scalars by YAML 1.2's core schema, less what people misread: no octal, no hexadecimal, no
//! leading zeros, no infinities. Not for quoted scalars, which are always texts.

use serde_json::{Number, Value};

/// The value that an unquoted scalar stands for, or what to write instead.
pub(super) fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return Err(format!(
            "`{text}` is no number that can be compared; write a finite one"
        ));
    }
    if is_based(unsigned) || has_leading_zero(unsigned) {
        return Err(format!(
            "`{text}` is read differently by different programs; write the number in plain decimal, or put a text in quotes"
        ));
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return integer(text);
    }
    if is_float(unsigned) {
        return float(text);
    }
    Ok(Value::String(text.to_owned()))
}

fn is_based(unsigned: &str) -> bool {
    let digits_after =
        |rest: &str, radix| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
    unsigned
        .strip_prefix("0x")
        .is_some_and(|r| digits_after(r, 16))
        || unsigned
            .strip_prefix("0o")
            .is_some_and(|r| digits_after(r, 8))
}

fn has_leading_zero(unsigned: &str) -> bool {
    unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.bytes().all(|b| b.is_ascii_digit())
}

fn integer(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(n) = text.parse::<u64>() {
        return Ok(Value::from(n));
    }
    text.parse::<i64>().map(Value::from).map_err(|_| {
        format!("the whole number {text} does not fit 64 bits; write a smaller one, or put a text in quotes")
    })
}

/// `12.5`, `.5`, `1e3`, `1.5e-3`.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let good_exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && good_exponent
}

fn float(text: &str) -> Result<Value, String> {
    text.parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| {
            format!("the number {text} is beyond the range of 64-bit floats; write a smaller one")
        })
}
