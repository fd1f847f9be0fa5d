//! Values that several bodies have, and how they come out of JSON.

use directory::Secret;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Longest password in octets: what a SASL exchange can carry.
const MAX_PASSWORD: usize = 1020;

/// A user ID: the login name.
#[derive(ToSchema)]
#[schema(as = UserId, value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
pub(crate) struct Uid(#[expect(dead_code, reason = "it documents a field")] String);

/// A domain; other scripts as `xn--...`.
#[derive(ToSchema)]
#[schema(
    as = DomainName,
    value_type = String,
    min_length = 1,
    max_length = 253,
    pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)]
pub(crate) struct NameOfDomain(#[expect(dead_code, reason = "it documents a field")] String);

/// A text without control characters and line breaks.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 256, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$")]
pub(crate) struct Line(#[expect(dead_code, reason = "it documents a field")] String);

/// A text with line breaks (LF) and tabs, without other control characters.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 4096, pattern = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$")]
pub(crate) struct Letter(#[expect(dead_code, reason = "it documents a field")] String);

/// What clients are told: one line, of which no more than 400 characters of ASCII may come.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 400,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
)]
pub(crate) struct NoticeLine(#[expect(dead_code, reason = "it documents a field")] String);

/// A password.
#[derive(Clone, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 1, max_length = 1020)]
pub(crate) struct Password(Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
        // The text becomes the secret, which is wiped.
        Ok(Password(Secret::new(String::deserialize(deserializer)?)))
    }
}

impl Password {
    /// The password, if it can be used at a login.
    ///
    /// # Errors
    /// A rule of the field `password`.
    pub(crate) fn check(self) -> Result<Secret, Problem> {
        let octets = self.0.expose();
        if octets.is_empty() || octets.len() > MAX_PASSWORD || octets.contains(&0) {
            return Err(Problem::rule("password", "", "a password has 1 to 1020 octets, none of them NUL"));
        }
        Ok(self.0)
    }

    /// As it came.
    pub(crate) fn into_secret(self) -> Secret {
        self.0
    }
}

/// What a user logs in with, as an administrator gives it.
pub(crate) enum GivenPassword {
    /// The password.
    Clear(Secret),
    /// What another server has kept of it.
    Hash(Secret),
}

impl GivenPassword {
    /// One of the two fields.
    ///
    /// # Errors
    /// Both are given, or none; a rule of the field `password`.
    pub(crate) fn either(password: Option<Password>, hash: Option<Password>) -> Result<GivenPassword, Problem> {
        match (password, hash) {
            (Some(password), None) => password.check().map(GivenPassword::Clear),
            (None, Some(hash)) if hash.0.expose().len() <= MAX_PASSWORD => Ok(GivenPassword::Hash(hash.into_secret())),
            (None, Some(_)) => Err(Problem::rule("hash", "", "a hash has at most 1020 octets")),
            _ => Err(Problem::rule("password", "", "give either a password or a hash")),
        }
    }
}

/// A list of so many at most.
pub(crate) fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Vec::deserialize(deserializer)?;
    if list.len() <= MOST { Ok(list) } else { Err(Error::custom(format_args!("there are more than {MOST}"))) }
}

/// The same, which may be left out.
pub(crate) fn some_at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list: Option<Vec<T>> = Option::deserialize(deserializer)?;
    match &list {
        Some(list) if list.len() > MOST => Err(Error::custom(format_args!("there are more than {MOST}"))),
        _ => Ok(list),
    }
}

/// A field that may be null, where null is not the same as nothing at all.
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A text, where null empties it.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(Option::<String>::deserialize(deserializer)?.unwrap_or_default()))
}

/// A field that may be null, but must be there.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer)
}
