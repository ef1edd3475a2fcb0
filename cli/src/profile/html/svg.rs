//! Plots as inline SVG: a frame with two scales and what is drawn in it. Shares and values are data;
//! colours come from the page's style.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped};

/// Width and height of a plot's drawing, in its own units.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 210.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;
/// How far lines of names stand apart, and most of them.
const LINE: f64 = 13.0;
const LINES: usize = 5;
/// Most letters of a name.
const LONGEST: usize = 16;

/// A plot in the making.
pub(super) struct Plot {
    out: String,
    x: (f64, f64),
    y: (f64, f64),
    label: String,
    /// Room for lines of names below the drawing.
    below: f64,
}

/// A text as it may stand in SVG.
pub(super) fn escaped(text: &str) -> String {
    maud::html! { (text) }.into_string()
}

/// A number in few digits.
pub(super) fn short(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let size = x.abs();
    let text = if !(1e-3..1e6).contains(&size) {
        return format!("{x:.1e}");
    } else if size >= 100.0 {
        format!("{x:.0}")
    } else if size >= 1.0 {
        format!("{x:.2}")
    } else {
        format!("{x:.3}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Round numbers within a range, three to six of them: multiples of 1, 2 or 5 times a power of ten.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let first = libm::ceil(low / step - 1e-9);
    let ticks = (0..8).map(|i| (first + f64::from(i)) * step);
    // What should be zero is not the rest of a subtraction.
    let ticks = ticks.map(|x| if x.abs() < step * 1e-9 { 0.0 } else { x });
    ticks.filter(|x| *x <= high + step * 1e-9).collect()
}

impl Plot {
    /// An empty plot over two ranges; `label` says what it shows to those who do not see it.
    pub(super) fn new(x: (f64, f64), y: (f64, f64), label: &str) -> Self {
        let wide = |(low, high): (f64, f64)| {
            if high > low {
                (low, high)
            } else {
                (low - 0.5, low + 0.5)
            }
        };
        Self {
            out: String::new(),
            x: wide(x),
            y: wide(y),
            label: escaped(label),
            below: 0.0,
        }
    }

    fn px(&self, x: f64) -> f64 {
        let share = ((x - self.x.0) / (self.x.1 - self.x.0)).clamp(-0.02, 1.02);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        let share = ((y - self.y.0) / (self.y.1 - self.y.0)).clamp(-0.02, 1.02);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Lines and numbers along the vertical scale.
    pub(super) fn y_ticks(&mut self) -> &mut Self {
        for y in ticks(self.y) {
            let at = self.py(y);
            let line = format!(
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 5.0,
                at + 4.0,
                short(y)
            );
            self.put(&line);
        }
        self
    }

    /// Numbers along the horizontal scale.
    pub(super) fn x_ticks(&mut self) -> &mut Self {
        let ticks: Vec<_> = ticks(self.x).into_iter().map(|x| (x, short(x))).collect();
        self.x_names(&ticks)
    }

    /// Words along the horizontal scale, as many as fit with room between them.
    pub(super) fn x_names(&mut self, names: &[(f64, String)]) -> &mut Self {
        self.x_names_on(names, 1)
    }

    /// The same on several lines in turn, so that neighbours of some length all fit. There is no room for a
    /// title below them.
    pub(super) fn x_names_staggered(&mut self, names: &[(f64, String)]) -> &mut Self {
        self.x_names_on(names, LINES)
    }

    fn x_names_on(&mut self, names: &[(f64, String)], most: usize) -> &mut Self {
        let longest = names
            .iter()
            .map(|(_, n)| n.chars().count())
            .max()
            .unwrap_or(1);
        let fit =
            ((WIDTH - LEFT - RIGHT) / ((longest.clamp(3, LONGEST) + 2) as f64 * 6.5)).max(1.0);
        // No more lines than it takes.
        let lines = (1..most).find(|lines| names.len() as f64 <= fit * *lines as f64);
        let lines = lines.unwrap_or(most);
        self.below = (LINE * lines as f64 - 2.0 * LINE).max(0.0);
        let step = (names.len() as f64 / (fit * lines as f64)).ceil().max(1.0);
        let shown = names.iter().enumerate();
        let shown = shown.filter(|(i, _)| (*i as f64) % step == 0.0);
        for (place, (_, (x, name))) in shown.enumerate() {
            let name = if name.chars().count() > LONGEST {
                name.chars().take(LONGEST - 1).chain(['…']).collect()
            } else {
                name.clone()
            };
            let text = format!(
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                self.px(*x),
                HEIGHT - BOTTOM + 15.0 + LINE * (place % lines) as f64,
                escaped(&name)
            );
            self.put(&text);
        }
        self
    }

    /// What the horizontal scale is of.
    pub(super) fn x_title(&mut self, title: &str) -> &mut Self {
        let text = format!(
            r#"<text class="name" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - RIGHT,
            HEIGHT - 3.0,
            escaped(title)
        );
        self.put(&text);
        self
    }

    /// A line through points.
    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) -> &mut Self {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let word = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{word}{:.1} {:.1}", self.px(*x), self.py(*y));
        }
        let text = format!(r#"<path class="{class}" d="{path}"/>"#);
        self.put(&text);
        self
    }

    /// A bar from the foot of the scale.
    pub(super) fn bar(&mut self, class: &str, x: (f64, f64), y: f64, title: &str) -> &mut Self {
        let (left, right) = (self.px(x.0), self.px(x.1));
        let (top, foot) = (self.py(y), self.py(self.y.0));
        let text = format!(
            r#"<rect class="{class}" x="{left:.1}" width="{:.1}" y="{top:.1}" height="{:.1}"><title>{}</title></rect>"#,
            (right - left).max(0.5),
            (foot - top).max(0.0),
            escaped(title)
        );
        self.put(&text);
        self
    }

    /// A value with its interval.
    pub(super) fn value(
        &mut self,
        x: f64,
        y: f64,
        interval: Option<(f64, f64)>,
        title: &str,
    ) -> &mut Self {
        let at = self.px(x);
        if let Some((low, high)) = interval {
            let text = format!(
                r#"<line class="interval" x1="{at:.1}" x2="{at:.1}" y1="{:.1}" y2="{:.1}"/>"#,
                self.py(low),
                self.py(high)
            );
            self.put(&text);
        }
        let text = format!(
            r#"<circle class="value" cx="{at:.1}" cy="{:.1}" r="3"><title>{}</title></circle>"#,
            self.py(y),
            escaped(title)
        );
        self.put(&text);
        self
    }

    /// A level across the whole plot, with its name.
    pub(super) fn level(&mut self, class: &str, y: f64, name: &str) -> &mut Self {
        let at = self.py(y);
        let text = format!(
            r#"<line class="level {class}" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text class="{class}" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - RIGHT,
            WIDTH - RIGHT - 2.0,
            at - 4.0,
            escaped(name)
        );
        self.put(&text);
        self
    }

    /// The drawing.
    pub(super) fn finish(&self) -> Markup {
        PreEscaped(format!(
            r#"<svg class="chart" viewBox="0 0 {WIDTH} {:.0}" role="img" aria-label="{}">{}<line class="axis" x1="{LEFT}" x2="{:.1}" y1="{:.1}" y2="{:.1}"/></svg>"#,
            HEIGHT + self.below,
            self.label,
            self.out,
            WIDTH - RIGHT,
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM
        ))
    }
}
