//! Who says whose a token is: the section `[oauth]` of the configuration, which may change while the server runs.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use directory::{Secret, TokenCheck, TokenHint, TokenProblem};
use oauth::{Introspection, KeySource, Settings, Validator};
use tools::Exit;

use crate::config::{Config, OAuth};
use crate::failure::Failure;

/// Whoever checks tokens now; nobody if none are taken.
#[derive(Debug)]
pub(crate) struct Tokens {
    validator: ArcSwapOption<Validator>,
    made_of: Mutex<MadeOf>,
    key: RandomState,
}

/// What a validator is made of: a section, and what its files hold, as a number.
#[derive(Debug, PartialEq)]
struct MadeOf {
    section: OAuth,
    files: Vec<(PathBuf, Option<u64>)>,
}

/// Who is to check tokens from now on.
pub(crate) struct Successor {
    validator: Option<Arc<Validator>>,
    made_of: MadeOf,
}

impl Tokens {
    /// As the configuration wants it.
    ///
    /// # Errors
    /// What is wrong with the section, or with a file.
    pub(crate) fn read(config: &Config) -> Result<Self, Failure> {
        let key = RandomState::new();
        let validator = validator(config)?.map(Arc::new);
        let made_of = Mutex::new(MadeOf::read(config, &key));
        Ok(Self { validator: ArcSwapOption::new(validator), made_of, key })
    }

    /// Whoever this configuration wants in place of the one at work. Nobody if nothing has changed, neither in the section nor
    /// in a file: keys that were fetched, and answers, are worth keeping, above all while the authorization server is away.
    ///
    /// # Errors
    /// What is wrong with the section, or with a file.
    pub(crate) fn successor(&self, config: &Config) -> Result<Option<Successor>, Failure> {
        let made_of = MadeOf::read(config, &self.key);
        if made_of == *self.made_of.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(None);
        }
        Ok(Some(Successor { validator: validator(config)?.map(Arc::new), made_of }))
    }

    /// Lets the successor check tokens. Those that are being checked are checked to the end as before.
    pub(crate) fn hand_over(&self, successor: Successor) {
        let mut made_of = self.made_of.lock().unwrap_or_else(PoisonError::into_inner);
        self.validator.store(successor.validator);
        *made_of = successor.made_of;
    }
}

impl TokenCheck for Tokens {
    fn check(&self, token: &Secret) -> directory::Result<Result<String, TokenProblem>> {
        match self.validator.load_full() {
            Some(validator) => validator.check(token),
            None => Ok(Err(TokenProblem::Invalid)),
        }
    }

    fn is_asked_about(&self, token: &Secret) -> bool {
        self.validator.load().as_ref().is_some_and(|validator| validator.is_asked_about(token))
    }

    fn hint(&self) -> Option<TokenHint> {
        self.validator.load().as_ref().and_then(|validator| validator.hint())
    }
}

impl MadeOf {
    fn read(config: &Config, key: &RandomState) -> Self {
        let section = config.oauth.clone();
        let keys = section.jwks.as_deref().filter(|place| !place.contains("://")).map(Path::new);
        let named = [keys, section.client_secret.as_deref(), section.authorities.as_deref()];
        let files = named.into_iter().flatten().map(|file| {
            let file = config.absolute(file);
            let held = std::fs::read(&file).ok().map(|octets| key.hash_one(octets));
            (file, held)
        });
        Self { files: files.collect(), section }
    }
}

/// Whoever checks tokens; nothing if none are taken. Reads the files that are named.
fn validator(config: &Config) -> Result<Option<Validator>, Failure> {
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
    Ok(Some(Validator::new(settings).map_err(wrong)?))
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
            let found = match Tokens::read(&Config::read(&file).unwrap()) {
                Ok(tokens) => if tokens.hint().is_some() { "some" } else { "none" }.to_owned(),
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
    fn what_has_changed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("angarium.toml"), dir.path().join("secret"));
        let section = "introspection = 'http://[::1]:1/ask'\nclient_id = 'mail'\nclient_secret = 'secret'\n";
        let configure = |section: &str| {
            std::fs::write(&file, format!("[oauth]\n{section}")).unwrap();
            Config::read(&file).unwrap()
        };
        std::fs::write(&secret, "wonderland\n").unwrap();
        let config = configure("");
        let tokens = Tokens::read(&config).unwrap();
        assert!(tokens.hint().is_none() && tokens.successor(&config).unwrap().is_none());
        assert_eq!(tokens.check(&Secret::new("x")).unwrap(), Err(TokenProblem::Invalid));

        let config = configure(section);
        tokens.hand_over(tokens.successor(&config).unwrap().unwrap());
        assert!(tokens.hint().is_some() && tokens.is_asked_about(&Secret::new("x")));
        assert!(tokens.successor(&config).unwrap().is_none());
        std::fs::write(&secret, "looking glass\n").unwrap();
        tokens.hand_over(tokens.successor(&config).unwrap().unwrap());
        assert!(tokens.successor(&config).unwrap().is_none());
        // What makes no sense changes nothing.
        let problem = tokens.successor(&configure("introspection = 'nowhere'\n")).err().unwrap();
        assert!(problem.to_string().contains("[oauth] introspection"), "{problem}");
        assert!(tokens.hint().is_some());
        tokens.hand_over(tokens.successor(&configure("")).unwrap().unwrap());
        assert!(tokens.hint().is_none());
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
