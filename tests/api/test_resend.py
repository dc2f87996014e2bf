"""Sending one message once more, cancelling what is owed, and how endpoints and event types are to be served."""
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from history import History, to_uuid

NOWHERE = "http://127.0.0.1:9/"


def ago(minutes):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def path(app, message, endpoint):
    return f"/app/{app['id']}/msg/{message}/endpoint/{endpoint}/resend"


def test_a_message_is_sent_once_more(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), uid=unique("ep"))
    message = api.send(app, {"n": 1}, eventId=unique("event"))
    receiver.wait(1)
    api.wait_attempts(app, message, 1)
    assert api.expect(202, "POST", path(app, message["id"], endpoint["id"])) == {}
    receiver.wait(2)
    api.wait_attempts(app, message, 2)
    assert api.expect(202, "POST", path(app, message["eventId"], endpoint["uid"])) == {}
    requests = receiver.wait(3)
    assert len({r.body for r in requests}) == 1
    assert {r.header("webhook-id") for r in requests} == {message["id"]}
    assert [a["triggerType"] for a in api.wait_attempts(app, message, 3)] == [1, 1, 0]


def test_only_the_one_endpoint_gets_it(api, app, receiver):
    endpoints = [api.new_endpoint(app, receiver.url(p)) for p in ("/a", "/b")]
    message = api.send(app)
    receiver.wait(1, "/a"), receiver.wait(1, "/b")
    api.wait_attempts(app, message, 2)
    api.expect(202, "POST", path(app, message["id"], endpoints[0]["id"]))
    receiver.wait(2, "/a")
    api.wait_attempts(app, message, 3)
    assert len(receiver.got("/b")) == 1


def test_a_disabled_endpoint_is_refused(api, app, history):
    endpoint = api.new_endpoint(app, NOWHERE, disabled=True)
    message = history.message()
    refused = api.expect(409, "POST", path(app, message, endpoint["id"]))
    assert refused == {"code": "conflict", "detail": "The endpoint is disabled, or the message is not due yet."}


def test_an_expired_payload_is_refused(api, app, history):
    endpoint = api.new_endpoint(app, NOWHERE)
    message = history.message(minutes=5, expires_in=-1)
    assert "expired" in api.expect(422, "POST", path(app, message, endpoint["id"]))["detail"]


@pytest.mark.parametrize("what", ["app", "message", "endpoint"])
def test_what_is_not_there(api, app, history, what):
    endpoint, message = api.new_endpoint(app, NOWHERE, paused=True), history.message()
    names = {"app": app["id"], "message": message, "endpoint": endpoint["id"]}
    names[what] = unique("nothing")
    api.expect(404, "POST", f"/app/{names['app']}/msg/{names['message']}/endpoint/{names['endpoint']}/resend")


def test_another_tenant_can_do_none_of_it(api, other, app, history):
    endpoint = api.new_endpoint(app, NOWHERE, paused=True)
    message = history.message()
    base = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    other.expect(404, "POST", path(app, message, endpoint["id"]))
    for action in ("recover", "bulk-replay", "replay-missing"):
        other.expect(404, "POST", f"{base}/{action}", json={"since": ago(5)})
    other.expect(404, "POST", f"{base}/cancel-msgs", json={"createdBefore": ago(0)})
    other.expect(404, "POST", f"{base}/send-example", json={"eventType": "a.b"})
    other.expect(404, "POST", f"{base}/msg/test-attempt", json={"eventType": "a.b", "payload": {}})
    task = api.expect(202, "POST", f"{base}/recover", json={"since": ago(5)})
    other.expect(404, "GET", f"/background-task/{task['id']}")
    other.expect(404, "POST", f"/background-task/{task['id']}/cancel")
    assert task["id"] not in [t["id"] for t in other.pages("/background-task")]


def owed(history, endpoint):
    rows = history.db.execute("SELECT message_id FROM deliveries WHERE endpoint_id = %s", (to_uuid(endpoint["id"]),))
    return {row[0] for row in rows}


def test_what_is_owed_of_older_messages_is_cancelled(api, app, history):
    endpoint, neighbour = api.new_endpoint(app, NOWHERE, paused=True), api.new_endpoint(app, NOWHERE, paused=True)
    old, new = history.message(minutes=20), history.message(minutes=1)
    for message in (old, new):
        history.delivery(message, endpoint)
    history.delivery(old, neighbour)
    answer = api.post(f"/app/{app['id']}/endpoint/{endpoint['id']}/cancel-msgs", {"createdBefore": ago(10)})
    assert (answer.status_code, answer.content) == (204, b"")
    assert owed(history, endpoint) == {to_uuid(new)}
    assert owed(history, neighbour) == {to_uuid(old)}
    api.expect(204, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/cancel-msgs", json={"createdBefore": ago(-60)})
    assert owed(history, endpoint) == set()


@pytest.mark.parametrize("body", [{}, {"createdBefore": None}, {"createdBefore": "yesterday"}, {"createdBefore": 5}])
def test_cancelling_needs_a_time(api, app, body):
    endpoint = api.new_endpoint(app, NOWHERE)
    faults = api.expect(422, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/cancel-msgs", json=body)
    assert faults["detail"][0]["loc"] == ["body", "createdBefore"]


SERVICE = {"paused": True, "ordering": "fifo", "retrySchedule": [0, 5, 2592000]}
PLAIN = {"paused": False, "ordering": None, "retrySchedule": None}


def of(endpoint, members):
    return {name: endpoint[name] for name in members}


def test_how_an_endpoint_is_served_is_read_and_written(api, app):
    endpoint = api.new_endpoint(app, NOWHERE)
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    assert of(endpoint, PLAIN) == PLAIN
    assert (endpoint["disabledReason"], endpoint["failingSince"]) == (None, None)
    assert of(api.expect(200, "PATCH", where, json=SERVICE), SERVICE) == SERVICE
    assert of(api.expect(200, "GET", where), SERVICE) == SERVICE
    assert of(api.pages(f"/app/{app['id']}/endpoint")[0], SERVICE) == SERVICE
    assert of(api.expect(200, "PATCH", where, json={"description": "x"}), SERVICE) == SERVICE
    assert of(api.expect(200, "PATCH", where, json={"paused": False}), SERVICE) == {**SERVICE, "paused": False}
    assert api.expect(200, "PATCH", where, json={"retrySchedule": []})["retrySchedule"] == []
    assert of(api.expect(200, "PATCH", where, json={"ordering": None, "retrySchedule": None}), PLAIN) == PLAIN
    assert of(api.expect(200, "PUT", where, json={"url": NOWHERE, **SERVICE}), SERVICE) == SERVICE
    assert of(api.expect(200, "PUT", where, json={"url": NOWHERE}), PLAIN) == PLAIN
    assert of(api.new_endpoint(app, NOWHERE, **SERVICE), SERVICE) == SERVICE


@pytest.mark.parametrize("member, value", [
    ("paused", None), ("paused", "yes"), ("ordering", "lifo"), ("ordering", True),
    ("retrySchedule", "5"), ("retrySchedule", [-1]), ("retrySchedule", [2592001]), ("retrySchedule", [1.5]),
    ("retrySchedule", [None]), ("retrySchedule", [1] * 31)])
def test_how_an_endpoint_is_not_served(api, app, member, value):
    endpoint = api.new_endpoint(app, NOWHERE)
    where = f"/app/{app['id']}/endpoint"
    for method, at in (("POST", where), ("PUT", f"{where}/{endpoint['id']}"), ("PATCH", f"{where}/{endpoint['id']}")):
        faults = api.expect(422, method, at, json={"url": NOWHERE, member: value})
        assert faults["detail"][0]["loc"] == ["body", member]


def test_thirty_waits_are_allowed(api, app):
    waits = list(range(30))
    assert api.new_endpoint(app, NOWHERE, retrySchedule=waits)["retrySchedule"] == waits


def test_read_only_members_are_not_written(api, app):
    endpoint = api.new_endpoint(app, NOWHERE, disabledReason="mine", failingSince=ago(5))
    assert (endpoint["disabledReason"], endpoint["failingSince"]) == (None, None)


def test_enabling_forgets_why_it_was_disabled(api, app, history):
    endpoint = api.new_endpoint(app, NOWHERE)
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    history.db.execute("UPDATE endpoints SET disabled = true, disabled_reason = 'no good', failing_since = now() WHERE id = %s",
                       (to_uuid(endpoint["id"]),))
    broken = api.expect(200, "PATCH", where, json={"description": "still"})
    assert broken["disabledReason"] == "no good" and broken["failingSince"]
    assert api.expect(200, "PATCH", where, json={"disabled": True})["disabledReason"] == "no good"
    mended = api.expect(200, "PATCH", where, json={"disabled": False})
    assert (mended["disabledReason"], mended["failingSince"], mended["disabled"]) == (None, None, False)


def test_an_enabled_endpoint_goes_on_failing(api, app, history):
    endpoint = api.new_endpoint(app, NOWHERE)
    history.db.execute("UPDATE endpoints SET failing_since = now() WHERE id = %s", (to_uuid(endpoint["id"]),))
    assert api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"disabled": False})["failingSince"]


def test_the_retry_schedule_of_an_event_type(api):
    name = unique("event")
    assert api.new_event_type(name, retrySchedule=[1, 2])["retrySchedule"] == [1, 2]
    assert api.expect(200, "PATCH", f"/event-type/{name}", json={"deprecated": True})["retrySchedule"] == [1, 2]
    assert api.expect(200, "PATCH", f"/event-type/{name}", json={"retrySchedule": []})["retrySchedule"] == []
    assert api.expect(200, "GET", f"/event-type/{name}")["retrySchedule"] == []
    assert api.expect(200, "PUT", f"/event-type/{name}", json={"description": "d"})["retrySchedule"] is None
    faults = api.expect(422, "PATCH", f"/event-type/{name}", json={"retrySchedule": [-1]})
    assert faults["detail"][0]["loc"] == ["body", "retrySchedule"]


def test_all_nodes_hear_of_a_changed_retry_schedule(api, server, history):
    name = unique("event")

    def heard(*change):
        history.db.execute("SELECT hear_news()")
        api.expect(*change[:3], **change[3])
        marker = unique("marker")
        history.db.execute("SELECT announce(%s)", (marker,))
        texts = []
        for notice in history.db.notifies():
            if notice.payload == marker:
                break
            texts.append(notice.payload)
        return [t for t in texts if t == f"tenant:{to_uuid(server.tenant_id)}"] != []

    assert heard(201, "POST", "/event-type", {"json": {"name": name, "description": "d", "retrySchedule": [1]}})
    assert not heard(200, "PUT", f"/event-type/{name}", {"json": {"description": "e", "retrySchedule": [1]}})
    assert not heard(200, "PATCH", f"/event-type/{name}", {"json": {"description": "f"}})
    assert heard(200, "PATCH", f"/event-type/{name}", {"json": {"retrySchedule": [2]}})
    assert heard(200, "PUT", f"/event-type/{name}", {"json": {"description": "g"}})
