//! scenario URL KEY RECEIVER: every operation of the interface that the Rust library svix has.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use svix::api::{EventTypeDeleteOptions, Svix, SvixOptions};
use svix::error::Result;
use svix::models::*;

fn client(url: &str, token: String) -> Svix {
    let options = SvixOptions {
        server_url: Some(url.to_owned()),
        timeout: Some(Duration::from_secs(60)),
        ..Default::default()
    };
    Svix::new(token, Some(options))
}

fn map(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn one(name: &str) -> Option<BTreeSet<String>> {
    Some(BTreeSet::from([name.to_owned()]))
}

async fn application(svix: &Svix) -> Result<String> {
    let api = svix.application();
    let named = |name: &str| ApplicationIn {
        uid: Some("scenario".into()),
        metadata: Some(map("a", "b")),
        ..ApplicationIn::new(name.into())
    };
    let app = api.create(named("One"), None).await?;
    assert_eq!(api.get_or_create(named("Two"), None).await?.name, "One");
    assert_eq!(api.get("scenario".into()).await?, app);
    assert_eq!(api.list(None).await?.data, [app.clone()]);
    let patch = ApplicationPatch {
        name: Some("Patched".into()),
        ..ApplicationPatch::new()
    };
    assert_eq!(api.patch(app.id.clone(), patch).await?.name, "Patched");
    let replaced = api.upsert(app.id.clone(), named("Replaced")).await?;
    assert_eq!(replaced.name, "Replaced");
    Ok(app.id)
}

async fn event_type(svix: &Svix) -> Result<String> {
    let api = svix.event_type();
    let schemas = Some(json!({"1": {"type": "object", "examples": [{"n": 7}]}}));
    let made = EventTypeIn {
        schemas: schemas.clone(),
        ..EventTypeIn::new("invoice.paid".into(), "One".into())
    };
    let kind = api.create(made, None).await?;
    assert_eq!(api.get(kind.name.clone()).await?, kind);
    assert_eq!(api.list(None).await?.data[0].name, kind.name);
    let patch = EventTypePatch {
        description: Some("Two".into()),
        ..EventTypePatch::new()
    };
    let patched = api.patch(kind.name.clone(), patch).await?;
    assert_eq!(patched.description, "Two");
    let replacing = EventTypeUpsertIn {
        schemas,
        ..EventTypeUpsertIn::new("Three".into())
    };
    let replaced = api.upsert(kind.name.clone(), replacing).await?;
    assert_eq!(replaced.description, "Three");
    Ok(kind.name)
}

async fn endpoint(svix: &Svix, app: &str, receiver: &str) -> Result<String> {
    let api = svix.endpoint();
    let app = || app.to_owned();
    let making = EndpointIn {
        uid: Some("hook".into()),
        channels: one("c"),
        metadata: Some(map("a", "b")),
        ..EndpointIn::new(receiver.into())
    };
    let made = api.create(app(), making, None).await?;
    let id = || made.id.clone();
    assert_eq!(api.get(app(), "hook".into()).await?, made);
    assert_eq!(api.list(app(), None).await?.data, [made.clone()]);
    let patch = EndpointPatch {
        description: Some("Patched".into()),
        ..EndpointPatch::new()
    };
    let patched = api.patch(app(), id(), patch).await?;
    assert_eq!(patched.description, "Patched");
    let replacing = EndpointUpsertIn {
        uid: Some("hook".into()),
        ..EndpointUpsertIn::new(receiver.into())
    };
    assert_eq!(api.upsert(app(), id(), replacing).await?.description, "");
    let old = api.get_secret(app(), id()).await?.key;
    let rotate = EndpointSecretRotateIn::new();
    let new = api.rotate_secret(app(), id(), rotate, None).await?.key;
    assert_ne!(new, old);
    assert_eq!(api.get_secret(app(), id()).await?.key, new);
    let headers = EndpointHeadersIn::new(map("x-one", "1"));
    api.set_headers(app(), id(), headers).await?;
    let headers = EndpointHeadersPatchIn::new(map("x-two", "2"));
    api.patch_headers(app(), id(), headers).await?;
    let mut both = map("x-one", "1");
    both.extend(map("x-two", "2"));
    assert_eq!(api.get_headers(app(), id()).await?.headers, both);
    Ok(made.id)
}

async fn first_attempt(svix: &Svix, app: &str, message: &str) -> Result<MessageAttemptOut> {
    let api = svix.message_attempt();
    for _ in 0..600 {
        let list = api.list_by_msg(app.into(), message.into(), None);
        if let Some(made) = list.await?.data.into_iter().next() {
            return Ok(made);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there is no attempt");
}

async fn message(svix: &Svix, app: &str, endpoint: &str, kind: &str) -> Result<()> {
    let (api, attempts, endpoints) = (svix.message(), svix.message_attempt(), svix.endpoint());
    let (app, endpoint) = (|| app.to_owned(), || endpoint.to_owned());
    let sending = MessageIn {
        event_id: Some("event-1".into()),
        channels: one("c"),
        ..MessageIn::new(kind.into(), json!({"n": 1}))
    };
    let sent = api.create(app(), sending, None).await?.id;
    let id = || sent.clone();
    assert_eq!(api.get(app(), "event-1".into(), None).await?.id, sent);
    assert_eq!(api.list(app(), None).await?.data[0].id, sent);
    let made = first_attempt(svix, &app(), &sent).await?;
    assert_eq!(
        (made.status, &made.endpoint_id),
        (MessageStatus::Success, &endpoint())
    );
    let listed = attempts.list_by_endpoint(app(), endpoint(), None).await?;
    assert_eq!(listed.data[0].id, made.id);
    let got = attempts.get(app(), id(), made.id.clone(), None).await?;
    assert_eq!(got.response_status_code, 200);
    let attempted = attempts
        .list_attempted_messages(app(), endpoint(), None)
        .await?;
    assert_eq!(attempted.data[0].id, sent);
    let destinations = attempts
        .list_attempted_destinations(app(), id(), None)
        .await?;
    assert_eq!(destinations.data[0].id, endpoint());
    let stats = endpoints.get_stats(app(), endpoint(), None).await?;
    assert_eq!(stats.success, 1);
    attempts.resend(app(), id(), endpoint(), None).await?;
    let example = EventExampleIn::new(kind.into());
    let example = endpoints
        .send_example(app(), endpoint(), example, None)
        .await?;
    assert_eq!(example.event_type, kind);
    let since = chrono::Utc::now() - chrono::Duration::hours(1);
    let task = endpoints
        .recover(app(), endpoint(), RecoverIn::new(since), None)
        .await?;
    assert!(!task.id.is_empty());
    attempts.expunge_content(app(), id(), made.id).await?;
    api.expunge_content(app(), id()).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, key, receiver] = &arguments[..] else {
        panic!("scenario URL KEY RECEIVER");
    };
    let svix = client(url, key.clone());
    svix.health().get().await?;
    let app = application(&svix).await?;
    let kind = event_type(&svix).await?;
    let hook = endpoint(&svix, &app, receiver).await?;
    message(&svix, &app, &hook, &kind).await?;
    let access = AppPortalAccessIn::new();
    let portal = svix
        .authentication()
        .app_portal_access(app.clone(), access, None)
        .await?;
    assert!(!portal.url.is_empty() && !portal.token.is_empty());
    client(url, portal.token)
        .authentication()
        .logout(None)
        .await?;
    svix.endpoint().delete(app.clone(), hook).await?;
    let expunge = EventTypeDeleteOptions {
        expunge: Some(true),
    };
    svix.event_type().delete(kind, Some(expunge)).await?;
    svix.application().delete(app).await?;
    assert!(svix.application().list(None).await?.data.is_empty());
    Ok(())
}
