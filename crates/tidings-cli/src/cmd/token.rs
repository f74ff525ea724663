//! `tidings token`: a token for a publisher or a reader, signed with the key of the hub.

use std::convert::Infallible;
use std::fmt;
use std::time::{Duration, SystemTime};

use clap::Args;
use tidings_auth::{Algorithm, Claims, KeySource, MintError, mint};
use tidings_core::Timestamp;

use crate::config::parse_duration;
use crate::exit::Failure;
use crate::say;

/// Make a token for a publisher or a reader, and print it
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Token {
    /// Key to sign with: a secret for HS256, HS384 and HS512, else a private key in PEM; `@FILE` takes it from a file
    #[arg(long, env = "TIDINGS_TOKEN_KEY", value_name = "KEY|@FILE", hide_env_values = true, value_parser = KeyText::parse)]
    key: KeyText,

    /// Algorithm to sign with, the one that the hub is told: HS256, HS384, HS512, RS…, PS…, ES… or `EdDSA`
    #[arg(long, env = "TIDINGS_TOKEN_ALG", value_name = "ALG", default_value = "HS256")]
    alg: Algorithm,

    /// Where the holder may publish: topics, patterns such as 'chat/*', URI templates, or '*' for every topic
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    publish: Vec<String>,

    /// What the holder may read, private events included: as --publish
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    subscribe: Vec<String>,

    /// How long the token is good; 0 for ever
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    expires: Duration,

    /// Whom the token is about (`sub`)
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// Who issues the token (`iss`), as --jwt-issuer of the hub; makes a Mercure 1.0 token
    #[arg(long, value_name = "TEXT", requires = "audience")]
    issuer: Option<String>,

    /// Whom the token is for (`aud`), as --jwt-audience of the hub; makes a Mercure 1.0 token
    #[arg(long, value_name = "TEXT", requires = "issuer")]
    audience: Option<String>,
}

/// A key as it was given. Any text may be one: what is wrong with it is told without the text itself, which clap would print.
#[derive(Clone)]
struct KeyText(String);

impl KeyText {
    #[expect(clippy::unnecessary_wraps, reason = "clap takes parsers that may fail")]
    fn parse(raw: &str) -> Result<Self, Infallible> {
        Ok(Self(raw.to_owned()))
    }

    /// The text of the key, from its file if it names one.
    fn read(self) -> Result<String, Failure> {
        let Some(path) = self.0.strip_prefix('@').or_else(|| self.0.strip_prefix("file://")) else {
            return Ok(self.0);
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("--key: the file {path} cannot be read: {error}; expected a file with the key"))
        })?;
        // An editor ends the last line; no key ends with it.
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText")
    }
}

impl Token {
    /// Prints the token alone.
    ///
    /// # Errors
    /// A [`Failure`] when the key cannot sign, or a topic is none.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_err(|_| Failure::running("the clock of this machine stands before 1970"))?;
        let grants_nothing = self.publish.is_empty() && self.subscribe.is_empty();
        let token = self.mint(Timestamp::default().saturating_add(now))?;
        if grants_nothing {
            say::note("note: this token grants nothing; name topics with --publish or --subscribe");
        }
        say::result(token);
        Ok(())
    }

    fn mint(self, now: Timestamp) -> Result<String, Failure> {
        let claims = Claims {
            publish: self.publish,
            subscribe: self.subscribe,
            subject: self.subject,
            issued_at: Some(now),
            expires_at: (!self.expires.is_zero()).then(|| now.saturating_add(self.expires)),
            issuer: self.issuer,
            audience: self.audience,
            payload: None,
        };
        let key = KeySource::new(self.key.read()?, self.alg);
        mint(&claims, &key).map_err(|error| match error {
            MintError::Key(_) => Failure::usage(format!("--key: {error}")),
            MintError::Topic { list, .. } => Failure::usage(format!("--{list}: {error}")),
            MintError::Incomplete(_) => Failure::usage(format!("{error}; set --issuer, --audience and --expires")),
            _ => Failure::running(error),
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  tidings token --key '!ChangeThisMercureHubJWTSecretKey!' --publish '*'
  tidings token --key @secret.txt --subscribe 'chat/**' news --subject ann --expires 8h
  tidings token --key @private.pem --alg ES256 --publish orders
  tidings token --key @private.pem --alg RS256 --issuer https://login.example --audience https://hub.example --subscribe '*'

  TOKEN=$(tidings token --key @secret.txt --publish news)
  curl -H \"Authorization: Bearer $TOKEN\" -d 'Good news' http://127.0.0.1:3000/events/news

Others on this machine see a key in the arguments: better a file, or the variable TIDINGS_TOKEN_KEY.";

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tidings_auth::{Action, Authority, AuthorityOptions, Shape};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        token: Token,
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn made(words: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from([&["token"], words].concat()).map_err(|error| error.to_string())?;
        line.token.mint(NOW).map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn the_token_grants_what_was_asked_for_as_long_as_was_asked_for() {
        let token =
            made(&["--key=k", "--publish", "a", "chat/*", "--publish", "b", "--subscribe", "*", "--subject=ann"]);
        let options =
            AuthorityOptions { publisher: Some(KeySource::new("k", Algorithm::Hs256)), ..AuthorityOptions::default() };
        let authority = Authority::new(options).expect("a good key");
        let identity = authority.verify(&token.expect("a token"), Action::Publish, NOW).await.expect("a good token");
        assert_eq!((identity.shape, identity.subject.as_deref()), (Shape::Mercure0, Some("ann")));
        assert_eq!(identity.expires_at, Some(NOW.saturating_add(Duration::from_hours(1))));
        for topic in ["a", "b", "chat/1"] {
            assert!(identity.may_publish(topic), "{topic}");
        }
        assert!(!identity.may_publish("c") && identity.subscribes("c"));

        let endless = made(&["--key=k", "--expires=0"]).expect("a token");
        let identity = authority.verify(&endless, Action::Publish, NOW).await.expect("a good token");
        assert_eq!(identity.expires_at, None);
    }

    #[test]
    fn a_key_comes_from_a_file_without_its_line_end() {
        let path = std::env::temp_dir().join(format!("tidings-token-{}", std::process::id()));
        std::fs::write(&path, "k\n").expect("a file");
        let want = made(&["--key=k"]).expect("a token");
        assert_eq!(made(&[&format!("--key=@{}", path.display())]), Ok(want.clone()));
        assert_eq!(made(&[&format!("--key=file://{}", path.display())]), Ok(want));
        std::fs::remove_file(&path).expect("it is there");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_key() {
        for (words, want) in [
            (&["--key=hush", "--alg=RS256"][..], "--key: the key for RS256 is not a PEM file"),
            (&["--key=hush", "--alg=none"], "\"none\" is not known; expected one of HS256"),
            (&["--key=hush", "--publish", "a*"], "--publish: publish \"a*\" cannot be granted"),
            (&["--key=hush", "--issuer=i"], "--audience"),
            (&["--key=hush", "--issuer=i", "--audience=a", "--expires=0"], "a Mercure 1.0 token needs an end; set"),
            (&["--key=@/no/such/file"], "--key: the file /no/such/file cannot be read"),
            (&["--key="], "--key"),
        ] {
            let error = made(words).expect_err(want);
            assert!(error.contains(want) && !error.contains("hush"), "{error}, want {want}");
        }
    }
}
