//! Values that several bodies have, and how they come out of JSON.

use directory::Secret;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Longest password in octets: what a SASL exchange can carry.
const MAX_PASSWORD: usize = 1020;

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
            (None, Some(hash)) => Ok(GivenPassword::Hash(hash.into_secret())),
            _ => Err(Problem::rule("password", "", "give either a password or a hash")),
        }
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
