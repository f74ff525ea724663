//! A value of the file as the words that its flag would be given.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::settings::{Arity, Setting};
use crate::config::written::example;

/// A text and where it stands in the file.
pub(super) type Placed<T> = (Range<usize>, T);

/// The texts of a value, each a good one for the flag; a switch has `true` or `false`.
///
/// # Errors
/// For each that is not good: where it is, why not, and what is expected.
pub(super) fn texts(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Vec<Placed<String>>> {
    let read = match (setting.arity(), value.get_ref()) {
        (Arity::Switch, DeValue::Boolean(is_on)) => return Ok(vec![is_on.to_string()]),
        (Arity::Switch, _) => vec![Err((value.span(), "expected true or false".to_owned()))],
        // Without this the default would come back through the door by which it was sent away.
        (Arity::Many, DeValue::Array(values)) if values.is_empty() && setting.default().is_some() => {
            vec![Err((value.span(), format!("it is empty; expected a list such as [{}]", example(setting))))]
        }
        (Arity::Many, DeValue::Array(values)) => values.iter().map(|value| text(setting, value)).collect(),
        (Arity::One | Arity::Many, _) => vec![text(setting, value)],
    };
    let (good, bad): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
    if bad.is_empty() {
        Ok(good.into_iter().flatten().collect())
    } else {
        Err(bad.into_iter().filter_map(Result::err).collect())
    }
}

fn text(setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<String, Placed<String>> {
    let checked = match plain(value.get_ref()) {
        Some(text) => setting.check(&text).map(|()| text),
        None if setting.arity() == Arity::Many => Err(format!("expected a list such as [{}]", example(setting))),
        None => Err(format!("expected a value such as {}", example(setting))),
    };
    checked.map_err(|reason| (value.span(), reason))
}

/// A string, or an integer as its digits: what else there is in TOML no setting has.
pub(super) fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => {
            // Other notations than decimal, and digits in groups, are read as what they stand for.
            let read = i128::from_str_radix(number.as_str(), number.radix()).map(|number| number.to_string());
            Some(read.unwrap_or_else(|_| number.as_str().to_owned()))
        }
        _ => None,
    }
}
