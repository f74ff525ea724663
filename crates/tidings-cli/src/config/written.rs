//! How the value of a setting is written in the file: for the default file, the docs, and those who wrote it wrongly.

use super::settings::{Arity, Setting};

/// A good value as it is written: the default, where there is one. What stands in a list stands here alone.
pub(crate) fn example(setting: &Setting) -> String {
    let text = setting.default().unwrap_or_else(|| kind_of(setting).example);
    match kind_of(setting).notation {
        Notation::Plain => text.to_owned(),
        Notation::Quoted => format!("\"{text}\""),
    }
}

/// A whole line of the file, with the default or an example.
pub(crate) fn line(setting: &Setting) -> String {
    let value = example(setting);
    match setting.arity() {
        Arity::Many => format!("{} = [{value}]", setting.key()),
        Arity::One | Arity::Switch => format!("{} = {value}", setting.key()),
    }
}

/// What a value looks like, its unit included.
pub(crate) fn form(setting: &Setting) -> String {
    let choices: Vec<_> = setting.choices().into_iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let one = match &choices[..] {
        [] => kind_of(setting).form.to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    if setting.arity() == Arity::Many { format!("a list; each {one}") } else { one }
}

enum Notation {
    Plain,
    Quoted,
}

struct Kind {
    form: &'static str,
    example: &'static str,
    notation: Notation,
}

/// By what the value is called in the help.
fn kind_of(setting: &Setting) -> Kind {
    let kind = |form, example, notation| Kind { form, example, notation };
    match setting.value_name() {
        None => kind("true or false", "false", Notation::Plain),
        Some("N") => kind("a whole number", "100000", Notation::Plain),
        Some("ADDR") => kind("an IP address and a port", "127.0.0.1:9090", Notation::Quoted),
        Some("FILE") => kind("a path", "/etc/tidings/tls.pem", Notation::Quoted),
        Some("NETWORK") => kind("an address, or a block of them", "10.0.0.0/8", Notation::Quoted),
        Some("DIR") => kind("a path", "./tidings-data", Notation::Quoted),
        Some("DURATION") => kind("a whole number and ms, s, m, h or d", "7d", Notation::Quoted),
        Some("ORIGIN") => kind("an origin as a browser writes it", "https://app.example", Notation::Quoted),
        Some("SIZE") => kind("a whole number and B, KiB, MiB or GiB", "1GiB", Notation::Quoted),
        Some("LEVEL") => kind("a level", "info", Notation::Quoted),
        Some("KEY") => kind(
            "a secret, a public key in PEM, or file:/// and a path",
            "file:///run/secrets/jwt-key",
            Notation::Quoted,
        ),
        Some("TOKEN") => kind(
            "a text of at least 16 characters, or file:/// and a path",
            "file:///run/secrets/admin-token",
            Notation::Quoted,
        ),
        Some("ALG") => kind("HS256, HS384, HS512, RS…, PS…, ES… or EdDSA", "HS256", Notation::Quoted),
        Some("URL") => kind("an address", "https://id.example/jwks.json", Notation::Quoted),
        Some("NAME") => kind("a name", "tidings_token", Notation::Quoted),
        Some("TEXT") => kind("a text", "https://id.example", Notation::Quoted),
        // A choice: `form` names what there is.
        Some(_) => kind("a text", "", Notation::Quoted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_good_value() {
        for setting in Setting::all().iter().filter(|setting| setting.arity() != Arity::Switch) {
            let example = example(setting);
            assert_eq!(setting.check(example.trim_matches('"')), Ok(()), "{} = {example}", setting.key());
        }
    }

    #[test]
    fn a_line_is_toml() {
        let line_of = |key: &str| line(Setting::all().iter().find(|setting| setting.key() == key).expect(key));
        assert_eq!(line_of("listen"), "listen = [\"127.0.0.1:3000\"]");
        assert_eq!(line_of("heartbeat"), "heartbeat = \"15s\"");
        assert_eq!(line_of("max-topics-per-connection"), "max-topics-per-connection = 1000");
        assert_eq!(line_of("memory"), "memory = false");
        assert_eq!(line_of("durability"), "durability = \"sync\"");
    }
}
