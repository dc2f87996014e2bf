"""The published Python client `svix`, unchanged: another URL and another key is all that a program written with it needs."""
import asyncio
import json
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from receiver import status
from svix import Svix, SvixAsync, SvixOptions, Webhook, WebhookVerificationError
from svix.api import application, endpoint, event_type, message, message_attempt
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (ApplicationIn, ApplicationPatch, EndpointHeadersIn, EndpointHeadersPatchIn, EndpointIn, EndpointPatch,
                         EndpointSecretRotateIn, EndpointUpsertIn, EventTypeImportOpenApiIn, EventTypeIn, EventTypePatch, EventTypeUpsertIn, MessageIn,
                         MessageStatus, Ordering, StatusCodeClass)
from wait import SLOWNESS, wait_for


@pytest.fixture
def svix(server):
    return Svix(server.api_key, SvixOptions(server_url=server.url, timeout=30.0 * SLOWNESS))


@pytest.fixture
def app(svix):
    return svix.application.create(ApplicationIn(name="an application"))


def send(svix, app, kind="invoice.paid", payload=None, **fields):
    """The answer without its payload: that is what the client asks for by itself."""
    sent = svix.message.create(app.id, MessageIn(event_type=kind, payload=payload or {"n": 1}, **fields))
    assert sent.payload == {}
    return sent


def test_first_minute(svix, receiver):
    """What every quick start does, in the client's own words."""
    app = svix.application.create(ApplicationIn(name="Acme", uid=unique("acme")))
    kind = unique("invoice.paid")
    svix.event_type.create(EventTypeIn(name=kind, description="An invoice was paid."))
    made = svix.endpoint.create(app.uid, EndpointIn(url=receiver.url(), event_types=[kind]))
    sent = svix.message.create(app.uid, MessageIn(event_type=kind, event_id="evt-1", payload={"invoice": 42, "ü": ["é", None]}))
    request = receiver.wait()[0]
    secret = svix.endpoint.get_secret(app.uid, made.id).key
    headers = dict(request.headers)
    Webhook(secret).verify(request.body, headers)
    assert json.loads(request.body) == {"invoice": 42, "ü": ["é", None]}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(request.body + b" ", headers)
    whole = message_attempt.MessageAttemptListByMsgOptions(with_content=True)
    attempts = wait_for(lambda: svix.message_attempt.list_by_msg(app.uid, sent.id, whole).data)
    assert [(a.status, a.status_text.value, a.response_status_code, a.response, a.endpoint_id) for a in attempts] == [
        (MessageStatus.SUCCESS, "success", 200, "ok", made.id)]
    assert attempts[0].url == receiver.url() and attempts[0].msg_id == sent.id


def test_applications(svix):
    uid = unique("app")
    made = svix.application.create(ApplicationIn(name="one", uid=uid, metadata={"plan": "gold"}, throttle_rate=10))
    assert made.id.startswith("app_") and made.throttle_rate == 10 and made.metadata == {"plan": "gold"}
    assert abs(made.created_at - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert svix.application.get(made.id) == svix.application.get(uid) == made
    assert svix.application.get_or_create(ApplicationIn(name="two", uid=uid)) == made
    other = unique("app")
    assert svix.application.get_or_create(ApplicationIn(name="two", uid=other)).uid == other
    changed = svix.application.patch(uid, ApplicationPatch(name="patched"))
    assert (changed.id, changed.name, changed.metadata) == (made.id, "patched", {"plan": "gold"})
    replaced = svix.application.upsert(uid, ApplicationIn(name="replaced", uid=uid))
    assert (replaced.id, replaced.name, replaced.metadata) == (made.id, "replaced", {})
    fresh = unique("app")
    assert svix.application.upsert(fresh, ApplicationIn(name="new", uid=fresh)).uid == fresh
    assert svix.application.delete(uid) is None
    with pytest.raises(HttpError) as error:
        svix.application.get(uid)
    assert (error.value.status_code, error.value.code) == (404, "not_found") and error.value.detail


def pages(ask, options):
    found, iterator = [], None
    while True:
        page = ask(options(limit=2, iterator=iterator))
        found += page.data
        if page.done:
            return found
        assert len(page.data) == 2
        iterator = page.iterator


def test_lists_go_on_with_the_iterator(server, receiver):
    """In a tenant of its own, so that the list is exactly what was made."""
    _, key = server.new_tenant("lists")
    svix = Svix(key, SvixOptions(server_url=server.url, timeout=30.0 * SLOWNESS))
    assert svix.application.list().data == []
    apps = [svix.application.create(ApplicationIn(name=str(n))) for n in range(5)]
    assert pages(svix.application.list, application.ApplicationListOptions) == apps
    newest = svix.application.list(application.ApplicationListOptions(order=Ordering.DESCENDING, limit=3)).data
    assert newest == apps[:1:-1]
    app = apps[0]
    types = [svix.event_type.create(EventTypeIn(name=f"t.{n}", description="of a test")) for n in range(5)]
    assert pages(svix.event_type.list, event_type.EventTypeListOptions) == types
    endpoints = [svix.endpoint.create(app.id, EndpointIn(url=receiver.url(f"/{n}"))) for n in range(5)]
    assert pages(lambda o: svix.endpoint.list(app.id, o), endpoint.EndpointListOptions) == endpoints[::-1]
    messages = [send(svix, app, payload={"n": n}) for n in range(5)]
    assert pages(lambda o: svix.message.list(app.id, o), message.MessageListOptions) == messages[::-1]
    receiver.wait(25)
    attempts = wait_for(lambda: len(a := pages(lambda o: svix.message_attempt.list_by_msg(app.id, messages[0].id, o),
                                               message_attempt.MessageAttemptListByMsgOptions)) == 5 and a)
    assert {a.endpoint_id for a in attempts} == {e.id for e in endpoints}
    attempts = wait_for(lambda: len(a := pages(lambda o: svix.message_attempt.list_by_endpoint(app.id, endpoints[0].id, o),
                                               message_attempt.MessageAttemptListByEndpointOptions)) == 5 and a)
    assert {a.msg_id for a in attempts} == {m.id for m in messages}


def test_event_types_from_an_openapi_document(svix):
    name = unique("imported")
    document = {"openapi": "3.1.0", "webhooks": {name: {"post": {
        "summary": "Of a test.", "tags": ["tests"], "x-feature-flag": "beta",
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/It"}}}}}}},
        "components": {"schemas": {"It": {"type": "object"}}}}
    told = svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec_raw=json.dumps(document), dry_run=True)).data
    assert told.modified == [] and [(t.name, t.feature_flags, t.group_name) for t in told.to_modify] == [(name, ["beta"], "tests")]
    assert svix.event_type.import_openapi(EventTypeImportOpenApiIn(spec=document)).data.modified == [name]
    made = svix.event_type.get(name)
    assert (made.description, made.schemas, made.group_name, made.feature_flags) == ("Of a test.", {"1": {"type": "object"}}, "tests", ["beta"])


def test_event_types(svix):
    name = unique("type")
    schema = {"1": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    made = svix.event_type.create(EventTypeIn(name=name, description="one", schemas=schema))
    assert (made.name, made.description, made.schemas, made.archived, made.deprecated) == (name, "one", schema, False, False)
    assert svix.event_type.get(name) == made
    with pytest.raises(HttpError) as error:
        svix.event_type.create(EventTypeIn(name=name, description="again"))
    assert (error.value.status_code, error.value.code) == (409, "event_type_exists")
    assert svix.event_type.patch(name, EventTypePatch(description="two")).description == "two"
    assert svix.event_type.upsert(name, EventTypeUpsertIn(description="three", deprecated=True)).deprecated is True
    svix.event_type.delete(name)
    assert svix.event_type.get(name).archived is True
    assert svix.event_type.create(EventTypeIn(name=name, description="revived")).archived is False
    svix.event_type.delete(name, event_type.EventTypeDeleteOptions(expunge=True))
    with pytest.raises(HttpError) as error:
        svix.event_type.get(name)
    assert error.value.status_code == 404


def test_endpoints(svix, app, receiver):
    kind = unique("type")
    svix.event_type.create(EventTypeIn(name=kind, description="of a test"))
    made = svix.endpoint.create(app.id, EndpointIn(
        url=receiver.url("/a"), uid="hook", description="d", event_types=[kind], channels=["c"], metadata={"k": "v"},
        throttle_rate=5, secret="whsec_" + "B" * 32))
    assert made.id.startswith("ep_")
    assert (made.url, made.uid, made.description, made.event_types, made.channels, made.metadata, made.throttle_rate, made.disabled) == (
        receiver.url("/a"), "hook", "d", [kind], ["c"], {"k": "v"}, 5, False)
    assert svix.endpoint.get(app.id, "hook") == svix.endpoint.get(app.id, made.id) == made
    assert svix.endpoint.get_secret(app.id, "hook").key == "whsec_" + "B" * 32
    patched = svix.endpoint.patch(app.id, "hook", EndpointPatch(disabled=True))
    assert (patched.disabled, patched.channels) == (True, ["c"])
    replaced = svix.endpoint.upsert(app.id, "hook", EndpointUpsertIn(url=receiver.url("/b"), uid="hook"))
    assert (replaced.id, replaced.url, replaced.disabled, replaced.channels, replaced.description) == (
        made.id, receiver.url("/b"), False, None, "")
    assert svix.endpoint.upsert(app.id, "other", EndpointUpsertIn(url=receiver.url("/c"), uid="other")).id != made.id
    svix.endpoint.delete(app.id, "other")
    with pytest.raises(HttpError) as error:
        svix.endpoint.get(app.id, "other")
    assert error.value.status_code == 404


def test_endpoint_headers(svix, app, receiver):
    made = svix.endpoint.create(app.id, EndpointIn(url=receiver.url()))
    svix.endpoint.set_headers(app.id, made.id, EndpointHeadersIn(headers={"X-One": "1", "Authorization": "Basic x"}))
    got = svix.endpoint.get_headers(app.id, made.id)
    assert got.headers == {"X-One": "1"} and got.sensitive == ["Authorization"]
    svix.endpoint.patch_headers(app.id, made.id, EndpointHeadersPatchIn(headers={"X-Two": "2"}))
    assert svix.endpoint.get_headers(app.id, made.id).headers == {"X-One": "1", "X-Two": "2"}
    send(svix, app)
    request = receiver.wait()[0]
    assert (request.header("x-one"), request.header("x-two"), request.header("authorization")) == ("1", "2", "Basic x")


def test_secret_rotation(svix, app, receiver):
    """From 2.9 on the client reads the new secret from the answer; before it asked for it."""
    made = svix.endpoint.create(app.id, EndpointIn(url=receiver.url()))
    old = svix.endpoint.get_secret(app.id, made.id).key
    middle = svix.endpoint.rotate_secret(app.id, made.id, EndpointSecretRotateIn()).key
    assert svix.endpoint.get_secret(app.id, made.id).key == middle
    own = EndpointSecretRotateIn(key="whsec_" + "C" * 32, grace_period_seconds=60)
    new = svix.endpoint.rotate_secret(app.id, made.id, own).key
    assert svix.endpoint.get_secret(app.id, made.id).key == new == own.key
    assert len({old, middle, new}) == 3
    send(svix, app)
    request = receiver.wait()[0]
    for secret in (old, middle, new):
        Webhook(secret).verify(request.body, dict(request.headers))


def test_messages(svix, app, receiver):
    svix.endpoint.create(app.id, EndpointIn(url=receiver.url()))
    event_id = unique("event")
    given = MessageIn(event_type="invoice.paid", payload={"n": 1.5}, event_id=event_id, channels=["a", "b"], tags=["t"],
                      payload_retention_period=30)
    whole = svix.message.create(app.id, given, message.MessageCreateOptions(with_content=True))
    assert whole.id.startswith("msg_")
    assert (whole.event_type, whole.event_id, whole.channels, whole.payload, whole.tags) == (
        "invoice.paid", event_id, ["a", "b"], {"n": 1.5}, ["t"])
    assert svix.message.get(app.id, event_id, message.MessageGetOptions(with_content=True)) == whole
    sent = svix.message.get(app.id, whole.id)
    assert sent.payload == {} and sent.id == whole.id
    later = send(svix, app, "other.type", channels=["c"])
    options = message.MessageListOptions
    assert svix.message.list(app.id, options(channel="a", with_content=True)).data == [whole]
    assert svix.message.list(app.id, options(channel="a")).data == [sent]
    assert svix.message.list(app.id, options(event_types=["other.type", "no.such"])).data == [later]
    assert svix.message.list(app.id, options(tag="t")).data == [sent]
    hour = timedelta(hours=1)
    assert svix.message.list(app.id, options(after=sent.timestamp - hour, before=sent.timestamp + hour)).data == [later, sent]
    assert svix.message.list(app.id, options(before=sent.timestamp - hour)).data == []
    with pytest.raises(HttpError) as error:
        send(svix, app, event_id=event_id)
    assert (error.value.status_code, error.value.code) == (409, "conflict")
    assert len(receiver.wait(2)) == 2


def test_application_given_with_the_message_is_made(svix, receiver):
    uid = unique("app")
    sent = svix.message.create(uid, MessageIn(event_type="a.b", payload={"n": 1}, application=ApplicationIn(name="Made", uid=uid)))
    assert svix.application.get(uid).name == "Made"
    svix.endpoint.create(uid, EndpointIn(url=receiver.url()))
    second = svix.message.create(uid, MessageIn(event_type="a.b", payload={"n": 2}, application=ApplicationIn(name="Again", uid=uid)))
    assert svix.application.get(uid).name == "Made"
    assert [r.body for r in receiver.wait()] == [b'{"n":2}']
    assert [m.id for m in svix.message.list(uid).data] == [second.id, sent.id]


def test_idempotency_key_makes_one_message(svix, app, receiver):
    svix.endpoint.create(app.id, EndpointIn(url=receiver.url()))
    options = message.MessageCreateOptions(idempotency_key=unique("key"))
    body = MessageIn(event_type="a.b", payload={"n": 1})
    first = svix.message.create(app.id, body, options)
    assert svix.message.create(app.id, body, options) == first
    assert svix.message.create(app.id, body).id != first.id, "by itself the client sends a new key with every request"
    assert len(receiver.wait(2)) == len(svix.message.list(app.id).data) == 2


def test_attempts(svix, app, receiver):
    receiver.script("/bad", status(500, b"broken"), status(500, b"broken"))
    good = svix.endpoint.create(app.id, EndpointIn(url=receiver.url("/good")))
    bad = svix.endpoint.create(app.id, EndpointIn(url=receiver.url("/bad")))
    sent = send(svix, app, channels=["c"])
    api, m = svix.message_attempt, message_attempt
    whole = m.MessageAttemptListByMsgOptions(with_content=True)
    found = wait_for(lambda: len(a := api.list_by_msg(app.id, sent.id, whole).data) == 2 and a)
    assert {(a.endpoint_id, a.status, a.response_status_code, a.response) for a in found} == {
        (good.id, MessageStatus.SUCCESS, 200, "ok"), (bad.id, MessageStatus.FAIL, 500, "broken")}
    for one in found:
        assert api.get(app.id, sent.id, one.id) == one

    def by_msg(**more):
        return [a.endpoint_id for a in api.list_by_msg(app.id, sent.id, m.MessageAttemptListByMsgOptions(**more)).data]

    def by_endpoint(which, **more):
        return [a.msg_id for a in api.list_by_endpoint(app.id, which.id, m.MessageAttemptListByEndpointOptions(**more)).data]

    assert by_msg(status=MessageStatus.FAIL) == by_msg(status_code_class=StatusCodeClass.CODE5XX) == by_msg(endpoint_id=bad.id) == [bad.id]
    assert by_endpoint(good) == by_endpoint(good, channel="c") == by_endpoint(good, event_types=["invoice.paid"]) == [sent.id]
    assert by_endpoint(good, channel="d") == by_endpoint(good, status=MessageStatus.FAIL) == []
    listed = {d.id: d for d in api.list_attempted_destinations(app.id, sent.id).data}
    assert listed[good.id].status == MessageStatus.SUCCESS and listed[good.id].next_attempt is None
    assert listed[bad.id].status == MessageStatus.SENDING and listed[bad.id].next_attempt > datetime.now(timezone.utc)
    attempted = api.list_attempted_messages(app.id, bad.id).data
    assert [(a.id, a.status) for a in attempted] == [(sent.id, MessageStatus.SENDING)]
    stats = svix.endpoint.get_stats(app.id, good.id)
    assert (stats.success, stats.fail, stats.pending, stats.sending) == (1, 0, 0, 0)
    stats = svix.endpoint.get_stats(app.id, bad.id)
    assert stats.success == 0 and stats.sending + stats.fail + stats.pending == 1
    svix.endpoint.delete(app.id, bad.id)


@pytest.mark.parametrize("call, where", [
    (lambda s, a: s.application.create(ApplicationIn(name="")), "name"),
    (lambda s, a: s.endpoint.create(a.id, EndpointIn(url="ftp://x")), "url"),
    (lambda s, a: s.endpoint.create(a.id, EndpointIn(url="https://example.com", channels=["with space"])), "channels"),
    (lambda s, a: s.message.create(a.id, MessageIn(event_type="with space", payload={})), "eventType"),
    (lambda s, a: s.message.create(a.id, MessageIn(event_type="a", payload={}, payload_retention_period=4)), "payloadRetentionPeriod"),
    (lambda s, a: s.application.list(application.ApplicationListOptions(limit=251)), "limit"),
])
def test_wrong_fields_are_its_validation_error(svix, app, call, where):
    with pytest.raises(HTTPValidationError) as error:
        call(svix, app)
    assert error.value.status_code == 422
    assert where in error.value.detail[0].loc and error.value.detail[0].msg and error.value.detail[0].type


def test_wrong_key_is_its_http_error(server):
    svix = Svix("testsk_wrong.eu", SvixOptions(server_url=server.url, timeout=30.0))
    with pytest.raises(HttpError) as error:
        svix.application.list()
    assert (error.value.status_code, error.value.code) == (401, "authentication_failed")


def test_foreign_objects_are_not_found(server, svix, app, other_tenant):
    foreign = Svix(other_tenant[1], SvixOptions(server_url=server.url, timeout=30.0))
    for call in (lambda: foreign.application.get(app.id), lambda: foreign.endpoint.list(app.id), lambda: send(foreign, app)):
        with pytest.raises(HttpError) as error:
            call()
        assert error.value.status_code == 404


def test_health(svix):
    assert svix.health.get() is None


def test_server_url_may_end_with_a_slash(server):
    svix = Svix(server.api_key, SvixOptions(server_url=server.url + "/", timeout=30.0))
    assert svix.application.create(ApplicationIn(name="slash")).name == "slash"


def test_operation_that_we_do_not_have_is_its_http_error(svix):
    """It is told so as JSON, which the client cannot do without."""
    with pytest.raises(HttpError) as error:
        svix.integration.list("app_nobody")
    assert error.value.status_code == 404 and error.value.code == "not_found"


def test_asynchronous_client(server, receiver):
    async def use():
        svix = SvixAsync(server.api_key, SvixOptions(server_url=server.url, timeout=30.0 * SLOWNESS))
        app = await svix.application.create(ApplicationIn(name="async"))
        await svix.endpoint.create(app.id, EndpointIn(url=receiver.url()))
        sent = await asyncio.gather(*[svix.message.create(app.id, MessageIn(event_type="a", payload={"n": n})) for n in range(20)])
        return app, sent

    app, sent = asyncio.run(use())
    assert {r.header("webhook-id") for r in receiver.wait(20)} == {m.id for m in sent}
