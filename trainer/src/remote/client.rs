//! One request over HTTP, and what became of it. The only place that knows the key.
//!
//! The key is read from the environment, sent as `Authorization: Bearer`, and nowhere else: its `Debug` is three stars, redirects are
//! not followed, and what a server says is searched for it before it is passed on.

use super::answer::{Answer, message};
use super::retry;
use crate::config::RemoteSettings;
use crate::error::{Error, Result};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use std::fmt;
use std::time::{Duration, SystemTime};

/// Shorter keys are placeholders (`EMPTY`, `none`) that local servers want, and may be words of a program.
const SHORTEST_KEY: usize = 8;

/// A key, which is shown nowhere.
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    pub fn new(key: String) -> Self {
        Secret(key)
    }

    /// `text` without the key.
    pub fn hide(&self, text: String) -> String {
        if self.0.len() >= SHORTEST_KEY { text.replace(&self.0, "***") } else { text }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may pass: what happened, and how long the server asks to be left alone.
    Passing(String, Option<Duration>),
    /// It will not.
    Final(Error),
}

/// A server.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<Secret>,
    /// The variable that should hold a key and does not.
    missing: Option<String>,
    /// What the policy is called, the address and the model, for messages.
    who: String,
}

impl Client {
    /// A client for these settings, with the key that `variable` gives.
    ///
    /// # Errors
    /// When the system has no certificates to check the server's with, or the address is none.
    pub fn new(settings: &RemoteSettings, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let RemoteSettings { name, base_url, model, timeout_s, .. } = settings;
        let base_url = base_url.trim_end_matches('/');
        let url = format!("{base_url}/chat/completions");
        let who = format!("{name} ({model} at {base_url})");
        let refused = |e: &dyn fmt::Display| Error::Usage(format!("{who}: {e}"));
        let parsed = reqwest::Url::parse(&url).map_err(|e| refused(&e))?;
        // Fails when a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .timeout(Duration::from_secs_f64(*timeout_s))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("novice/", env!("CARGO_PKG_VERSION")));
        if parsed.scheme() == "http" {
            http = http.tls_certs_only([]); // no certificate is needed
        }
        if matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| refused(&chain(&e)))?;
        let key = settings.key_variable().and_then(|name| variable(name).filter(|key| !key.trim().is_empty()));
        let missing = settings.key_variable().filter(|_| key.is_none()).map(String::from);
        Ok(Client { http, url, key: key.map(|key| Secret::new(key.trim().into())), missing, who })
    }

    /// What the policy is called, the address and the model.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Sends a body once.
    pub async fn post(&self, body: String) -> Result<Answer, Failure> {
        if let Some(variable) = &self.missing {
            return Err(Failure::Final(Error::Usage(format!(
                "{}: the environment variable {variable} holds no key; set it, name another with `key_env`, or say \
                 `key_env: \"\"` if none is needed",
                self.who
            ))));
        }
        let request = self.http.post(&self.url).headers(self.headers()?).body(body);
        let response = request.send().await.map_err(|e| self.lost(e))?;
        let (status, asked) = (response.status(), asked(response.headers()));
        let bytes = response.bytes().await.map_err(|e| self.lost(e))?;
        if status == StatusCode::OK {
            let answer = Answer::read(&bytes).map_err(|why| Failure::Passing(self.hide(why), asked))?;
            return Ok(Answer { text: self.hide(answer.text), finish: answer.finish.map(|f| self.hide(f)), ..answer });
        }
        let said = self.hide(message(&bytes));
        if retry::passes(status) {
            return Err(Failure::Passing(format!("status {status}: {said}"), asked));
        }
        Err(Failure::Final(Error::Failed(format!(
            "{}: the server refuses (status {status}): {said}\n{}",
            self.who,
            self.advice(status)
        ))))
    }

    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(Secret(key)) = &self.key {
            let unfit = |_| Error::Usage(format!("{}: the key holds characters that no header can", self.who));
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(unfit).map_err(Failure::Final)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }

    fn hide(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.hide(text),
            None => text,
        }
    }

    /// A request that got no answer, or not all of it.
    fn lost(&self, error: reqwest::Error) -> Failure {
        let text = self.hide(chain(&error.without_url()));
        Failure::Passing(text, None)
    }

    fn advice(&self, status: StatusCode) -> String {
        match status.as_u16() {
            401 | 403 if self.key.is_none() => {
                "no key was sent: name the environment variable that holds it with `key_env`".into()
            }
            401 | 403 => {
                "check the key in the environment variable that `key_env` names, and that it may use this model".into()
            }
            404 => "check `base_url` (most end in `/v1`) and `model`".into(),
            300..=399 => "the address has moved: put the new one into `base_url`".into(),
            _ => "check `model`, `sampling`, `max_new_tokens` and `extra` (`extra: {FIELD: null}` leaves a field out)"
                .into(),
        }
    }
}

/// For how long the server asks to be left alone.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    retry::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let settings = RemoteSettings { key_env: Some("K".into()), name: "n".into(), ..Default::default() };
        let client = Client::new(&settings, |name| Some(format!("  secret-of-{name}\n"))).unwrap();
        assert!(!format!("{client:?} {:?}", client.headers()).contains("secret"));
        assert_eq!(client.headers().unwrap()[AUTHORIZATION], "Bearer secret-of-K");
        assert_eq!(client.hide("it is secret-of-K!".into()), "it is ***!");
        assert_eq!(Secret::new("x".into()).hide("x = 1".into()), "x = 1");
    }
}
