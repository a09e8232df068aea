//! Line charts as SVG: axes with round ticks, lines with bands, a legend, hover titles. Colours are CSS classes, so that they follow the page's scheme.
//!
//! Does not place labels on lines and knows no logarithmic axes.

use maud::{Markup, html};

/// Width of every chart in pixels.
pub(super) const WIDTH: f64 = 420.0;
/// Height of a chart of lines, and margins: left, right, top, bottom.
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = 42.0;
/// Lines that have a colour of their own.
pub(super) const COLOURS: usize = 8;

/// A point of a line, with its interval where there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Half the width of its interval.
    pub(super) half: Option<f64>,
}

/// A line and its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) dots: Vec<Dot>,
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) lines: Vec<Line>,
    /// Bounds of the y axis where the quantity has them.
    pub(super) bounds: Option<(f64, f64)>,
}

/// Four to eleven round numbers that span `low..=high`: steps of 1, 2 or 5 times a power of ten.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let (low, high) = if high - low > 1e-12 { (low, high) } else { (low - 0.5, high + 0.5) };
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999).unwrap_or(10.0 * power);
    let first = (low / step + 1e-9).floor() as i64;
    let last = (high / step - 1e-9).ceil() as i64;
    (first..=last.min(first + 20)).map(|i| i as f64 * step).collect()
}

/// A number with as many decimals as tell it apart, three significant ones at most.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - size.log10().floor()).clamp(0.0, 5.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// The chart, or nothing when no line has a point.
pub(super) fn draw(chart: &Chart) -> Option<Markup> {
    let dots = || chart.lines.iter().flat_map(|l| &l.dots).filter(|d| d.x.is_finite() && d.y.is_finite());
    dots().next()?;
    let least = |f: fn(&Dot) -> f64| dots().map(f).fold(f64::INFINITY, f64::min);
    let most = |f: fn(&Dot) -> f64| dots().map(f).fold(f64::NEG_INFINITY, f64::max);
    let mut xs = ticks(least(|d| d.x), most(|d| d.x));
    if dots().all(|d| d.x.fract() == 0.0) {
        // Turns and steps are counted: there is nothing between two of them.
        xs.retain(|x| (x - x.round()).abs() < 1e-9);
    }
    let (low, high) = chart.bounds.unwrap_or((least(|d| d.y), most(|d| d.y)));
    let ys = ticks(low, high);
    let ends = |t: &[f64]| (t.first().copied().unwrap_or(0.0), t.last().copied().unwrap_or(1.0));
    let (x0, x1) = (least(|d| d.x), most(|d| d.x).max(least(|d| d.x) + 1e-9));
    let (y0, y1) = ends(&ys);
    let at_x = |x: f64| LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
    let at_y = |y: f64| HEIGHT - BOTTOM - (y.clamp(y0, y1) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);
    let path = |points: Vec<(f64, f64)>| {
        points.iter().map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y))).collect::<Vec<_>>().join(" ")
    };
    let many = chart.lines.iter().any(|l| l.dots.len() > 12);
    Some(html! {
        figure.chart {
            figcaption { (chart.title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(chart.title) {
                @for y in &ys {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(format!("{:.1}", at_y(*y))) y2=(format!("{:.1}", at_y(*y))) {}
                    text.tick x=(LEFT - 6.0) y=(format!("{:.1}", at_y(*y) + 4.0)) text-anchor="end" { (short(*y)) }
                }
                @for x in xs.iter().filter(|x| **x >= x0 - 1e-9 && **x <= x1 + 1e-9) {
                    text.tick x=(format!("{:.1}", at_x(*x))) y=(HEIGHT - BOTTOM + 16.0) text-anchor="middle" { (short(*x)) }
                }
                text.axis x=((LEFT + WIDTH - RIGHT) / 2.0) y=(HEIGHT - 6.0) text-anchor="middle" { (chart.x) }
                text.axis x="12" y=((HEIGHT - BOTTOM) / 2.0) text-anchor="middle"
                    transform=(format!("rotate(-90 12 {})", (HEIGHT - BOTTOM) / 2.0)) { (chart.y) }
                @for (i, line) in chart.lines.iter().enumerate() {
                    @let dots: Vec<&Dot> = line.dots.iter().filter(|d| d.y.is_finite()).collect();
                    @if dots.len() > 1 && dots.iter().all(|d| d.half.is_some()) {
                        @let upper = dots.iter().map(|d| (d.x, d.y + d.half.unwrap_or(0.0)));
                        @let lower = dots.iter().rev().map(|d| (d.x, d.y - d.half.unwrap_or(0.0)));
                        polygon class=(format!("band c{}", i % COLOURS)) points=(path(upper.chain(lower).collect())) {}
                    }
                    polyline class=(format!("line{} c{}", if many { " thin" } else { "" }, i % COLOURS)) points=(path(dots.iter().map(|d| (d.x, d.y)).collect())) {
                        title { (line.name) }
                    }
                    @if !many || dots.len() == 1 {
                        @for d in &dots {
                            circle class=(format!("dot c{}", i % COLOURS)) r="3" cx=(format!("{:.1}", at_x(d.x))) cy=(format!("{:.1}", at_y(d.y))) {
                                title {
                                    (line.name) ": " (chart.y) " " (short(d.y))
                                    @if let Some(half) = d.half { " ± " (short(half)) }
                                    " at " (chart.x) " " (short(d.x))
                                }
                            }
                        }
                    }
                }
            }
            @if chart.lines.len() > 1 {
                @let lines = chart.lines.iter().enumerate().filter(|(_, line)| !line.dots.is_empty());
                (legend(lines.map(|(colour, line)| (colour, line.name.as_str()))))
            }
        }
    })
}

/// Names beside the numbers of their colours.
pub(super) fn legend<'a>(names: impl Iterator<Item = (usize, &'a str)>) -> Markup {
    html! {
        ul.legend {
            @for (colour, name) in names {
                li { span class=(format!("key c{}", colour % COLOURS)) {} (name) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_span_the_values() {
        assert_eq!(ticks(0.0, 100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(1.0, 5.0), [1.0, 2.0, 3.0, 4.0, 5.0]);
        // Widened to 2.5..3.5, in fifths.
        let alone = ticks(3.0, 3.0);
        assert_eq!(alone.len(), 7);
        assert!((alone[0] - 2.4).abs() < 1e-9 && (alone[6] - 3.6).abs() < 1e-9, "{alone:?}");
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.123_456_789, 12.5, 640.0, 1.25e-7, 2.5e7].map(short);
        assert_eq!(texts, ["0", "0.123", "12.5", "640", "1.2e-7", "2.5e7"]);
    }

    #[test]
    fn a_line_goes_from_corner_to_corner_and_its_name_is_escaped() {
        let dots = [(0.0, 0.0), (10.0, 100.0)].map(|(x, y)| Dot { x, y, half: None }).to_vec();
        let line = Line { name: "<b>".into(), dots };
        let chart = Chart { title: "t".into(), x: "x".into(), y: "y".into(), lines: vec![line], bounds: None };
        let svg = draw(&chart).unwrap().into_string();
        assert!(svg.contains("points=\"64.0,208.0 408.0,12.0\""), "{svg}");
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"), "{svg}");
        assert!(draw(&Chart { lines: vec![], ..chart }).is_none());
    }

    #[test]
    fn what_is_counted_has_whole_ticks() {
        let chart = |last: f64| {
            let dots = [(1.0, 0.0), (last, 1.0)].map(|(x, y)| Dot { x, y, half: None }).to_vec();
            let lines = vec![Line { name: "a".into(), dots }];
            draw(&Chart { title: "t".into(), x: "turn".into(), y: "y".into(), lines, bounds: None })
                .unwrap()
                .into_string()
        };
        assert!(chart(3.0).contains(">2</text>") && !chart(3.0).contains(">1.5</text>"));
        assert!(chart(2.5).contains(">1.5</text>"));
    }
}
