//! Grouped horizontal bars as SVG: a group a category, a bar a series, with ticks, a legend and hover titles. Colours as in line charts.

use super::plot::{BOTTOM, COLOURS, WIDTH, legend, short, ticks};
use maud::{Markup, html};

/// Room for the categories' names, margins, and heights of a bar and between groups, in pixels.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 8.0;
const BAR: f64 = 7.0;
const GAP: f64 = 7.0;

/// A chart of bars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    pub(super) title: String,
    pub(super) x: String,
    /// The number of each series' colour, and its name.
    pub(super) series: Vec<(usize, String)>,
    /// Categories, each with a value a series, from 0.
    pub(super) groups: Vec<(String, Vec<f64>)>,
}

/// The chart, or nothing without a group.
pub(super) fn draw_bars(chart: &Bars) -> Option<Markup> {
    let most = chart.groups.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
    if chart.groups.is_empty() || most <= 0.0 {
        return None;
    }
    let xs = ticks(0.0, most);
    let end = xs.last().copied().unwrap_or(1.0);
    let at_x = |x: f64| LEFT + x.clamp(0.0, end) / end * (WIDTH - LEFT - RIGHT);
    let group = BAR * chart.series.len() as f64 + GAP;
    let bottom = TOP + group * chart.groups.len() as f64;
    let height = bottom + BOTTOM;
    Some(html! {
        figure.chart {
            figcaption { (chart.title) }
            svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label=(chart.title) {
                @for x in &xs {
                    line.grid x1=(format!("{:.1}", at_x(*x))) x2=(format!("{:.1}", at_x(*x))) y1=(TOP) y2=(format!("{bottom:.1}")) {}
                    text.tick x=(format!("{:.1}", at_x(*x))) y=(format!("{:.1}", bottom + 16.0)) text-anchor="middle" { (short(*x)) }
                }
                text.axis x=((LEFT + WIDTH - RIGHT) / 2.0) y=(format!("{:.1}", height - 6.0)) text-anchor="middle" { (chart.x) }
                @for (row, (name, values)) in chart.groups.iter().enumerate() {
                    @let top = TOP + group * row as f64 + GAP / 2.0;
                    text.tick x=(LEFT - 6.0) y=(format!("{:.1}", top + (group - GAP) / 2.0 + 4.0)) text-anchor="end" { (name) }
                    @for (i, (value, (colour, series))) in values.iter().zip(&chart.series).enumerate() {
                        rect class=(format!("share c{}", colour % COLOURS)) x=(LEFT) y=(format!("{:.1}", top + BAR * i as f64))
                            width=(format!("{:.1}", at_x(*value) - LEFT)) height=(BAR - 1.0) {
                            title { (series) ": " (name) " " (short(*value)) }
                        }
                    }
                }
            }
            (legend(chart.series.iter().map(|(colour, name)| (*colour, name.as_str()))))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_names_are_escaped() {
        let chart = Bars {
            title: "t".into(),
            x: "x".into(),
            series: vec![(0, "<a>".into()), (3, "b".into())],
            groups: vec![("one".into(), vec![0.5, 1.0]), ("two".into(), vec![0.0, 0.25])],
        };
        let svg = draw_bars(&chart).unwrap().into_string();
        // 312 pixels for 1.
        let widths: Vec<&str> = svg.split(" width=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(widths, ["156.0", "312.0", "0.0", "78.0"]);
        assert_eq!(svg.matches("share c3").count(), 2);
        assert!(svg.contains("&lt;a&gt;: one 0.5") && !svg.contains("<a>"), "{svg}");
        assert!(draw_bars(&Bars { groups: vec![], ..chart }).is_none());
    }
}
