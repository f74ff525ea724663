//! What a reader listens to. Matches by itself, so that a hub which matches wrongly is found out.

use serde::{Deserialize, Serialize};

/// Topics and patterns, and the event types that are wanted of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// Topics, and patterns in which `*` is one segment and `**`, at the end, any number.
    pub selectors: Vec<String>,
    /// Only these event types; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
}

impl Interest {
    /// All types of these topics and patterns.
    pub fn in_topics<T: Into<String>>(selectors: impl IntoIterator<Item = T>) -> Self {
        Self { selectors: selectors.into_iter().map(Into::into).collect(), types: Vec::new() }
    }

    /// Does this reader get an event of this type on this topic?
    pub fn matches(&self, topic: &str, event_type: &str) -> bool {
        let is_wanted = self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type);
        is_wanted && self.matches_topic(topic)
    }

    /// Does this reader get some events of this topic?
    pub fn matches_topic(&self, topic: &str) -> bool {
        self.selectors.iter().any(|selector| selects(selector, topic))
    }
}

fn selects(selector: &str, topic: &str) -> bool {
    let mut topic = topic.split('/');
    let mut selector = selector.split('/').peekable();
    while let Some(wanted) = selector.next() {
        if wanted == "**" && selector.peek().is_none() {
            return true;
        }
        match topic.next() {
            Some(segment) if wanted == "*" || wanted == segment => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, topic: &str, want: bool) {
        assert_eq!(Interest::in_topics([selector]).matches_topic(topic), want, "{selector} of {topic}");
    }

    #[test]
    fn patterns_match_as_the_docs_say() {
        check("chat/42", "chat/42", true);
        check("chat/42", "chat/4", false);
        check("chat/*", "chat/42", true);
        check("chat/*", "chat/", true);
        check("chat/*", "chat", false);
        check("chat/*", "chat/42/typing", false);
        check("chat/*/typing", "chat/42/typing", true);
        check("chat/**", "chat", true);
        check("chat/**", "chat/", true);
        check("chat/**", "chat/42/typing", true);
        check("chat/**", "news/42", false);
        check("**", "anything/at/all", true);
    }

    #[test]
    fn types_narrow_what_topics_give() {
        let interest = Interest { types: vec!["price".to_owned()], ..Interest::in_topics(["a", "b"]) };
        assert!(interest.matches("b", "price"));
        assert!(!interest.matches("b", "message"));
        assert!(!interest.matches("c", "price"));
    }
}
