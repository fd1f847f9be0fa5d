//! Who says whose a token is: the section `[oauth]` of the configuration.

use std::path::Path;
use std::sync::Arc;

use directory::{Secret, TokenCheck};
use oauth::{Introspection, KeySource, Settings, Validator};
use tools::Exit;

use crate::config::Config;
use crate::failure::Failure;

/// Whoever checks tokens; nothing if none are taken. Reads the files that are named.
///
/// # Errors
/// What is wrong with the section, or with a file.
pub(crate) fn check(config: &Config) -> Result<Option<Arc<dyn TokenCheck>>, Failure> {
    let oauth = &config.oauth;
    if oauth.jwks.is_none() && oauth.introspection.is_none() {
        return Ok(None);
    }
    let settings = Settings {
        issuer: oauth.issuer.clone(),
        audiences: oauth.audience.clone(),
        scopes: oauth.scope.clone(),
        user_claim: oauth.user_claim.clone(),
        keys: oauth.jwks.as_deref().map(|place| keys(config, place)).transpose()?,
        introspection: oauth.introspection.as_deref().map(|url| introspection(config, url)).transpose()?,
        authorities: oauth.authorities.as_deref().map(|file| config.absolute(file)),
        openid_configuration: openid_configuration(config),
    };
    Ok(Some(Arc::new(Validator::new(settings).map_err(wrong)?)))
}

/// Where clients learn how to get a token (OpenID Connect Discovery, 4).
pub(crate) fn openid_configuration(config: &Config) -> Option<String> {
    let below = |issuer: &String| format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let oauth = &config.oauth;
    oauth.openid_configuration.clone().or_else(|| oauth.issuer.as_ref().filter(|name| name.contains("://")).map(below))
}

fn keys(config: &Config, place: &str) -> Result<KeySource, Failure> {
    if place.contains("://") {
        return Ok(KeySource::Url(place.parse().map_err(|problem| wrong(format!("jwks: {problem}")))?));
    }
    Ok(KeySource::File(config.absolute(Path::new(place))))
}

fn introspection(config: &Config, url: &str) -> Result<Introspection, Failure> {
    let url = url.parse().map_err(|problem| wrong(format!("introspection: {problem}")))?;
    let (Some(client_id), Some(file)) = (&config.oauth.client_id, &config.oauth.client_secret) else {
        return Err(wrong("introspection needs client_id and client_secret"));
    };
    let file = config.absolute(file);
    let unusable = |problem: &dyn std::fmt::Display| wrong(format!("{}: {problem}", file.display()));
    let text = std::fs::read(&file).map_err(|problem| unusable(&problem))?;
    let secret = text.trim_ascii_end();
    if secret.is_empty() {
        return Err(unusable(&"it is empty"));
    }
    Ok(Introspection { url, client_id: client_id.clone(), client_secret: Secret::new(secret) })
}

fn wrong(problem: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Config, format!("[oauth] {problem}"))
}
