//! Figures for people: horizontal bars on a logarithmic scale, as an SVG file.

use std::fmt::Write as _;

/// A bar, with the group under which it stands.
pub struct Bar {
    /// Bars of one group stand together under this.
    pub group: String,
    /// What it is of.
    pub name: String,
    /// Its length, above zero.
    pub value: f64,
    /// Whether it is one of ours.
    pub ours: bool,
}

const WIDTH: f64 = 760.0;
const LABEL: f64 = 210.0;
const ROW: f64 = 22.0;

/// The bars, in their order, under a title that names their unit.
pub fn svg(title: &str, bars: &[Bar]) -> String {
    let least = bars.iter().map(|bar| bar.value).fold(f64::INFINITY, f64::min) / 2.0;
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let room = WIDTH - LABEL - 80.0;
    let length = |value: f64| (value / least).ln() / (most / least).ln() * room;
    let mut y = 44.0;
    let mut body = String::new();
    let mut group = "";
    for bar in bars {
        if bar.group != group {
            group = &bar.group;
            y += 12.0;
            let _ = writeln!(
                body,
                r#"<text x="8" y="{:.0}" font-weight="bold">{}</text>"#,
                y,
                escaped(group)
            );
            y += 8.0;
        }
        let colour = if bar.ours { "#2a7" } else { "#89a" };
        let (end, text) = (LABEL + length(bar.value), y + 15.0);
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABEL}\" y=\"{:.0}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{text:.0}\">{:.1}</text>",
            LABEL - 8.0,
            escaped(&bar.name),
            y + 2.0,
            length(bar.value),
            end + 6.0,
            bar.value
        );
        y += ROW;
    }
    let height = y + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"24\" font-size=\"16\">{}</text>\n{body}</svg>\n",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
