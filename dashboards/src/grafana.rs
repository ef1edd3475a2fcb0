//! The little of Grafana's dashboard model that our pages use, so that every page has a data source
//! variable, unique ids, titles, descriptions, units and a grid without overlaps. It is not a
//! general builder; what a page needs and this lacks is added here, checked by Grafana's own schema.

use serde_json::{Value, json};

/// Version of Grafana's dashboard model, as `@grafana/schema` 13 knows it.
const SCHEMA_VERSION: u32 = 41;
/// Width of Grafana's grid in columns.
const GRID_COLUMNS: u32 = 24;

/// How a panel draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Lines over time.
    TimeSeries,
    /// One number for each series, now.
    Stat,
    /// Coloured bands over time.
    StateTimeline,
}

/// One query of a panel.
#[derive(Clone, Debug)]
pub struct Query {
    /// The expression.
    pub expr: String,
    /// Name of a series, with `{{label}}` for labels.
    pub legend: String,
}

impl Query {
    /// A query with its legend.
    pub fn new(expr: impl Into<String>, legend: impl Into<String>) -> Self {
        Self {
            expr: expr.into(),
            legend: legend.into(),
        }
    }
}

/// A value that is shown as a word in a colour.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The value.
    pub value: usize,
    /// The word.
    pub text: &'static str,
    /// The colour.
    pub color: &'static str,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Title.
    pub title: String,
    /// What it shows and what it cannot tell.
    pub description: String,
    /// How it draws.
    pub drawing: Drawing,
    /// Grafana's id of the unit.
    pub unit: &'static str,
    /// Width in grid columns, at most 24.
    pub width: u32,
    /// Height in grid rows.
    pub height: u32,
    /// Queries.
    pub queries: Vec<Query>,
    /// Values shown as words.
    pub words: Vec<Word>,
    /// Smallest value of the axis.
    pub min: Option<f64>,
    /// Value from which a stat is shown as a problem.
    pub problem_from: Option<f64>,
    /// Series whose legend matches this expression are dashed: levels and thresholds.
    pub dashed: Option<&'static str>,
    /// The variable for each of whose chosen values the panel is repeated.
    pub repeat: Option<&'static str>,
}

impl Panel {
    /// A panel of lines, half a page wide.
    pub fn lines(
        title: impl Into<String>,
        description: impl Into<String>,
        unit: &'static str,
    ) -> Self {
        Self {
            title: title.into(),
            description: description.into(),
            drawing: Drawing::TimeSeries,
            unit,
            width: 12,
            height: 8,
            queries: Vec::new(),
            words: Vec::new(),
            min: None,
            problem_from: None,
            dashed: None,
            repeat: None,
        }
    }

    /// A panel of numbers, a quarter of a page wide.
    pub fn stat(
        title: impl Into<String>,
        description: impl Into<String>,
        unit: &'static str,
    ) -> Self {
        Self {
            drawing: Drawing::Stat,
            width: 6,
            height: 4,
            ..Self::lines(title, description, unit)
        }
    }

    /// A panel of coloured bands, a page wide.
    pub fn states(
        title: impl Into<String>,
        description: impl Into<String>,
        words: Vec<Word>,
    ) -> Self {
        let panel = Self::lines(title, description, "none");
        Self {
            drawing: Drawing::StateTimeline,
            width: GRID_COLUMNS,
            words,
            ..panel
        }
    }

    /// The same with one more query.
    #[must_use]
    pub fn query(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        self.queries.push(Query::new(expr, legend));
        self
    }

    fn to_json(&self, id: usize, x: u32, y: u32) -> Value {
        let targets: Vec<_> = self
            .queries
            .iter()
            .enumerate()
            .map(|(n, query)| self.target(n, query))
            .collect();
        let mut panel = json!({
            "id": id,
            "type": self.kind(),
            "title": self.title,
            "description": self.description,
            "datasource": data_source(),
            "gridPos": { "h": self.height, "w": self.width, "x": x, "y": y },
            "targets": targets,
            "fieldConfig": self.field_config(),
            "options": self.options(),
        });
        if let Some(variable) = self.repeat {
            panel["repeat"] = json!(variable);
            panel["repeatDirection"] = json!("h");
            panel["maxPerRow"] = json!(2);
        }
        panel
    }

    fn target(&self, n: usize, query: &Query) -> Value {
        json!({
            "refId": ref_id(n),
            "datasource": data_source(),
            "expr": query.expr,
            "legendFormat": query.legend,
            "range": self.drawing != Drawing::Stat,
            "instant": self.drawing == Drawing::Stat,
            "editorMode": "code",
        })
    }

    const fn kind(&self) -> &'static str {
        match self.drawing {
            Drawing::TimeSeries => "timeseries",
            Drawing::Stat => "stat",
            Drawing::StateTimeline => "state-timeline",
        }
    }

    fn field_config(&self) -> Value {
        let custom = match self.drawing {
            Drawing::TimeSeries => {
                json!({ "lineWidth": 2, "fillOpacity": 0, "showPoints": "auto", "spanNulls": false })
            }
            Drawing::Stat => json!({}),
            Drawing::StateTimeline => json!({ "lineWidth": 0, "fillOpacity": 80 }),
        };
        let mut steps = vec![json!({ "color": "text", "value": null })];
        steps.extend(
            self.problem_from
                .map(|from| json!({ "color": "orange", "value": from })),
        );
        let mut defaults = json!({
            "unit": self.unit,
            "noValue": "no data",
            "custom": custom,
            "thresholds": { "mode": "absolute", "steps": steps },
        });
        if !self.words.is_empty() {
            defaults["mappings"] =
                json!([{ "type": "value", "options": word_options(&self.words) }]);
        }
        if let Some(min) = self.min {
            defaults["min"] = json!(min);
        }
        json!({ "defaults": defaults, "overrides": self.overrides() })
    }

    fn overrides(&self) -> Value {
        let dashed = self.dashed.map(|legend| {
            json!({
                "matcher": { "id": "byRegexp", "options": legend },
                "properties": [
                    { "id": "custom.lineStyle", "value": { "fill": "dash", "dash": [6, 6] } },
                    { "id": "custom.lineWidth", "value": 1 },
                ],
            })
        });
        Value::Array(dashed.into_iter().collect())
    }

    fn options(&self) -> Value {
        let legend = json!({
            "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [],
        });
        let tooltip = json!({ "mode": "multi", "sort": "desc" });
        match self.drawing {
            Drawing::TimeSeries => json!({ "legend": legend, "tooltip": tooltip }),
            Drawing::Stat => json!({
                "colorMode": "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "showPercentChange": false,
                "textMode": "auto",
                "wideLayout": true,
            }),
            Drawing::StateTimeline => json!({
                "alignValue": "left",
                "legend": legend,
                "mergeValues": true,
                "rowHeight": 0.8,
                "showValue": "auto",
                "tooltip": tooltip,
            }),
        }
    }
}

/// A titled group of panels.
#[derive(Clone, Debug)]
pub struct Row {
    /// Title.
    pub title: &'static str,
    /// Panels, placed from left to right.
    pub panels: Vec<Panel>,
}

/// A variable whose values come from a label.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Name in expressions.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Query of its values.
    pub query: &'static str,
    /// Whether several values can be chosen at once.
    pub multi: bool,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Stable id: part of the page's address.
    pub uid: &'static str,
    /// Title.
    pub title: &'static str,
    /// For whom and for what it is.
    pub description: &'static str,
    /// Variables besides the data source.
    pub variables: Vec<Variable>,
    /// Rows.
    pub rows: Vec<Row>,
}

impl Dashboard {
    /// The page as Grafana imports it, with a line feed at the end.
    pub fn to_text(&self) -> String {
        let mut variables = vec![json!({
            "name": "datasource", "label": "Data source", "type": "datasource",
            "query": "prometheus", "refresh": 1, "includeAll": false, "multi": false,
        })];
        variables.extend(self.variables.iter().map(variable));
        let page = json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["clause9"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": true,
            "graphTooltip": 1,
            "timezone": "utc",
            "time": { "from": "now-6h", "to": "now" },
            "refresh": "30s",
            "templating": { "list": variables },
            "panels": self.panels(),
        });
        format!("{page:#}\n")
    }

    fn panels(&self) -> Vec<Value> {
        let (mut panels, mut y) = (Vec::new(), 0);
        for row in &self.rows {
            panels.push(json!({
                "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false,
                "gridPos": { "h": 1, "w": GRID_COLUMNS, "x": 0, "y": y }, "panels": [],
            }));
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > GRID_COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                panels.push(panel.to_json(panels.len() + 1, x, y));
                x += panel.width;
                tallest = tallest.max(panel.height);
            }
            y += tallest;
        }
        panels
    }
}

fn variable(variable: &Variable) -> Value {
    json!({
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": data_source(),
        "query": { "query": variable.query, "refId": variable.name },
        "refresh": 2,
        "sort": 1,
        "multi": variable.multi,
        "includeAll": variable.multi,
    })
}

fn word_options(words: &[Word]) -> Value {
    let options = words.iter().enumerate().map(|(index, word)| {
        let shown = json!({ "text": word.text, "color": word.color, "index": index });
        (word.value.to_string(), shown)
    });
    Value::Object(options.collect())
}

fn data_source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A, B, C ... as Grafana names queries; a panel has far fewer than 26.
fn ref_id(n: usize) -> String {
    char::from(b'A' + u8::try_from(n % 26).unwrap_or(0)).to_string()
}
