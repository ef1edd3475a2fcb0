//! Points in time as tables have them: RFC 3339, or the same without a zone (taken as UTC), or a date.

use clause9_shared::time::Timestamp;

/// Microseconds since the epoch of a text: `2018-10-30`, `2018-10-30 18:00`, `2018-10-30T18:00:00.5Z`,
/// `2018-10-30 18:00:00+02:00`. Without a zone it is UTC.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let date = text.get(..10)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return parse(&format!("{date}T00:00:00Z"));
    }
    let rest = rest.strip_prefix([' ', 'T', 't'])?;
    let zone_at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone_at);
    let zone = match zone.trim() {
        z if !z.is_ascii() => return None,
        "" | "Z" | "z" | "UTC" => "Z".to_owned(),
        // +0200 is +02:00, +02 too.
        z if z.len() == 5 && !z.contains(':') => format!("{}:{}", &z[..3], &z[3..]),
        z if z.len() == 3 => format!("{z}:00"),
        z => z.to_owned(),
    };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    parse(&format!("{date}T{time}{seconds}{zone}"))
}

/// Microseconds since the epoch of a number: seconds, milli-, micro- or nanoseconds by its size
/// (seconds up to the year 5138).
pub(super) fn of_number(number: f64) -> Option<i64> {
    let size = number.abs();
    let micros = if size < 1e11 {
        number * 1e6
    } else if size < 1e14 {
        number * 1e3
    } else if size < 1e17 {
        number
    } else {
        number / 1e3
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be within the years 0 to 9999"
    )]
    let whole = micros.round() as i64;
    Timestamp::from_micros(whole).map(Timestamp::micros)
}

fn parse(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_are_utc_and_zones_are_taken_as_written() {
        let noon = instant("2018-10-30T12:00:00Z").unwrap();
        for text in [
            "2018-10-30 12:00:00",
            "2018-10-30 12:00",
            "2018-10-30T12:00:00.000",
            "2018-10-30 14:00:00+02:00",
            "2018-10-30 14:00:00+0200",
            "2018-10-30T14:00:00+02",
            "2018-10-30 12:00:00 UTC",
        ] {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2018-10-30"), Some(noon - 43_200_000_000));
        assert_eq!(of_number(1_540_900_800.0), Some(noon));
        assert_eq!(of_number(1_540_900_800_000.0), Some(noon));
        for text in [
            "",
            "12",
            "2018-13-01",
            "yesterday it rained",
            "2018-10-30 é",
            "2018-10-30 12:00+1é2",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
