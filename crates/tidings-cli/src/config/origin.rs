//! Origins as browsers write them, such as `https://app.example`: compared as text, so they must be written the same way.

use std::str::FromStr;

use thiserror::Error;

/// Where a page comes from: scheme, host, and the port unless it is the scheme's own; in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

/// Whose pages may read answers: `--cors-origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CorsOrigin {
    /// `*`: everybody's, without credentials.
    Any,
    /// Those of one origin, with credentials.
    One(Origin),
}

/// Whose pages may publish: `--publish-origin`. Written as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishOrigin(String);

/// Why a text is no origin. clap shows the text itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum OriginError {
    #[error("it has no scheme; expected {FORM}")]
    NoScheme,
    #[error("it has no host; expected {FORM}")]
    NoHost,
    #[error("{after:?} after the host is no part of an origin; expected {FORM}")]
    MoreThanHost { after: String },
    #[error("it holds {character:?}, which no browser writes into an origin; expected {FORM}")]
    Character { character: char },
    #[error("the star stands for every origin and so for foreign ones; expected {FORM}")]
    Star,
}

const FORM: &str = "scheme, host and perhaps a port, as in https://app.example";

impl Origin {
    /// As a browser writes it.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(raw: &str) -> Result<Self, OriginError> {
        if raw == "*" {
            return Err(OriginError::Star);
        }
        let (scheme, authority) = raw.split_once("://").ok_or(OriginError::NoScheme)?;
        if scheme.is_empty() {
            return Err(OriginError::NoScheme);
        }
        if let Some(at) = authority.find(['/', '?', '#']) {
            let after = authority[at..].to_owned();
            return Err(OriginError::MoreThanHost { after });
        }
        let is_foreign = |character: &char| !character.is_ascii_alphanumeric() && !"+-._:[]/".contains(*character);
        if let Some(character) = raw.chars().find(is_foreign) {
            return Err(OriginError::Character { character });
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(OriginError::NoHost);
        }
        let text = raw.to_ascii_lowercase();
        let own_port = match text.split_once(':') {
            Some(("http", _)) => ":80",
            Some(("https", _)) => ":443",
            _ => "",
        };
        Ok(Self(text.strip_suffix(own_port).unwrap_or(&text).to_owned()))
    }
}

impl PublishOrigin {
    /// `*`, an origin, or one whose host begins with `*.`.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl FromStr for PublishOrigin {
    type Err = OriginError;

    fn from_str(raw: &str) -> Result<Self, OriginError> {
        match raw.split_once("://*.") {
            _ if raw == "*" => Ok(Self(raw.to_owned())),
            Some((scheme, host)) => {
                let one: Origin = format!("{scheme}://{host}").parse()?;
                Ok(Self(one.into_text().replacen("://", "://*.", 1)))
            }
            None => raw.parse().map(|origin: Origin| Self(origin.into_text())),
        }
    }
}

impl FromStr for CorsOrigin {
    type Err = OriginError;

    fn from_str(raw: &str) -> Result<Self, OriginError> {
        match raw {
            "*" => Ok(Self::Any),
            origin => origin.parse().map(Self::One),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<&str, OriginError>) {
        let got = raw.parse().map(Origin::into_text);
        assert_eq!(got, want.map(str::to_owned), "{raw:?}");
    }

    #[test]
    fn an_origin_is_kept_as_a_browser_writes_it() {
        check("https://app.example", Ok("https://app.example"));
        check("HTTPS://App.Example", Ok("https://app.example"));
        check("http://localhost:5173", Ok("http://localhost:5173"));
        check("http://[::1]:8080", Ok("http://[::1]:8080"));
        check("https://app.example:443", Ok("https://app.example"));
        check("http://app.example:80", Ok("http://app.example"));
        check("http://app.example:443", Ok("http://app.example:443"));
        check("chrome-extension://abcdef", Ok("chrome-extension://abcdef"));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let more = |after: &str| Err(OriginError::MoreThanHost { after: after.to_owned() });
        let character = |character| Err(OriginError::Character { character });
        check("", Err(OriginError::NoScheme));
        check("null", Err(OriginError::NoScheme));
        check("app.example", Err(OriginError::NoScheme));
        check("://app.example", Err(OriginError::NoScheme));
        check("https://", Err(OriginError::NoHost));
        check("https://:8080", Err(OriginError::NoHost));
        check("https://app.example/", more("/"));
        check("https://app.example/page?x", more("/page?x"));
        check("https://me@app.example", character('@'));
        check("https://*.example", character('*'));
        check("https://app.example ", character(' '));
        check("*", Err(OriginError::Star));
    }

    #[test]
    fn pages_that_publish_may_be_those_of_all_names_below_one() {
        let publishing = |raw: &str| raw.parse().map(PublishOrigin::into_text);
        for (raw, want) in [
            ("*", "*"),
            ("https://App.example:443", "https://app.example"),
            ("https://*.App.example:443", "https://*.app.example"),
            ("http://*.app.example:8080", "http://*.app.example:8080"),
        ] {
            assert_eq!(publishing(raw), Ok(want.to_owned()), "{raw}");
        }
        assert_eq!(publishing("https://*."), Err(OriginError::NoHost));
        assert_eq!(publishing("https://*.*.a"), Err(OriginError::Character { character: '*' }));
        assert_eq!(publishing("*.app.example"), Err(OriginError::NoScheme));
    }

    #[test]
    fn a_star_lets_every_page_read() {
        assert_eq!("*".parse(), Ok(CorsOrigin::Any));
        let one = "https://app.example".parse().map(CorsOrigin::One);
        assert_eq!("https://app.example".parse(), one);
    }
}
