//! Verifies what it is given on standard input, as tests/interop/verify.mjs does, by Standard Webhooks' library for Rust.

use base64::{engine::general_purpose::STANDARD, Engine};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::error::Error;
use standardwebhooks::Webhook;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn verify(request: &Value) -> Result<(), Box<dyn Error>> {
    let body = STANDARD.decode(text(&request["body"]))?;
    let mut headers = HeaderMap::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        headers.append(
            HeaderName::from_bytes(text(&header[0]).as_bytes())?,
            HeaderValue::from_str(text(&header[1]))?,
        );
    }
    Ok(Webhook::new(text(&request["secret"]))?.verify(&body, &headers)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let requests: Vec<Value> = serde_json::from_reader(std::io::stdin())?;
    let results: Vec<String> = requests
        .iter()
        .map(|r| verify(r).map_or_else(|e| e.to_string(), |()| "ok".into()))
        .collect();
    println!("{}", serde_json::to_string(&results)?);
    Ok(())
}
