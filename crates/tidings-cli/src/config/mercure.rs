//! What people who come from Mercure have set already: its variables, and with `--mercure-compat` its defaults.
//!
//! A variable of Mercure's counts after the hub's own and before the file.

use std::ffi::OsString;

/// A setting of ours by its key, and Mercure's variable for it.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("publisher-jwt-key", "MERCURE_PUBLISHER_JWT_KEY"),
    ("publisher-jwt-alg", "MERCURE_PUBLISHER_JWT_ALG"),
    ("subscriber-jwt-key", "MERCURE_SUBSCRIBER_JWT_KEY"),
    ("subscriber-jwt-alg", "MERCURE_SUBSCRIBER_JWT_ALG"),
];

/// Where Mercure is told to listen; read with `--mercure-compat` alone, for other programs have a variable of this name.
pub(super) const SERVER_NAME: &str = "SERVER_NAME";

/// The settings whose defaults differ with `--mercure-compat`.
pub(super) const DEFAULTS: [(&str, &str); 1] = [("heartbeat", "40s")];

/// The value of a variable of the environment; one that is empty is not set.
pub(super) fn from_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The addresses that a server name stands for: of `:80`, `example.org`, `http://example.org:3000`, or several with commas
/// or spaces. A name says under which host the hub is reached, not on which address it listens: that is every one.
///
/// # Errors
/// What is wrong, and what is expected.
pub(super) fn addresses_of(server_name: &str) -> Result<Vec<String>, String> {
    let names = server_name.split([',', ' ']).filter(|name| !name.is_empty());
    let mut addresses = names.map(address_of).collect::<Result<Vec<_>, _>>()?;
    addresses.dedup();
    if addresses.is_empty() {
        return Err(format!("{SERVER_NAME} names nothing; expected {FORM}"));
    }
    Ok(addresses)
}

const FORM: &str = "a port as in :80, or a host and perhaps a port as in http://hub.example:3000";
/// Without one, and without TLS.
const PORT: u16 = 80;

fn address_of(name: &str) -> Result<String, String> {
    let wrong = || format!("{SERVER_NAME} {name:?} is no address; expected {FORM}");
    let authority = name.strip_prefix("http://").or_else(|| name.strip_prefix("https://")).unwrap_or(name);
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    // An IPv6 address stands between brackets, and its colons begin no port.
    let (host, port) = match authority.rfind(':').filter(|&at| !authority[at..].contains(']')) {
        Some(at) => (&authority[..at], authority[at + 1..].parse::<u16>().map_err(|_| wrong())?),
        None => (authority, PORT),
    };
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*[]:".contains(&byte);
    if !host.bytes().all(is_host_byte) {
        return Err(wrong());
    }
    Ok(format!("0.0.0.0:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_name_is_a_port_on_every_address() {
        let check = |raw: &str, want: &[&str]| {
            let got = addresses_of(raw);
            match want {
                [] => assert!(
                    got.is_err_and(|error| error.contains("SERVER_NAME") && error.contains("expected")),
                    "{raw}"
                ),
                want => assert_eq!(
                    got.as_deref(),
                    Ok(&want.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()[..]),
                    "{raw}"
                ),
            }
        };
        check(":80", &["0.0.0.0:80"]);
        check(":3000", &["0.0.0.0:3000"]);
        check("localhost", &["0.0.0.0:80"]);
        check("http://hub.example", &["0.0.0.0:80"]);
        check("http://hub.example:8080/", &["0.0.0.0:8080"]);
        check("[::1]:81", &["0.0.0.0:81"]);
        check(":80, :81", &["0.0.0.0:80", "0.0.0.0:81"]);
        check("a.example b.example", &["0.0.0.0:80"]);
        check("", &[]);
        check(":port", &[]);
        check(":99999", &[]);
        check("a/b", &[]);
    }
}
