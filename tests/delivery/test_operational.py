"""Events about endpoints and deliveries, sent to the tenant's operational endpoints."""
import json
import re

import pytest
from client import unique
from invariants import check, owed, uuid_of
from receiver import ok, status
from wait import wait_for

PATH = "/operational-webhook/endpoint"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def node(start_node):
    return start_node(POSTHORN_RETRY_SCHEDULE="0,0,0,0,0", POSTHORN_RETRY_JITTER_PERCENT=0, POSTHORN_BREAKER_FAILURES=0)


@pytest.fixture
def api(node):
    with node.api() as client:
        yield client


@pytest.fixture
def hook(new_receiver):
    """The receiver of the endpoints that events are about."""
    return new_receiver()


def listen(api, receiver, *event_types, path="/ops", **fields):
    return api.expect(201, "POST", PATH, json={"url": receiver.url(path), "eventTypes": list(event_types) or None, **fields})


def events(receiver, path="/ops"):
    return [json.loads(r.body) for r in receiver.got(path)]


def wait_types(receiver, *types, path="/ops"):
    """The events that came, when they are of these types; in any order."""
    receiver.wait(len(types), path)
    assert sorted(e["type"] for e in events(receiver, path)) == sorted(types)
    return events(receiver, path)


def ids(app, endpoint):
    return {"appId": app["id"], "appUid": app["uid"], "endpointId": endpoint["id"], "endpointUid": endpoint["uid"]}


def test_changes_of_an_endpoint_are_told(api, receiver):
    listen(api, receiver)
    app = api.new_app(uid=unique("app"))
    endpoint = api.new_endpoint(app, "http://127.0.0.1:9/", uid=unique("ep"))
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    expected = ["endpoint.created"]
    assert wait_types(receiver, *expected) == [{"type": "endpoint.created", "data": ids(app, endpoint)}]
    for change, types in (({"description": "new"}, ["endpoint.updated"]), ({"disabled": True}, ["endpoint.updated", "endpoint.disabled"]),
                          ({"disabled": True}, ["endpoint.updated"]), ({"disabled": False}, ["endpoint.updated", "endpoint.enabled"])):
        api.expect(200, "PATCH", path, json=change)
        expected += types
        assert all(e["data"] == ids(app, endpoint) for e in wait_types(receiver, *expected))
    api.expect(204, "DELETE", path)
    expected.append("endpoint.deleted")
    assert all(e["data"] == ids(app, endpoint) for e in wait_types(receiver, *expected))


def test_they_are_signed_messages_like_others(api, receiver, signature):
    endpoint = listen(api, receiver)
    api.expect(204, "PUT", f"{PATH}/{endpoint['id']}/headers", json={"headers": {"X-Custom": "value"}})
    secret = api.expect(200, "GET", f"{PATH}/{endpoint['id']}/secret")["key"]
    api.new_endpoint(api.new_app(), "http://127.0.0.1:9/")
    request = receiver.wait(1, "/ops")[0]
    assert request.header("webhook-signature") == signature(secret, request)
    assert request.header("webhook-id").startswith("msg_") and request.header("x-custom") == "value"
    assert request.header("content-type") == "application/json"


def test_only_what_an_endpoint_asked_for(api, receiver):
    listen(api, receiver, "endpoint.deleted", path="/some")
    listen(api, receiver, path="/all")
    listen(api, receiver, path="/none", disabled=True)
    app = api.new_app()
    endpoint = api.new_endpoint(app, "http://127.0.0.1:9/")
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}")
    wait_types(receiver, "endpoint.created", "endpoint.deleted", path="/all")
    wait_types(receiver, "endpoint.deleted", path="/some")
    assert not receiver.got("/none")


def test_a_delivery_that_fails_recovers(api, node, receiver, hook):
    listen(api, receiver, "message.attempt.failing", "message.attempt.recovered", "message.attempt.exhausted")
    app = api.new_app(uid=unique("app"))
    endpoint = api.new_endpoint(app, hook.url(), uid=unique("ep"))
    hook.script("/hook", *[status(500)] * 3, ok())
    api.send(app)
    hook.wait(4)
    hook.script("/hook", *[status(503)] * 4, ok())
    event_id = unique("event")
    message = api.send(app, eventId=event_id)
    failing, recovered = sorted(wait_types(receiver, "message.attempt.failing", "message.attempt.recovered"), key=lambda e: e["type"])
    attempts = {a["id"]: a for a in api.wait_attempts(app, message, 5)}
    for event, code in ((failing, 503), (recovered, 200)):
        last = event["data"].pop("lastAttempt")
        assert event["data"] == {**ids(app, endpoint), "msgId": message["id"], "msgEventId": event_id}
        assert attempts[last["id"]]["responseStatusCode"] == last["responseStatusCode"] == code
        assert TIME.fullmatch(last["timestamp"])
    numbered = [a["id"] for a in reversed(api.attempts(app, message))]
    check(node)
    assert len(numbered) == 5


def test_a_delivery_that_is_given_up_is_told_once(api, node, receiver, hook):
    listen(api, receiver, "message.attempt.failing", "message.attempt.exhausted")
    hook.default = status(500)
    app = api.new_app()
    endpoint = api.new_endpoint(app, hook.url())
    messages = [api.send(app) for _ in range(20)]
    came = wait_types(receiver, *["message.attempt.failing"] * 20, *["message.attempt.exhausted"] * 20)
    for kind in ("failing", "exhausted"):
        assert sorted(e["data"]["msgId"] for e in came if e["type"].endswith(kind)) == sorted(m["id"] for m in messages)
    assert all(e["data"]["endpointId"] == endpoint["id"] and e["data"]["msgEventId"] is None for e in came)
    wait_for(lambda: owed(node) == 0, 10)
    assert len(receiver.got("/ops")) == 40
    check(node)


def test_an_endpoint_that_disables_itself_is_told(api, receiver, hook):
    listen(api, receiver, "endpoint.disabled")
    hook.default = status(410)
    app = api.new_app()
    endpoint = api.new_endpoint(app, hook.url())
    api.send(app)
    assert wait_types(receiver, "endpoint.disabled") == [{"type": "endpoint.disabled", "data": ids(app, endpoint)}]


def test_the_end_of_a_background_task_is_told(api, receiver, hook):
    listen(api, receiver, "background_task.finished")
    app = api.new_app()
    endpoint = api.new_endpoint(app, hook.url())
    task = api.expect(202, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/recover", json={"since": "2024-01-01T00:00:00Z"})
    (event,) = wait_types(receiver, "background_task.finished")
    assert event["data"].pop("data")["since"] == "2024-01-01T00:00:00.000Z"
    assert event["data"] == {"taskId": task["id"], "task": task["task"], "status": "finished"}


def test_events_about_operational_endpoints_are_none(api, node, receiver):
    """A failing operational endpoint must not make events about its own failures."""
    receiver.default = status(500)
    broken = listen(api, receiver)
    api.expect(200, "PUT", f"{PATH}/{broken['id']}", json={"url": receiver.url("/ops"), "description": "changed"})
    listen(api, receiver, path="/second")
    api.new_endpoint(api.new_app(), "http://127.0.0.1:9/")
    wait_for(lambda: len(receiver.got("/ops")) == len(receiver.got("/second")) == 6 and owed(node) == 0, 15)
    assert {e["type"] for e in events(receiver) + events(receiver, "/second")} == {"endpoint.created"}
    with node.database.database() as rows:
        assert rows.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    check(node)


def test_one_tenant_hears_nothing_of_another(node, api, receiver, hook):
    listen(api, receiver)
    hook.default = status(500)
    with node.api(node.database.new_tenant("other")[1]) as other:
        app = other.new_app()
        endpoint = other.new_endpoint(app, hook.url())
        other.send(app)
        hook.wait(6)
        other.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}")
        wait_for(lambda: owed(node) == 0, 10)
    with node.database.database() as rows:
        assert rows.execute("SELECT count(*) FROM messages WHERE tenant_id = %s", [uuid_of(node.tenant_id)]).fetchone() == (0,)
    assert not receiver.got()


def test_nothing_is_stored_for_nobody(node, api, receiver, hook):
    """Neither without operational endpoints nor with ones that want something else."""
    hook.default = status(500)
    app = api.new_app()
    api.new_endpoint(app, hook.url())
    listen(api, receiver, "endpoint.deleted")
    api.send(app)
    hook.wait(6)
    wait_for(lambda: owed(node) == 0, 10)
    with node.database.database() as rows:
        assert rows.execute("SELECT count(*) FROM messages").fetchone() == (1,)
