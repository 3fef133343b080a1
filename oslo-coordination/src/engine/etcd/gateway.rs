//! Calls of etcd through its gateway.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::error::{GatewayError, UNKNOWN_LEASE, is_unauthenticated};
use super::http::{Connection, Pool, post, read};
use super::options::Settings;
use super::requests::number;
use crate::engine::contract::RequestError;
use crate::engine::lease::Lease;
use crate::net::Address;
use crate::sync::{Mutex, lock};

pub(super) struct Gateway {
    pool: Pool,
    /// The token that the server has given for the password.
    authorization: Mutex<Option<String>>,
}

impl Gateway {
    pub(super) fn new(settings: Settings) -> Self {
        Gateway {
            pool: Pool::new(settings),
            authorization: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> String {
        Address::list(&self.pool.settings().addresses)
    }

    /// Makes sure that a server answers.
    pub(super) async fn check(&self) -> Result<(), RequestError> {
        // The key of a lock without a name; reading it needs a leader, and permission.
        let key = json!({"key": "L3Rvb3ovbG9ja3M="});
        let mut servers = self.pool.settings().addresses.len();
        loop {
            servers -= 1;
            match self.call("kv/range", &key).await {
                Err(error) if error.transient && servers > 0 => {}
                outcome => return outcome.map(drop),
            }
        }
    }

    pub(super) async fn transact(&self, transaction: &Value) -> Result<Value, RequestError> {
        self.call("kv/txn", transaction).await
    }

    pub(super) async fn grant_lease(&self, lease: Lease) -> Result<i64, RequestError> {
        let seconds = lease.duration.as_secs_f64().ceil();
        let answer = self
            .call("lease/grant", &json!({"TTL": seconds.to_string()}))
            .await?;
        Ok(number(&answer["ID"]))
    }

    pub(super) async fn keep_alive(&self, lease: i64) -> Result<(), RequestError> {
        let answer = self
            .call("lease/keepalive", &json!({"ID": lease.to_string()}))
            .await?;
        if number(&answer["result"]["TTL"]) > 0 {
            return Ok(());
        }
        let message = UNKNOWN_LEASE.to_owned();
        Err(RequestError::refused(GatewayError {
            status: None,
            message,
        }))
    }

    /// Waits for an event.
    pub(super) async fn watch(&self, watch: &Value) -> Result<(), RequestError> {
        let (response, connection) = self.send("watch", watch).await?;
        if response.status() != StatusCode::OK {
            return self.answer(response, connection).await.map(drop);
        }
        // An open watch is a connection of its own, closed at its end.
        let mut body = response.into_body();
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(RequestError::unclear)?;
            line.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
            if !line.ends_with(b"\n") {
                continue;
            }
            let answers = std::str::from_utf8(&line)
                .map_err(RequestError::unclear)?
                .lines();
            for answer in answers {
                let answer: Value = serde_json::from_str(answer).map_err(RequestError::unclear)?;
                let result = &answer["result"];
                if result["events"].is_array() {
                    return Ok(());
                }
                if result["canceled"].as_bool() == Some(true) || result.is_null() {
                    return Err(RequestError::unclear(std::io::Error::other(
                        "the watch was cancelled",
                    )));
                }
            }
            line.clear();
        }
        Err(RequestError::unclear(std::io::Error::from(
            std::io::ErrorKind::UnexpectedEof,
        )))
    }

    /// Calls a method and reads its answer. Logs in when that is needed.
    async fn call(&self, method: &str, body: &Value) -> Result<Value, RequestError> {
        let refused = match self.call_once(method, body).await {
            Err(error) if is_unauthenticated(&error) => error,
            outcome => return outcome,
        };
        if !self.log_in().await? {
            return Err(refused);
        }
        self.call_once(method, body).await
    }

    async fn call_once(&self, method: &str, body: &Value) -> Result<Value, RequestError> {
        let limit = self.pool.settings().request_limit;
        let calling = async {
            let (response, connection) = self.send(method, body).await?;
            self.answer(response, connection).await
        };
        let outcome = match timeout(limit, calling).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        };
        if outcome.as_ref().is_err_and(|error| error.unclear) {
            self.pool.turn();
        }
        outcome
    }

    async fn send(
        &self,
        method: &str,
        body: &Value,
    ) -> Result<(Response<Incoming>, Connection), RequestError> {
        let mut connection = self.pool.connection().await?;
        let settings = self.pool.settings();
        let path = format!("/{}/{method}", settings.api);
        let authorization = lock(&self.authorization).clone();
        let request = post(
            &path,
            &settings.host,
            authorization.as_deref(),
            body.to_string(),
        );
        let response = connection
            .send_request(request)
            .await
            .map_err(RequestError::unclear)?;
        Ok((response, connection))
    }

    async fn answer(
        &self,
        response: Response<Incoming>,
        connection: Connection,
    ) -> Result<Value, RequestError> {
        let status = response.status();
        let body = read(response).await.map_err(RequestError::unclear)?;
        self.pool.keep(connection);
        let answer: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| json!({"message": String::from_utf8_lossy(&body)}));
        // An error in the middle of a stream comes with status 200.
        let error = &answer["error"];
        if status == StatusCode::OK && error.is_null() {
            return Ok(answer);
        }
        let texts = [&answer["message"], &error["message"], error];
        let message = texts
            .into_iter()
            .find_map(Value::as_str)
            .unwrap_or("no message");
        let error = GatewayError {
            status: Some(status),
            message: message.to_owned(),
        };
        // A server without a leader, or too slow, may have passed the request on.
        if status.is_server_error() || status == StatusCode::OK {
            return Err(RequestError::unclear(error));
        }
        Err(RequestError::refused(error))
    }

    /// Gets a token for the password of the URL. Returns `false` if there is none.
    async fn log_in(&self) -> Result<bool, RequestError> {
        let settings = self.pool.settings();
        let (Some(name), Some(password)) = (&settings.username, &settings.password) else {
            return Ok(false);
        };
        *lock(&self.authorization) = None;
        let login = json!({"name": name, "password": password});
        let answer = self.call_once("auth/authenticate", &login).await?;
        *lock(&self.authorization) = answer["token"].as_str().map(str::to_owned);
        Ok(true)
    }
}

fn no_answer(limit: Duration) -> std::io::Error {
    let message = format!("no answer within {limit:?}");
    std::io::Error::new(std::io::ErrorKind::TimedOut, message)
}
