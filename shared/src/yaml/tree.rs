//! From YAML events to a JSON value and, beside it, where each part was written.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Value};

use super::scalar;
use super::{MAX_BYTES, MAX_DEPTH};

/// Line and column, both from 1; the column in characters.
pub(super) type Position = (usize, usize);

/// Where one value was written, and where its parts were.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) value: Position,
    key: Option<Position>,
    parts: Parts,
}

/// A tree rather than a table of pointers: its size stays proportional to the file's.
#[derive(Clone, Debug)]
enum Parts {
    None,
    List(Vec<Place>),
    Mapping(Vec<(String, Place)>),
}

impl Place {
    /// The part that a JSON pointer names, or the nearest one around it.
    pub(super) fn find(&self, pointer: &str) -> &Self {
        let steps = pointer.split('/').skip(1);
        let steps = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
        self.follow(steps).0
    }

    /// Follows keys and indices as far as they lead; says whether they led all the way.
    pub(super) fn follow<S: AsRef<str>>(
        &self,
        steps: impl IntoIterator<Item = S>,
    ) -> (&Self, bool) {
        let mut here = self;
        for step in steps {
            match here.part(step.as_ref()) {
                Some(part) => here = part,
                None => return (here, false),
            }
        }
        (here, true)
    }

    fn part(&self, step: &str) -> Option<&Self> {
        match &self.parts {
            Parts::None => None,
            Parts::List(items) => items.get(step.parse::<usize>().ok()?),
            Parts::Mapping(entries) => entries.iter().find(|(k, _)| k == step).map(|(_, p)| p),
        }
    }

    /// Where the key stands, or the value if it has none.
    pub(super) fn key_or_value(&self) -> Position {
        self.key.unwrap_or(self.value)
    }
}

/// A mistake and where it stands.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) at: Position,
    pub(super) message: String,
}

fn mistake<T>(at: Position, message: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake {
        at,
        message: message.into(),
    })
}

/// Reads exactly one document.
pub(super) fn parse(text: &str) -> Result<(Value, Place), Mistake> {
    if text.len() > MAX_BYTES {
        let long = format!(
            "the file has {} bytes, the limit is {MAX_BYTES}; split it or remove what is not needed",
            text.len()
        );
        return mistake((1, 1), long);
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)),
    };
    let (first, _) = reader.content()?;
    if matches!(first, Event::StreamEnd) {
        return mistake(
            (1, 1),
            "the file is empty; write a mapping, as `key: value`",
        );
    }
    let (event, at) = reader.content()?;
    let read = reader.node(event, at, 1)?;
    match reader.content()? {
        (Event::StreamEnd, _) => Ok(read),
        (_, at) => mistake(
            at,
            "a second document begins here; write one document per file",
        ),
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    /// The next event that says something.
    fn content(&mut self) -> Result<(Event<'a>, Position), Mistake> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Nothing | Event::StreamStart | Event::DocumentEnd, _))) => {}
                Some(Ok((event, span))) => return Ok((event, position(&span))),
                Some(Err(error)) => return Err(not_yaml(&error)),
                None => return Ok((Event::StreamEnd, (1, 1))),
            }
        }
    }

    /// The value that begins with `event`.
    fn node(
        &mut self,
        event: Event<'a>,
        at: Position,
        depth: usize,
    ) -> Result<(Value, Place), Mistake> {
        if depth > MAX_DEPTH {
            return mistake(
                at,
                format!("nested more than {MAX_DEPTH} levels deep; write it flatter"),
            );
        }
        let (value, parts) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_node(at, anchor, tag.is_some())?;
                let value = match style {
                    ScalarStyle::Plain => scalar::plain(&text),
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Ok(Value::String(text.into_owned())),
                };
                match value {
                    Ok(value) => (value, Parts::None),
                    Err(message) => return mistake(at, message),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                plain_node(at, anchor, tag.is_some())?;
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                plain_node(at, anchor, tag.is_some())?;
                self.mapping(depth)?
            }
            Event::Alias(_) => {
                return mistake(
                    at,
                    "aliases are not read; write the value out where it is needed",
                );
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return mistake(at, "expected a value here; write one"),
        };
        let place = Place {
            value: at,
            key: None,
            parts,
        };
        Ok((value, place))
    }

    fn list(&mut self, depth: usize) -> Result<(Value, Parts), Mistake> {
        let (mut values, mut places) = (Vec::new(), Vec::new());
        loop {
            let (event, at) = self.content()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((Value::Array(values), Parts::List(places)));
            }
            let (value, place) = self.node(event, at, depth + 1)?;
            values.push(value);
            places.push(place);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<(Value, Parts), Mistake> {
        let (mut values, mut places) = (Map::new(), Vec::new());
        loop {
            let (event, key_at) = self.content()?;
            if matches!(event, Event::MappingEnd) {
                return Ok((Value::Object(values), Parts::Mapping(places)));
            }
            let key = self.key(event, key_at, depth)?;
            if values.contains_key(&key) {
                return mistake(
                    key_at,
                    format!("the key `{key}` stands here twice; keep one"),
                );
            }
            let (event, at) = self.content()?;
            let (value, mut place) = self.node(event, at, depth + 1)?;
            place.key = Some(key_at);
            if value.is_null() {
                // An absent value has no place of its own worth pointing at.
                place.value = key_at;
            }
            places.push((key.clone(), place));
            values.insert(key, value);
        }
    }

    fn key(&mut self, event: Event<'a>, at: Position, depth: usize) -> Result<String, Mistake> {
        match self.node(event, at, depth + 1)?.0 {
            Value::String(key) if key == "<<" => mistake(
                at,
                "merge keys are not read; write the values out where they are needed",
            ),
            Value::String(key) => Ok(key),
            Value::Null | Value::Bool(_) | Value::Number(_) => mistake(
                at,
                "a key must be a text; put it in quotes if this is its name",
            ),
            Value::Array(_) | Value::Object(_) => {
                mistake(at, "a key must be a text, not a list or a mapping")
            }
        }
    }
}

fn plain_node(at: Position, anchor: usize, tagged: bool) -> Result<(), Mistake> {
    if tagged {
        return mistake(
            at,
            "tags are not read; remove it, and put texts in quotes that look like numbers",
        );
    }
    if anchor != 0 {
        return mistake(
            at,
            "anchors are not read; remove it and write the value out where it is needed",
        );
    }
    Ok(())
}

fn position(span: &Span) -> Position {
    (span.start.line(), span.start.col() + 1)
}

fn not_yaml(error: &ScanError) -> Mistake {
    Mistake {
        at: (error.marker().line(), error.marker().col() + 1),
        message: format!(
            "not YAML: {}; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`",
            error.info()
        ),
    }
}
