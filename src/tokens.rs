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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_make_no_sense() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty"), "\n").unwrap();
        std::fs::write(dir.path().join("secret"), "wonderland\n").unwrap();
        let says = |section: &str, expected: &str| {
            let file = dir.path().join("angarium.toml");
            std::fs::write(&file, format!("[oauth]\n{section}\n")).unwrap();
            let found = match check(&Config::read(&file).unwrap()) {
                Ok(check) => if check.is_some() { "some" } else { "none" }.to_owned(),
                Err(failure) => failure.to_string(),
            };
            assert!(found.contains(expected), "{section}: {found}");
        };
        let who = "issuer = 'https://login.example.com'\naudience = ['mail']\n";
        says("", "none");
        says(who, "none");
        says(&format!("{who}jwks = 'http://127.0.0.1:1/keys'"), "some");
        says("jwks = 'http://127.0.0.1:1/keys'", "issuer and audience");
        says(&format!("{who}jwks = 'http://login.example.com/keys'"), "jwks: \"http://login.example.com/keys\"");
        says(&format!("{who}jwks = 'keys.json'"), "keys.json: No such file");
        let ask = "introspection = 'http://[::1]:1/ask'\nclient_id = 'mail'\n";
        says(ask, "needs client_id and client_secret");
        says(&format!("{ask}client_secret = 'secret'"), "some");
        says(&format!("{ask}client_secret = 'empty'"), "it is empty");
        says(&format!("{ask}client_secret = 'none'"), "No such file");
    }

    #[test]
    fn where_clients_learn_more() {
        let check = |issuer: Option<&str>, named: Option<&str>, expected: Option<&str>| {
            let mut config = Config::default();
            config.oauth.issuer = issuer.map(str::to_owned);
            config.oauth.openid_configuration = named.map(str::to_owned);
            assert_eq!(openid_configuration(&config).as_deref(), expected);
        };
        check(None, None, None);
        check(Some("https://a.example/"), None, Some("https://a.example/.well-known/openid-configuration"));
        check(Some("https://a.example/b"), None, Some("https://a.example/b/.well-known/openid-configuration"));
        check(Some("our server"), None, None);
        check(Some("https://a.example"), Some("https://b.example/c"), Some("https://b.example/c"));
    }
}
