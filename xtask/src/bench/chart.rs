//! The chart: a few figures as bars, in an SVG without scripts or fonts of its own.

use std::fmt::Write as _;

use super::peers::Peer;
use super::results::Results;
use super::table::number;

/// A panel of bars.
struct Panel {
    title: &'static str,
    scenario: &'static str,
    figure: &'static str,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "CPU a delivery: 1,000 subscribers, 8 publishers at full speed (µs, less is better)",
        scenario: "sat1k",
        figure: "cpu_us_per_delivery",
    },
    Panel {
        title: "Deliveries a second: 1,000 subscribers, 8 publishers at full speed (more is better)",
        scenario: "sat1k",
        figure: "deliveries_per_second",
    },
    Panel {
        title: "p99: 10,000 subscribers, one event a second (ms, less is better)",
        scenario: "lat10k",
        figure: "p99_ms",
    },
    Panel {
        title: "Memory an idle subscriber: 10,000 of them (bytes, less is better)",
        scenario: "idle",
        figure: "memory_bytes",
    },
];

/// All panels for which something was measured, one below the other.
pub(super) fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for panel in &PANELS {
        let bars: Vec<_> = Peer::ALL
            .into_iter()
            .filter_map(|peer| Some((peer, results.median(panel.scenario, peer, panel.figure)?)))
            .collect();
        let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        put(&mut body, &format!(r#"<text x="{MARGIN}" y="{}" font-weight="bold">{}</text>"#, y + 14, panel.title));
        y += ROW;
        for (peer, value) in bars {
            let class = if peer == Peer::Tidings { "ours" } else { "other" };
            let width = (value.max(0.0) / most * f64::from(BAR_WIDTH)).max(1.0);
            let label = f64::from(BAR_X) + width + 6.0;
            let text_y = y + 14;
            put(
                &mut body,
                &format!(r#"<text x="{}" y="{text_y}" text-anchor="end">{}</text>"#, BAR_X - 8, peer.name()),
            );
            put(
                &mut body,
                &format!(r#"<rect class="{class}" x="{BAR_X}" y="{}" width="{width:.1}" height="14"/>"#, y + 3),
            );
            put(&mut body, &format!(r#"<text x="{label:.1}" y="{text_y}">{}</text>"#, number(value)));
            y += ROW;
        }
        y += MARGIN;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img" aria-label="Tidings beside other servers">
<style>
svg {{ font: 12px sans-serif; background: #fff }} text {{ fill: #222 }} .ours {{ fill: #0b6bcb }} .other {{ fill: #b4b8be }}
@media (prefers-color-scheme: dark) {{ svg {{ background: #16181b }} text {{ fill: #ddd }} .ours {{ fill: #4da3ff }} .other {{ fill: #5b6168 }} }}
</style>
{body}</svg>
"#
    )
}

fn put(body: &mut String, line: &str) {
    writeln!(body, "{line}").expect("a String takes any text");
}

const WIDTH: u32 = 760;
const MARGIN: u32 = 16;
const ROW: u32 = 20;
const BAR_X: u32 = 150;
/// The longest bar leaves room for its number.
const BAR_WIDTH: u32 = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::example;

    #[test]
    fn the_longest_bar_is_the_largest_number() {
        let mut results = example();
        for (peer, value) in [("tidings", 50.0), ("nchan", 200.0)] {
            results.add_figure("lat10k", peer, "p99_ms", value);
        }
        let svg = svg(&results);
        for want in
            [r#"class="ours" x="150" y="39" width="125.0""#, r#"class="other" x="150" y="59" width="500.0""#, ">200<"]
        {
            assert!(svg.contains(want), "expected {want} in:\n{svg}");
        }
        assert!(!svg.contains("Deliveries a second"), "nothing was measured there:\n{svg}");
        assert_eq!(svg.matches("<rect").count(), 3, "two for p99, one for memory");
    }
}
