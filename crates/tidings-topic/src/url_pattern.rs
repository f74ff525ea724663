//! WHATWG URL patterns. Captures nothing, and never indexes them; see [`Index`](crate::Index).

mod component;
mod syntax;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use url::{Url, quirks};

use crate::excerpt::excerpt_around;
use crate::selector::SelectorError;
use crate::topic::check_text;
use component::Component;

/// A WHATWG URL pattern: it selects the topics that are URLs of its shape. Letters' case is kept.
///
/// Both the pattern and the topic are relative to a base, the URL of the hub; a topic that is no URL even so is never selected.
/// Regular expressions in the pattern are those of the crate `regex`: linear in time, without look-around and
/// back-references.
///
/// Patterns are equal when their texts and bases are. A clone shares what was compiled.
///
/// Cost: 2 µs for parsing the topic as a URL, then for most patterns a comparison of each of the eight components. A component
/// that needs a regular expression (several groups, `?`, `+`, or one's own) takes at most (size of the expression) × (bytes of the
/// component) steps: some 100 ns for usual ones, some milliseconds for the worst.
/// Memory: 600 bytes, the text, and up to three times the text for its percent-encoded parts. A regular expression adds 10 KiB for
/// usual patterns; at most 64 KiB, as much again for reading backwards, and as much for each thread that matched with it.
/// What needs more is refused.
///
/// ```
/// use tidings_topic::UrlPattern;
///
/// let books = UrlPattern::parse("/books/:id", "https://example.com/.well-known/mercure")?;
/// assert!(books.matches("https://example.com/books/42"));
/// assert!(!books.matches("https://example.com/books/42/pages"));
/// assert!(books.matches("/books/42"), "the same, as seen from the hub");
/// assert!(!books.matches("https://example.net/books/42"));
/// # Ok::<(), tidings_topic::SelectorError>(())
/// ```
///
/// Source: <https://urlpattern.spec.whatwg.org/>.
#[derive(Clone)]
pub struct UrlPattern(Arc<Parsed>);

struct Parsed {
    text: Box<str>,
    base: Url,
    /// Of protocol, username, password, hostname, port, pathname, search, hash.
    components: [Component; 8],
}

impl UrlPattern {
    /// Takes a pattern as it came from outside, and the URL that it is relative to.
    ///
    /// # Errors
    /// [`SelectorError::Text`] when the text could not be a topic's; [`SelectorError::UrlPattern`] when it is no URL pattern, when
    /// `base` is no URL, or when its regular expressions are too large.
    pub fn parse(raw: &str, base: &str) -> Result<UrlPattern, SelectorError> {
        check_text(raw)?;
        let refusal = |reason| SelectorError::UrlPattern { excerpt: excerpt_around(raw, 0), reason };
        let base = Url::parse(base).map_err(|error| refusal(format!("its base {base:?} is no URL: {error}")))?;
        let components = syntax::parse(raw, &base).map_err(refusal)?;
        Ok(UrlPattern(Arc::new(Parsed { text: Box::from(raw), base, components })))
    }

    /// Whether the pattern covers `topic`.
    pub fn matches(&self, topic: &str) -> bool {
        self.matches_resolved(&self.resolve(topic))
    }

    /// The text of the pattern.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Parses `topic` as this pattern sees it. Patterns of one base see the same.
    pub(crate) fn resolve(&self, topic: &str) -> ResolvedTopic<'_> {
        let base = &self.0.base;
        ResolvedTopic { base, url: Url::options().base_url(Some(base)).parse(topic).ok() }
    }

    pub(crate) fn has_base_of(&self, resolved: &ResolvedTopic<'_>) -> bool {
        self.0.base == *resolved.base
    }

    /// Whether the pattern covers a topic that was resolved with its base.
    pub(crate) fn matches_resolved(&self, resolved: &ResolvedTopic<'_>) -> bool {
        let Some(url) = &resolved.url else {
            return false;
        };
        // In the order of the components. The standard's parts have no `:`, `?` and `#` around them.
        let parts = [
            url.scheme(),
            url.username(),
            url.password().unwrap_or_default(),
            url.host_str().unwrap_or_default(),
            quirks::port(url),
            quirks::pathname(url),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
        ];
        self.0.components.iter().zip(parts).all(|(component, part)| component.matches(part))
    }

    fn key(&self) -> (&str, &str) {
        (&self.0.text, self.0.base.as_str())
    }
}

/// A topic as a URL, with the base that it was resolved with.
pub(crate) struct ResolvedTopic<'a> {
    base: &'a Url,
    /// `None` when it is no URL.
    url: Option<Url>,
}

impl PartialEq for UrlPattern {
    fn eq(&self, other: &UrlPattern) -> bool {
        self.key() == other.key()
    }
}

impl Eq for UrlPattern {}

impl PartialOrd for UrlPattern {
    fn partial_cmp(&self, other: &UrlPattern) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UrlPattern {
    fn cmp(&self, other: &UrlPattern) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for UrlPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
