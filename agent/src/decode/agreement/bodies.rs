//! Rows as each protocol writes them.

use bytes::Bytes;
use http::HeaderValue;

use super::Naming;
use crate::decode::recorded::{called, exchange, framed};
use crate::exchange::Exchange;

/// One case and its answer. All numbers are exact in 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) age: f64,
    pub(crate) income: f64,
    pub(crate) debt: Option<f64>,
    pub(crate) grade: i64,
    pub(crate) p: f64,
}

/// What is sent.
pub(crate) const CORPUS: [Row; 24] = {
    let row = Row {
        age: 0.0,
        income: 0.0,
        debt: None,
        grade: 0,
        p: 0.0,
    };
    let mut rows = [row; 24];
    let mut i = 0;
    while i < rows.len() {
        let x = i as f64;
        rows[i] = Row {
            age: 16.0 + x,
            income: x * x * 0.125 - 7.5,
            debt: if i % 5 == 2 { None } else { Some(x * 0.25) },
            grade: [0, 1, 2][i % 3],
            p: (x * 7.0 % 24.0) / 32.0,
        };
        i += 1;
    }
    rows
};
const NAMES: [&str; 4] = ["age", "income", "debt", "grade"];

/// An exchange in one form of one protocol.
pub(crate) struct Sent {
    pub(crate) form: &'static str,
    pub(crate) naming: Naming,
    pub(crate) exchange: Exchange,
}

impl Row {
    fn cells(&self) -> [Option<f64>; 4] {
        let grade = self.grade as f64;
        [Some(self.age), Some(self.income), self.debt, Some(grade)]
    }

    /// Its cells as text, with what stands for a gap.
    fn written(&self, gap: &str) -> [String; 4] {
        self.cells()
            .map(|cell| cell.map_or_else(|| gap.to_owned(), |x| x.to_string()))
    }

    fn list(&self) -> String {
        format!("[{}]", self.written("null").join(","))
    }

    fn object(&self) -> String {
        let cells = self.written("null");
        let pairs = NAMES
            .iter()
            .zip(cells)
            .map(|(n, x)| format!(r#""{n}":{x}"#));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}

fn join(rows: &[Row], each: impl Fn(&Row) -> String, between: &str) -> String {
    rows.iter().map(each).collect::<Vec<_>>().join(between)
}

/// One column as a JSON list.
fn column(rows: &[Row], at: usize) -> String {
    format!(
        "[{}]",
        join(rows, |row| row.written("null")[at].clone(), ",")
    )
}

fn answers(rows: &[Row]) -> String {
    format!("[{}]", join(rows, |row| row.p.to_string(), ","))
}

fn typed(mut exchange: Exchange, request: &'static str, response: &'static str) -> Exchange {
    exchange.request.content_type = Some(HeaderValue::from_static(request));
    exchange.response.content_type = Some(HeaderValue::from_static(response));
    exchange
}

/// The form that comes first, of any rows.
pub(crate) fn first(rows: &[Row]) -> Sent {
    v2_named(rows)
}

/// The corpus in each form.
pub(crate) fn all() -> Vec<Sent> {
    let rows = &CORPUS[..];
    let mut all = vec![
        first(rows),
        v2("v2, flat", rows, |rows| {
            let flat = join(rows, |row| row.written("null").join(","), ",");
            format!("[{flat}]")
        }),
        v2("v2, nested", rows, |rows| {
            format!("[{}]", join(rows, Row::list, ","))
        }),
        v2_binary(rows),
        packed(rows),
        grpc("v2 gRPC, typed", rows, false),
        grpc("v2 gRPC, raw", rows, true),
    ];
    all.extend(v1(rows));
    all.extend(mlflow(rows));
    all.extend(sagemaker(rows));
    all.push(torchserve(rows));
    all
}

const V2: &str = "/v2/models/credit/infer";

fn v2_named(rows: &[Row]) -> Sent {
    let count = rows.len();
    let tensor = |(at, name): (usize, &&str)| {
        let data = column(rows, at);
        format!(r#"{{"name":"{name}","datatype":"FP64","shape":[{count}],"data":{data}}}"#)
    };
    let tensors: Vec<_> = NAMES.iter().enumerate().map(tensor).collect();
    let request = format!(r#"{{"inputs":[{}]}}"#, tensors.join(","));
    let response = v2_answer("p", rows);
    Sent {
        form: "v2, a tensor for each name",
        naming: Naming::Names,
        exchange: exchange(V2, request, response),
    }
}

fn v2_answer(name: &str, rows: &[Row]) -> String {
    let (count, data) = (rows.len(), answers(rows));
    format!(
        r#"{{"outputs":[{{"name":"{name}","datatype":"FP64","shape":[{count},1],"data":{data}}}]}}"#
    )
}

fn v2(form: &'static str, rows: &[Row], data: impl Fn(&[Row]) -> String) -> Sent {
    let (count, data) = (rows.len(), data(rows));
    let request = format!(
        r#"{{"inputs":[{{"name":"instances","shape":[{count},4],"datatype":"FP32","data":{data}}}]}}"#
    );
    Sent {
        form,
        naming: Naming::Places,
        exchange: exchange(V2, request, v2_answer("predictions", rows)),
    }
}

/// All cells as raw 32-bit floats; gaps are no numbers.
fn raw(rows: &[Row]) -> Vec<u8> {
    let cells = rows.iter().flat_map(Row::cells);
    #[expect(clippy::cast_possible_truncation, reason = "exact in 32 bits")]
    let bytes = cells.flat_map(|x| (x.unwrap_or(f64::NAN) as f32).to_le_bytes());
    bytes.collect()
}

fn raw_answers(rows: &[Row]) -> Vec<u8> {
    rows.iter().flat_map(|row| row.p.to_le_bytes()).collect()
}

fn v2_binary(rows: &[Row]) -> Sent {
    let count = rows.len();
    let body = |key: &str, name: &str, shape: &str, datatype: &str, raw: &[u8]| {
        let size = raw.len();
        let json = format!(
            r#"{{"{key}":[{{"name":"{name}","shape":{shape},"datatype":"{datatype}","parameters":{{"binary_data_size":{size}}}}}]}}"#
        );
        (json.len(), Bytes::from([json.as_bytes(), raw].concat()))
    };
    let shape = format!("[{count},4]");
    let (asked, request) = body("inputs", "instances", &shape, "FP32", &raw(rows));
    let shape = format!("[{count}]");
    let (answered, response) = body("outputs", "predictions", &shape, "FP64", &raw_answers(rows));
    let octets = "application/octet-stream";
    let mut exchange = typed(exchange(V2, request, response), octets, octets);
    exchange.request.json_length = Some(asked.into());
    exchange.response.json_length = Some(answered.into());
    Sent {
        form: "v2, binary tensors",
        naming: Naming::Places,
        exchange,
    }
}

/// The named form with both bodies compressed.
fn packed(rows: &[Row]) -> Sent {
    use std::io::Write as _;
    let mut sent = v2_named(rows);
    for message in [&mut sent.exchange.request, &mut sent.exchange.response] {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&message.body.joined()).unwrap();
        message.body = [Bytes::from(packer.finish().unwrap())]
            .into_iter()
            .collect();
        message.content_encoding = Some(HeaderValue::from_static("gzip"));
    }
    sent.form = "v2, compressed";
    sent
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    into.push(u8::try_from(number).unwrap());
}

fn field(number: u64, bytes: &[u8], into: &mut Vec<u8>) {
    varint(number << 3 | 2, into);
    varint(bytes.len() as u64, into);
    into.extend(bytes);
}

/// A message with one tensor, whose numbers are in a field of its contents, or raw.
fn infer(
    tensor: (&str, &str, &[usize]),
    contents: u64,
    numbers: &[u8],
    raws: Option<u64>,
) -> Vec<u8> {
    let (name, datatype, dimensions) = tensor;
    let (mut tensor, mut shape) = (Vec::new(), Vec::new());
    field(1, name.as_bytes(), &mut tensor);
    field(2, datatype.as_bytes(), &mut tensor);
    for dimension in dimensions {
        varint(*dimension as u64, &mut shape);
    }
    field(3, &shape, &mut tensor);
    if raws.is_none() {
        let mut packed = Vec::new();
        field(contents, numbers, &mut packed);
        field(5, &packed, &mut tensor);
    }
    let mut message = Vec::new();
    field(1, b"credit", &mut message);
    field(5, &tensor, &mut message);
    if let Some(raws) = raws {
        field(raws, numbers, &mut message);
    }
    framed(&message)
}

fn grpc(form: &'static str, rows: &[Row], is_raw: bool) -> Sent {
    let count = rows.len();
    let raws = |number| is_raw.then_some(number);
    let tensor = ("instances", "FP32", &[count, 4][..]);
    let request = infer(tensor, 6, &raw(rows), raws(7));
    let tensor = ("predictions", "FP64", &[count, 1][..]);
    let response = infer(tensor, 7, &raw_answers(rows), raws(6));
    let method = "/inference.GRPCInferenceService/ModelInfer";
    Sent {
        form,
        naming: Naming::Places,
        exchange: called(method, request, response),
    }
}

fn named_columns(rows: &[Row]) -> String {
    let pair = |(at, name): (usize, &&str)| format!(r#""{name}":{}"#, column(rows, at));
    let pairs: Vec<_> = NAMES.iter().enumerate().map(pair).collect();
    format!("{{{}}}", pairs.join(","))
}

fn lists(rows: &[Row]) -> String {
    format!("[{}]", join(rows, Row::list, ","))
}

fn objects(rows: &[Row]) -> String {
    format!("[{}]", join(rows, Row::object, ","))
}

fn answer_objects(rows: &[Row], between: &str) -> String {
    join(rows, |row| format!(r#"{{"p":{}}}"#, row.p), between)
}

fn v1(rows: &[Row]) -> Vec<Sent> {
    let path = "/v1/models/credit/versions/7:predict";
    let predictions = format!(r#"{{"predictions":{}}}"#, answers(rows));
    let named = format!(r#"{{"predictions":[{}]}}"#, answer_objects(rows, ","));
    let columns = format!(r#"{{"outputs":{{"p":{}}}}}"#, answers(rows));
    let outputs = format!(r#"{{"outputs":{}}}"#, answers(rows));
    let forms = [
        (
            "v1, rows",
            Naming::Places,
            "instances",
            lists(rows),
            &predictions,
        ),
        (
            "v1, rows of names",
            Naming::Names,
            "instances",
            objects(rows),
            &named,
        ),
        (
            "v1, columns",
            Naming::Names,
            "inputs",
            named_columns(rows),
            &columns,
        ),
        (
            "v1, one column",
            Naming::Places,
            "inputs",
            lists(rows),
            &outputs,
        ),
    ];
    let sent = |(form, naming, key, body, response): (_, _, &str, String, &String)| Sent {
        form,
        naming,
        exchange: exchange(path, format!(r#"{{"{key}":{body}}}"#), response.clone()),
    };
    forms.into_iter().map(sent).collect()
}

fn mlflow(rows: &[Row]) -> Vec<Sent> {
    let bare = format!(r#"{{"predictions": {}}}"#, answers(rows));
    let named = format!(r#"{{"predictions": [{}]}}"#, answer_objects(rows, ", "));
    let split = format!(
        r#"{{"index":[0],"data":{},"columns":["age","income","debt","grade"]}}"#,
        lists(rows)
    );
    let forms = [
        (
            "MLflow, split",
            Naming::Names,
            "dataframe_split",
            split,
            &named,
        ),
        (
            "MLflow, records",
            Naming::Names,
            "dataframe_records",
            objects(rows),
            &named,
        ),
        (
            "MLflow, instances",
            Naming::Places,
            "instances",
            lists(rows),
            &bare,
        ),
        (
            "MLflow, inputs without names",
            Naming::Places,
            "inputs",
            lists(rows),
            &bare,
        ),
        (
            "MLflow, inputs",
            Naming::Names,
            "inputs",
            named_columns(rows),
            &named,
        ),
    ];
    let json = "application/json";
    let sent = |(form, naming, key, body, response): (_, _, &str, String, &String)| Sent {
        form,
        naming,
        exchange: typed(
            exchange(
                "/invocations",
                format!(r#"{{"{key}":{body}}}"#),
                response.clone(),
            ),
            json,
            json,
        ),
    };
    let mut all: Vec<_> = forms.into_iter().map(sent).collect();
    let csv = format!("{}\n{}\n", NAMES.join(","), csv(rows));
    all.push(Sent {
        form: "MLflow, CSV",
        naming: Naming::Names,
        exchange: typed(exchange("/invocations", csv, named), "text/csv", json),
    });
    all
}

fn csv(rows: &[Row]) -> String {
    join(rows, |row| row.written("").join(","), "\n")
}

fn sagemaker(rows: &[Row]) -> Vec<Sent> {
    let path = "/invocations";
    let by_line = join(rows, |row| row.p.to_string(), "\r\n");
    let by_comma = join(rows, |row| row.p.to_string(), ",");
    let lines = "application/jsonlines";
    let sent = |form, naming, exchange| Sent {
        form,
        naming,
        exchange,
    };
    let csv = || csv(rows).replace('\n', "\r\n");
    vec![
        sent(
            "SageMaker, CSV",
            Naming::Places,
            typed(
                exchange(path, csv(), by_line),
                "text/csv",
                "text/csv; charset=utf-8",
            ),
        ),
        sent(
            "SageMaker, CSV answered in one line",
            Naming::Places,
            typed(exchange(path, csv(), by_comma), "text/csv", "text/html"),
        ),
        sent(
            "SageMaker, JSON Lines",
            Naming::Places,
            typed(
                exchange(
                    path,
                    join(rows, Row::list, "\n"),
                    join(rows, |row| row.p.to_string(), "\n"),
                ),
                lines,
                lines,
            ),
        ),
        sent(
            "SageMaker, JSON Lines of names",
            Naming::Names,
            typed(
                exchange(
                    path,
                    join(rows, Row::object, "\n"),
                    answer_objects(rows, "\n"),
                ),
                lines,
                lines,
            ),
        ),
    ]
}

fn torchserve(rows: &[Row]) -> Sent {
    Sent {
        form: "TorchServe",
        naming: Naming::Names,
        exchange: exchange(
            "/predictions/credit/1.0",
            format!(r#"{{"instances":{}}}"#, objects(rows)),
            format!("[{}]", answer_objects(rows, ",")),
        ),
    }
}
