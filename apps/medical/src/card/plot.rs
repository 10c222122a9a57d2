//! Small drawings of a page, as SVG.

use std::fmt::Write;

use foretell_insight::explanation::{Curves, Point};
use foretell_media::draw::{ColourMap, DrawError, contours};

use super::markup::Text;
use super::{Mask, words};

/// The colours of heat maps: blue speaks against a class, orange for it.
pub(super) const HEAT_COLOURS: ColourMap = ColourMap::Diverging;

/// A bar from 0 to 1, with a mark where it is decided.
pub(super) fn bar(value: f64, mark: Option<f64>) -> String {
    const WIDTH: f64 = 200.0;
    let place = |value: f64| value.clamp(0.0, 1.0) * WIDTH;
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {WIDTH} 16\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
         <rect class=\"track\" width=\"{WIDTH}\" height=\"16\"/><rect class=\"fill\" width=\"{:.2}\" height=\"16\"/>",
        Text(&words::probability(value)),
        place(value)
    );
    if let Some(mark) = mark {
        let x = place(mark);
        let _ = write!(svg, "<line class=\"mark\" x1=\"{x:.2}\" x2=\"{x:.2}\" y1=\"0\" y2=\"16\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// The borders of all classes of a mask, to be laid over an image of any size.
pub(super) fn outlines(mask: &Mask) -> Result<String, DrawError> {
    // Coordinates are shares of this side, with a hundredth as the smallest step.
    const SIDE: f32 = 1000.0;
    let mut path = String::new();
    for (class, _) in mask.foreground() {
        for ring in contours(&mask.classes, mask.height, mask.width, class)? {
            for (number, (x, y)) in ring.iter().enumerate() {
                let step = if number == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{step}{:.2} {:.2}", x * SIDE, y * SIDE);
            }
            path.push('Z');
        }
    }
    Ok(format!(
        "<svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <path class=\"outline\" d=\"{path}\"/></svg>"
    ))
}

/// What the colours of a heat map mean: from what speaks against `label` to what speaks for it, with the value that has the
/// strongest colour at both ends. `name` is an identifier that no other scale of the page has.
pub(super) fn scale(name: &str, label: &str, full: f32) -> String {
    const STOPS: usize = 8;
    let mut stops = String::new();
    for number in 0..=STOPS {
        let share = number as f32 / STOPS as f32;
        let [red, green, blue] = HEAT_COLOURS.colour(share);
        let _ = write!(stops, "<stop offset=\"{share}\" stop-color=\"rgb({red},{green},{blue})\"/>");
    }
    let full = number(f64::from(full));
    let (against, in_favour) = (format!("against {label}"), format!("for {label}"));
    let (against, in_favour) = (Text(&against), Text(&in_favour));
    format!(
        "<svg class=\"scale\" viewBox=\"0 0 400 46\" role=\"img\" aria-label=\"colours of the heat map\">\
         <defs><linearGradient id=\"{name}\">{stops}</linearGradient></defs>\
         <rect x=\"1\" y=\"16\" width=\"398\" height=\"12\" fill=\"url(#{name})\"/>\
         <text x=\"1\" y=\"11\">{against}</text><text x=\"200\" y=\"11\" text-anchor=\"middle\">nothing</text>\
         <text x=\"399\" y=\"11\" text-anchor=\"end\">{in_favour}</text>\
         <text x=\"1\" y=\"42\">-{full}</text><text x=\"200\" y=\"42\" text-anchor=\"middle\">0</text>\
         <text x=\"399\" y=\"42\" text-anchor=\"end\">+{full}</text></svg>"
    )
}

/// A number with three digits that count.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (0.001..10_000.0).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.1e}")
    }
}

/// Where a plot has its axes, in the units of its view box.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 392.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 160.0;

/// What the score did while the hottest pixels were hidden or shown first, beside a random order.
pub(super) fn curves(curves: &Curves) -> String {
    let all = [&curves.deletion, &curves.insertion, &curves.random_deletion, &curves.random_insertion];
    let scores = all.iter().flat_map(|curve| curve.iter().map(|point| point.score));
    // Probabilities are drawn on their own scale, so that two plots can be compared.
    let (low, high) =
        scores.fold((0.0, 1.0), |(low, high): (f64, f64), score| (low.min(score), high.max(score)));
    let line = |class: &str, points: &[Point]| {
        let mut path = String::new();
        for point in points {
            let x = LEFT + (RIGHT - LEFT) * point.share;
            let y = BOTTOM - (BOTTOM - TOP) * (point.score - low) / (high - low);
            let _ = write!(path, "{}{x:.1},{y:.1}", if path.is_empty() { "" } else { " " });
        }
        format!("<polyline class=\"line {class}\" points=\"{path}\"/>")
    };
    let (left, top, below) = (LEFT - 5.0, TOP + 8.0, BOTTOM + 14.0);
    let (low_label, high_label) = (number(low), number(high));
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 400 232\" role=\"img\" aria-label=\"score while pixels are hidden or shown\">\
         <path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>\
         <text x=\"{left}\" y=\"{top}\" text-anchor=\"end\">{high_label}</text>\
         <text x=\"{left}\" y=\"{BOTTOM}\" text-anchor=\"end\">{low_label}</text>\
         <text x=\"{LEFT}\" y=\"{below}\">0 %</text>\
         <text x=\"{RIGHT}\" y=\"{below}\" text-anchor=\"end\">100 % of the pixels</text>"
    );
    svg.push_str(&line("hidden random", &curves.random_deletion));
    svg.push_str(&line("shown random", &curves.random_insertion));
    svg.push_str(&line("hidden", &curves.deletion));
    svg.push_str(&line("shown", &curves.insertion));
    for (place, (class, words)) in [
        ("hidden", "hottest hidden first"),
        ("hidden random", "hidden in random order"),
        ("shown", "hottest shown first"),
        ("shown random", "shown in random order"),
    ]
    .into_iter()
    .enumerate()
    {
        let (x, y) = (LEFT + 180.0 * (place / 2) as f64, BOTTOM + 38.0 + 20.0 * (place % 2) as f64);
        let (end, beside, middle) = (x + 24.0, x + 30.0, y - 4.0);
        let _ = write!(
            svg,
            "<line class=\"line {class}\" x1=\"{x}\" x2=\"{end}\" y1=\"{middle}\" y2=\"{middle}\"/>\
             <text x=\"{beside}\" y=\"{y}\">{words}</text>"
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_stays_within_its_track() {
        assert!(bar(0.25, Some(0.5)).contains("<rect class=\"fill\" width=\"50.00\""));
        assert!(bar(0.25, Some(0.5)).contains("x1=\"100.00\""));
        assert!(!bar(0.25, None).contains("<line"));
        assert!(bar(7.0, None).contains("<rect class=\"fill\" width=\"200.00\""));
        assert!(bar(f64::NAN, None).contains("aria-label=\"NaN\""));
    }

    #[test]
    fn an_outline_is_in_shares_of_the_image() {
        let labels = vec!["none".to_owned(), "one".to_owned()];
        let mask = Mask { height: 2, width: 4, classes: vec![0, 0, 0, 0, 0, 1, 1, 0], labels };
        let svg = outlines(&mask).unwrap();
        assert!(svg.contains("d=\"M250.00 500.00L750.00 500.00L750.00 1000.00L250.00 1000.00Z\""), "{svg}");
    }

    #[test]
    fn numbers_are_short() {
        for (value, expected) in
            [(0.0, "0"), (0.31234, "0.312"), (12.345, "12.3"), (-250.4, "-250"), (1e-7, "1.0e-7")]
        {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn curves_are_drawn_on_the_scale_of_probabilities() {
        let line = |scores: [f64; 2]| {
            let point = |(share, score)| Point { share, score };
            [(0.0, scores[0]), (1.0, scores[1])].map(point).to_vec()
        };
        let drawn = curves(&Curves {
            deletion: line([1.0, 0.0]),
            insertion: line([0.0, 1.0]),
            random_deletion: line([0.5, 0.5]),
            random_insertion: line([0.5, 0.5]),
        });
        assert!(drawn.contains("class=\"line hidden\" points=\"40.0,10.0 392.0,160.0\""), "{drawn}");
        assert!(drawn.contains("class=\"line shown random\" points=\"40.0,85.0 392.0,85.0\""), "{drawn}");
    }
}
