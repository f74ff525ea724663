//! The table in Markdown, and its place in the page.

use std::fmt::Write as _;

use super::peers::Peer;
use super::results::Results;
use super::scenarios::{Figure, SCENARIOS, Scenario};

/// A row for each figure, a column for each server that was measured.
pub(super) fn markdown(results: &Results) -> String {
    let peers: Vec<_> = Peer::ALL.into_iter().filter(|peer| is_measured(results, *peer)).collect();
    let mut text = format!("{} Medians of {} rounds.\n\n", results.machine.sentence(), results.rounds);
    let names: Vec<_> = peers.iter().map(|peer| peer.name()).collect();
    writeln!(text, "| load | figure | {} |", names.join(" | ")).expect("a String takes any text");
    writeln!(text, "|---|---|{}", "---:|".repeat(peers.len())).expect("a String takes any text");
    for scenario in SCENARIOS {
        let shown = scenario.figures.iter().filter_map(|figure| Some((figure, figure.title?)));
        for (figure, title) in shown {
            let cells: Vec<_> = peers.iter().map(|peer| cell(results, scenario, figure, *peer)).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let name = scenario.name;
                writeln!(text, "| {name} | {title} | {} |", cells.join(" | ")).expect("a String takes any text");
            }
        }
    }
    text
}

/// The page with the table between its marks.
///
/// # Errors
/// When the page has no marks, or not in this order.
pub(super) fn into_page(page: &str, table: &str) -> Result<String, String> {
    let marks = || format!("docs/performance.md: expected the lines {BEGIN} and {END}");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(marks)?;
    let (_, after) = rest.split_once(END).ok_or_else(marks)?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// With three digits, and a comma between thousands.
pub(super) fn number(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude >= 100.0 || number == 0.0 {
        return thousands(number);
    }
    let places = if magnitude >= 10.0 {
        1
    } else if magnitude >= 1.0 {
        2
    } else {
        3
    };
    format!("{number:.places$}")
}

fn is_measured(results: &Results, peer: Peer) -> bool {
    SCENARIOS.iter().any(|scenario| {
        scenario.figures.iter().any(|figure| results.median(scenario.name, peer, figure.name).is_some())
    })
}

/// A number, and beside it what was wrong with what it measures.
fn cell(results: &Results, scenario: &Scenario, figure: &Figure, peer: Peer) -> String {
    let Some(median) = results.median(scenario.name, peer, figure.name) else { return String::new() };
    let mut text = number(median);
    for fault in ["lost", "duplicated", "out_of_order"] {
        if let Some(count) = results.worst(scenario.name, peer, fault).filter(|count| *count > 0.0) {
            write!(text, " ({} {})", thousands(count), fault.replace('_', " ")).expect("a String takes any text");
        }
    }
    text
}

fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = if number < -0.5 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const BEGIN: &str = "<!-- table: cargo xtask bench writes it -->";
const END: &str = "<!-- end of the table -->";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::example;

    #[test]
    fn numbers_have_three_digits() {
        for (got, want) in [
            (0.0, "0"),
            (0.0567, "0.057"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (15_000_000.0, "15,000,000"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(number(got), want);
        }
    }

    #[test]
    fn the_table_shows_what_was_measured_and_what_was_lost() {
        let table = markdown(&example());
        let rows: Vec<_> = table.lines().skip(2).collect();
        let want = [
            "| load | figure | tidings | nchan |",
            "|---|---|---:|---:|",
            "| fan1k | CPU a delivery, µs | 0.060 | 6.00 (12,000 lost) |",
            "| idle | memory a subscriber, bytes | 200 |  |",
        ];
        assert_eq!(rows, want);
        assert!(table.starts_with("Commit abc1234; 4 cores of A CPU"), "{table}");
    }

    #[test]
    fn the_table_replaces_the_one_before() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nmore\n");
        let once = into_page(&page, "new\n").expect("it has marks");
        assert_eq!(once, format!("# Title\n{BEGIN}\nnew\n{END}\nmore\n"));
        assert_eq!(into_page(&once, "new\n").as_ref(), Ok(&once));
        assert!(into_page("# Title\n", "new\n").is_err());
    }
}
