//! From a text to the components of a pattern. The grammar is the crate `urlpattern`'s; what it would compile eagerly and keep
//! twice (eight components, two expressions each) is compiled here where it is needed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use url::Url;
use urlpattern::regexp::RegExp;
use urlpattern::{RegexSyntax, UrlPatternInit, UrlPatternOptions};

use super::component::{Component, Inner, compile};

/// Parses a text of at most 4,096 bytes; says what is wrong with it.
pub(super) fn parse(raw: &str, base: &Url) -> Result<[Component; 8], String> {
    // The parser slices and asserts by what the text says; a text that trips it must not take the hub along.
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let init = UrlPatternInit::parse_constructor_string::<Uncompiled>(raw, Some(base.clone()))?;
        if init.hostname.as_deref().is_some_and(closes_what_is_not_open) {
            return Ok(None);
        }
        urlpattern::UrlPattern::<Uncompiled>::parse(init, UrlPatternOptions::default()).map(Some)
    }));
    let pattern = parsed.unwrap_or(Ok(None)).map_err(|error: urlpattern::Error| error.to_string())?;
    let pattern =
        pattern.ok_or("its host cannot be parsed; expected a URL pattern as \"https://example.com/books/:id\"")?;
    Ok([
        component(pattern.protocol)?,
        component(pattern.username)?,
        component(pattern.password)?,
        component(pattern.hostname)?,
        component(pattern.port)?,
        component(pattern.pathname)?,
        component(pattern.search)?,
        component(pattern.hash)?,
    ])
}

/// Whether a `]` has no `[` before it, outside of groups. The parser counts them, and counts below zero: a panic with overflow
/// checks and nonsense without. (urlpattern 0.6.0)
fn closes_what_is_not_open(hostname: &str) -> bool {
    let (mut groups, mut brackets) = (0_usize, 0_usize);
    for character in hostname.chars() {
        match character {
            '{' => groups += 1,
            '}' => groups = groups.saturating_sub(1),
            '[' if groups == 0 => brackets += 1,
            ']' if groups == 0 && brackets == 0 => return true,
            ']' if groups == 0 => brackets -= 1,
            _ => {}
        }
    }
    false
}

fn component(parsed: urlpattern::component::Component<Uncompiled>) -> Result<Component, String> {
    use urlpattern::matcher::InnerMatcher;

    let matcher = parsed.matcher;
    let inner = match matcher.inner {
        InnerMatcher::Literal { literal } => Inner::Literal(literal.into_boxed_str()),
        InnerMatcher::SingleCapture { filter: None, allow_empty: true } => Inner::Anything,
        InnerMatcher::SingleCapture { filter, .. } => Inner::Segment(filter),
        InnerMatcher::RegExp { regexp } => {
            let Uncompiled(expression) = regexp.map_err(|error| error.to_string())?;
            Inner::Expression(compile(&expression)?)
        }
    };
    Ok(Component { prefix: matcher.prefix.into_boxed_str(), suffix: matcher.suffix.into_boxed_str(), inner })
}

/// A regular expression that is only written down.
struct Uncompiled(String);

impl RegExp for Uncompiled {
    fn syntax() -> RegexSyntax {
        RegexSyntax::Rust
    }

    fn parse(pattern: &str, _flags: &str, _force_eval: bool) -> Result<Self, ()> {
        Ok(Uncompiled(pattern.to_owned()))
    }

    /// The parser asks six times whether a pattern for the protocol takes a scheme like `https`, and nothing else.
    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        compile(&self.0).ok()?.is_match(text).then(Vec::new)
    }

    fn pattern_string(&self) -> &str {
        &self.0
    }
}
