//! Which column is what: a document's features, outputs and attributes found in a table by name.

use clause9_shared::objective::document::{
    AttributeSource, Decision, DecisionRule, LabelType, OutputPath, Outputs, Ranking, Scalar,
};
use clause9_shared::objective::{Document, Feature, FeatureType};

use crate::data::{BadData, Form, Table, bad};

/// Where a row's value is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In this column of a batch.
    Batch(usize),
    /// In this column of the labels that are joined by id.
    Joined(usize),
}

/// What stands between the names of attributes that are taken together.
pub(crate) const CROSS: &str = " & ";

/// Looks columns up and collects what is to be read.
pub(crate) struct Finder<'a> {
    pub(crate) table: &'a Table,
    pub(crate) labels: Option<&'a Table>,
    /// What is read of the table.
    pub(crate) wanted: Vec<(usize, Form)>,
    /// What is read of the labels.
    pub(crate) joined: Vec<(usize, Form)>,
    /// What each found column is taken for, for the report: table column and words.
    pub(crate) taken: Vec<(Source, usize, String)>,
}

impl<'a> Finder<'a> {
    pub(crate) const fn new(table: &'a Table, labels: Option<&'a Table>) -> Self {
        Self {
            table,
            labels,
            wanted: Vec::new(),
            joined: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// The first of these names that is a column. `what` says of the first name why it is wanted.
    pub(crate) fn find(
        &mut self,
        names: &[&str],
        form: Form,
        role: &str,
        what: &str,
    ) -> anyhow::Result<Source> {
        if let Some(found) = self.maybe(names, form, role)? {
            return Ok(found);
        }
        let wanted = names.first().copied().unwrap_or_default();
        match (self.table.column(wanted, what), self.labels) {
            (Err(error), Some(labels)) => match error.downcast::<BadData>() {
                Ok(BadData(message)) => bad(format!(
                    "{message}; and in {}: {}",
                    labels.name,
                    labels.listed()
                )),
                Err(error) => Err(error),
            },
            (Err(error), None) => Err(error),
            (Ok(_), _) => bad(format!(
                "{}: column `{wanted}` cannot be read",
                self.table.name
            )),
        }
    }

    /// The first of these names that is a column, if one is.
    pub(crate) fn maybe(
        &mut self,
        names: &[&str],
        form: Form,
        role: &str,
    ) -> anyhow::Result<Option<Source>> {
        for name in names {
            if self.table.position(name).is_some() {
                // Two of that name are an error.
                let index = self.table.column(name, "")?;
                self.wanted.push((index, form));
                let source = Source::Batch(self.wanted.len() - 1);
                self.taken.push((source, index, role.to_owned()));
                return Ok(Some(source));
            }
        }
        let Some(labels) = self.labels else {
            return Ok(None);
        };
        for name in names {
            if labels.position(name).is_some() {
                let index = labels.column(name, "")?;
                self.joined.push((index, form));
                let source = Source::Joined(self.joined.len() - 1);
                self.taken.push((source, index, role.to_owned()));
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// The column of a feature: of its name, else the one that `from.input` names.
    pub(crate) fn feature(&mut self, feature: &Feature) -> anyhow::Result<Source> {
        let from = feature.from.output.as_ref().unwrap_or(&feature.from.input);
        let mut names = Vec::new();
        // A number of a text has no column of its own.
        if feature.text.is_none() {
            names.push(feature.name.as_str());
        }
        if feature.from.column == 0 || names.is_empty() {
            names.push(from);
        }
        let what = ", which is a feature of the objectives file";
        let role = format!("feature {}", feature.name);
        self.find(&names, form_of(feature), &role, what)
    }
}

/// The form in which a feature's values are read.
pub(crate) const fn form_of(feature: &Feature) -> Form {
    match (feature.text, feature.kind) {
        (None, FeatureType::Numeric) => Form::Number,
        (Some(_), _) | (None, FeatureType::Categorical) => Form::Text,
    }
}

/// The form in which values are read that are compared with documented ones: texts stay texts.
pub(crate) fn form_like(values: &[&Scalar]) -> Form {
    let is_text = |value: &&Scalar| match value {
        Scalar::Text(_) => true,
        Scalar::Number(_) | Scalar::Bool(_) => false,
    };
    if values.iter().any(is_text) {
        Form::Text
    } else {
        Form::Any
    }
}

/// A tensor that a model would have been sent or would have answered with, and where the values of
/// each of its columns are found (of a column that nobody reads: nowhere).
#[derive(Debug)]
pub(crate) struct TensorSource {
    pub(crate) name: Box<str>,
    pub(crate) columns: Vec<Option<Source>>,
}

/// Everything that counting reads.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) inputs: Vec<TensorSource>,
    pub(crate) outputs: Vec<TensorSource>,
    pub(crate) label: Option<Source>,
    /// Attributes that come with outcomes, in the document's order among all attributes.
    pub(crate) late: Vec<(usize, Source)>,
    pub(crate) id: Option<Source>,
    pub(crate) time: Option<Source>,
}

/// The column of a class's score, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassScore {
    /// The class.
    pub(crate) class: String,
    /// The column.
    pub(crate) column: String,
}

impl std::str::FromStr for ClassScore {
    type Err = &'static str;

    /// Reads `CLASS=COLUMN`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((class, column)) if !class.is_empty() && !column.is_empty() => Ok(Self {
                class: class.to_owned(),
                column: column.to_owned(),
            }),
            Some(_) | None => Err("write a class and the column of its score, as car=p_car"),
        }
    }
}

/// Whether a documented class is the one that was said, be it a number written in another way.
pub(crate) fn is_class(class: &Scalar, said: &str) -> bool {
    class.to_string() == said
        || match class {
            Scalar::Number(x) => said.parse() == Ok(*x),
            Scalar::Text(_) | Scalar::Bool(_) => false,
        }
}

/// Names given on the command line; what is not given goes by the document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Named<'a> {
    pub(crate) score: Option<&'a str>,
    pub(crate) decision: Option<&'a str>,
    pub(crate) class_scores: &'a [ClassScore],
    pub(crate) prediction: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
}

/// The name given, or else these.
fn or<'a>(given: Option<&'a str>, defaults: &[&'a str]) -> Vec<&'a str> {
    given.map_or_else(|| defaults.to_vec(), |name| vec![name])
}

impl Sources {
    /// Finds what a document reads. What is missing is an error that lists the columns there are;
    /// only the label may be missing, if nobody named it.
    pub(crate) fn find(
        document: &Document,
        finder: &mut Finder<'_>,
        named: Named<'_>,
    ) -> anyhow::Result<Self> {
        let mut sources = Self::default();
        for feature in &document.features {
            let (tensors, tensor) = match &feature.from.output {
                None => (&mut sources.inputs, &feature.from.input),
                Some(output) => (&mut sources.outputs, output),
            };
            if feature.text.is_some() && has(tensors, tensor, feature.from.column) {
                continue;
            }
            let found = finder.feature(feature)?;
            put(tensors, tensor, feature.from.column, found);
        }
        for (index, attribute) in document.attributes.iter().enumerate() {
            let mut names = vec![attribute.name.as_str()];
            if let AttributeSource::Request(path) = &attribute.from {
                names.extend((path.column == 0).then_some(path.input.as_str()));
            }
            let what = ", which is an attribute of the objectives file";
            let role = format!("attribute {}", attribute.name);
            match &attribute.from {
                AttributeSource::Request(path)
                    if has(&sources.inputs, &path.input, path.column) => {}
                AttributeSource::Request(path) => {
                    let found = finder.find(&names, Form::Text, &role, what)?;
                    put(&mut sources.inputs, &path.input, path.column, found);
                }
                AttributeSource::Outcome => {
                    let found = finder.find(&names, Form::Text, &role, what)?;
                    sources.late.push((index, found));
                }
                // It follows from its parts.
                AttributeSource::Parts => {}
            }
        }
        sources.find_outputs(document, finder, named)?;
        if let Some(id) = named.id {
            sources.id = Some(finder.find(&[id], Form::Text, "id", ", which was given as --id")?);
        }
        if let Some(time) = named.timestamp {
            let what = ", which was given as --timestamp";
            sources.time = Some(finder.find(&[time], Form::Time, "timestamp", what)?);
        }
        Ok(sources)
    }

    fn find_outputs(
        &mut self,
        document: &Document,
        finder: &mut Finder<'_>,
        named: Named<'_>,
    ) -> anyhow::Result<()> {
        let outputs = &document.outputs;
        if let Some(score) = &outputs.score {
            let names = or(named.score, &[score.from.output.as_str(), "score"]);
            let what = " for the score; name it with --score";
            let found = finder.find(&names, Form::Number, "score", what)?;
            put(
                &mut self.outputs,
                &score.from.output,
                score.from.column,
                found,
            );
        }
        if let Some(decision) = &outputs.decision {
            let read = match &decision.rule {
                DecisionRule::ScoreAtLeast(_) => None,
                DecisionRule::Output { from, positive } => Some((from, form_like(&[positive]))),
                DecisionRule::Class { from, classes, .. } => {
                    Some((from, form_like(&classes.iter().collect::<Vec<_>>())))
                }
            };
            if let Some((from, form)) = read {
                let names = or(named.decision, &[from.output.as_str(), "decision"]);
                let what = " for the decision; name it with --decision";
                let found = finder.find(&names, form, "decision", what)?;
                put(&mut self.outputs, &from.output, from.column, found);
            }
        }
        match &outputs.decision {
            Some(decision) => self.find_class_scores(decision, finder, named.class_scores)?,
            None => none_scored(named.class_scores)?,
        }
        if let Some(value) = &outputs.value {
            let names = or(
                named.prediction,
                &[value.from.output.as_str(), "prediction"],
            );
            let what = " for the predicted number; name it with --prediction";
            let found = finder.find(&names, Form::Number, "prediction", what)?;
            put(
                &mut self.outputs,
                &value.from.output,
                value.from.column,
                found,
            );
        }
        if let Some(ranking) = &outputs.ranking {
            self.find_list(ranking, finder, named)?;
        }
        if let Some(form) = label_form(outputs) {
            self.label = match named.label {
                Some(name) => {
                    Some(finder.find(&[name], form, "label", ", which was given as --label")?)
                }
                None => finder.maybe(&["label"], form, "label")?,
            };
        }
        Ok(())
    }

    /// One column for the score of each class: the one that is named, or else of the output's name with the
    /// class's, or with its column.
    fn find_class_scores(
        &mut self,
        decision: &Decision,
        finder: &mut Finder<'_>,
        named: &[ClassScore],
    ) -> anyhow::Result<()> {
        let (Some(OutputPath { output, column }), Some(classes)) =
            (decision.class_scores(), decision.classes())
        else {
            return none_scored(named);
        };
        let unknown =
            |said: &&ClassScore| !classes.iter().any(|known| is_class(known, &said.class));
        if let Some(said) = named.iter().find(unknown) {
            let listed: Vec<String> = classes.iter().map(ToString::to_string).collect();
            return bad(format!(
                "--class-score {}={} names no class of the decision; there are: {}",
                said.class,
                said.column,
                listed.join(", ")
            ));
        }
        for (at, class) in (*column..).zip(classes) {
            let own = [format!("{output}.{class}"), format!("{output}.{at}")];
            let given = named.iter().find(|said| is_class(class, &said.class));
            let names = or(given.map(|said| said.column.as_str()), &[&own[0], &own[1]]);
            let what = format!(" for the score of class `{class}`");
            let role = format!("score of {class}");
            let found = finder.find(&names, Form::Number, &role, &what)?;
            put(&mut self.outputs, output, at, found);
        }
        Ok(())
    }

    /// The column that holds a ranked list as one text, or one column for each of its places.
    fn find_list(
        &mut self,
        ranking: &Ranking,
        finder: &mut Finder<'_>,
        named: Named<'_>,
    ) -> anyhow::Result<()> {
        let OutputPath { output, column } = &ranking.from;
        let role = "ranked list";
        if named.prediction.is_none() && finder.table.position(output).is_none() {
            let mut places = 0;
            for place in 0..ranking.at {
                let at = column.saturating_add(place);
                let name = format!("{output}.{at}");
                let Some(found) = finder.maybe(&[&name], Form::Text, role)? else {
                    break;
                };
                put(&mut self.outputs, output, at, found);
                places += 1;
            }
            if places > 0 {
                return Ok(());
            }
        }
        let names = or(named.prediction, &[output, "items"]);
        let what = " for the ranked list; name it with --prediction, or name one column for each place, as `items.0`";
        let found = finder.find(&names, Form::Text, role, what)?;
        put(&mut self.outputs, output, *column, found);
        Ok(())
    }
}

/// Refuses columns of scores that were named for a document that reads none.
fn none_scored(named: &[ClassScore]) -> anyhow::Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    bad(
        "--class-score is for decisions among classes with a score of each; the objectives file names none: add `scores` beside `classes`",
    )
}

/// The form in which a document's labels are read, if it has labels.
pub(crate) fn label_form(outputs: &Outputs) -> Option<Form> {
    let label = outputs.label.as_ref()?;
    Some(match label.kind {
        LabelType::Binary => {
            let values: Vec<&Scalar> = label.positive.iter().chain(&label.negative).collect();
            form_like(&values)
        }
        LabelType::Class => {
            let classes = outputs.decision.as_ref().and_then(|d| d.classes());
            form_like(&classes.unwrap_or_default().iter().collect::<Vec<_>>())
        }
        LabelType::Numeric => Form::Number,
        LabelType::Relevance => Form::Text,
    })
}

fn has(tensors: &[TensorSource], name: &str, column: u32) -> bool {
    let column = usize::try_from(column).unwrap_or(usize::MAX);
    let tensor = tensors.iter().find(|t| *t.name == *name);
    tensor.is_some_and(|t| t.columns.get(column).is_some_and(Option::is_some))
}

fn put(tensors: &mut Vec<TensorSource>, name: &str, column: u32, source: Source) {
    let column = usize::try_from(column).unwrap_or(usize::MAX);
    let place = tensors.iter().position(|t| *t.name == *name);
    let place = place.unwrap_or_else(|| {
        tensors.push(TensorSource {
            name: name.into(),
            columns: Vec::new(),
        });
        tensors.len() - 1
    });
    let columns = &mut tensors[place].columns;
    // A document may name column four thousand million; nothing is read of those between.
    if columns.len() <= column && column < crate::data::MAX_COLUMNS {
        columns.resize(column + 1, None);
    }
    if let Some(slot @ None) = columns.get_mut(column) {
        *slot = Some(source);
    }
}
