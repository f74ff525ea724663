//! Whether one selector selects no more than others do: what a fresh token may bring to a connection.

use tidings_topic::{Selector, SelectorSet};

/// Whether all that `new` selects is surely selected by one of `old`. `false` may also mean that it cannot be seen.
pub(crate) fn covers(old: &SelectorSet, new: &Selector) -> bool {
    if let Some(topic) = new.as_exact() {
        return old.matches(topic.as_str());
    }
    old.iter().any(|old| old == new || one_covers(old, new))
}

fn one_covers(old: &Selector, new: &Selector) -> bool {
    match (old, new) {
        (Selector::Any, _) => true,
        (Selector::Glob(old), _) if old.as_str() == "**" => true,
        (Selector::Glob(old), Selector::Glob(new)) => glob_covers(old.as_str(), new.as_str()),
        _ => false,
    }
}

/// Segment by segment; a `**` is only ever the last one.
fn glob_covers(old: &str, new: &str) -> bool {
    let mut old = old.split('/');
    let mut new = new.split('/');
    loop {
        match (old.next(), new.next()) {
            (Some("**"), _) | (None, None) => return true,
            (Some("*"), Some(segment)) if segment != "**" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(old: &str, new: &str, want: bool) {
        let [old_selector, new_selector] = [old, new].map(|raw| Selector::mercure_0(raw).expect("a selector"));
        let set = SelectorSet::new([old_selector]).expect("one");
        assert_eq!(covers(&set, &new_selector), want, "{old} {new}");
    }

    #[test]
    fn a_template_is_covered_by_itself_and_by_all() {
        check("*", "*", true);
        check("*", "/books/{id}", true);
        check("*", "news", true);
        check("/books/{id}", "/books/{id}", true);
        check("/books/{id}", "/books/7", true);
        check("/books/{id}", "/books/{name}", false);
        check("/books/{id}", "*", false);
        check("news", "*", false);
        let all = SelectorSet::new([Selector::parse("**").expect("a pattern")]).expect("one");
        assert!(covers(&all, &Selector::Any));
    }

    /// Patterns and topics of few segments, so that they often meet.
    fn any_selector() -> impl Strategy<Value = Selector> {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "*", ""]), 1..4)
            .prop_flat_map(|segments| prop::sample::select(vec![segments.clone(), [segments, vec!["**"]].concat()]))
            .prop_filter_map("not the empty topic", |segments| Selector::parse(&segments.join("/")).ok())
    }

    proptest! {
        #[test]
        fn what_is_covered_selects_nothing_more(
            old in prop::collection::vec(any_selector(), 1..3),
            new in any_selector(),
            topic in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ""]), 1..6),
        ) {
            let old = SelectorSet::new(old).expect("at least one");
            let topic = topic.join("/");
            if covers(&old, &new) && new.matches(&topic) {
                prop_assert!(old.matches(&topic), "{topic:?}");
            }
        }
    }
}
