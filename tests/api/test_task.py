"""Reading, listing and cancelling background tasks; examples and test attempts."""
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from history import to_uuid
from receiver import ok, status
from wait import wait_for

NOWHERE = "http://127.0.0.1:9/"


def ago(minutes):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def fresh(server):
    """A client of a tenant that has no tasks yet."""
    with server.api(server.new_tenant(unique("tenant"))[1]) as client:
        yield client


def start(api, app, endpoint, action="recover"):
    return api.expect(202, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/{action}", json={"since": ago(5)})


def wait_finished(api, task):
    return wait_for(lambda: [t for t in [api.expect(200, "GET", f"/background-task/{task['id']}")] if t["status"] != "running"],
                    20, "the task ends")[0]


def test_tasks_are_listed_newest_first_page_by_page(fresh):
    app = fresh.new_app()
    endpoint = fresh.new_endpoint(app, NOWHERE)
    assert fresh.expect(200, "GET", "/background-task") == {"data": [], "iterator": None, "done": True}
    ids = [start(fresh, app, endpoint, action)["id"] for action in ("recover", "bulk-replay", "recover")]
    assert [t["id"] for t in fresh.pages("/background-task", limit=1)] == ids[::-1]
    assert [t["id"] for t in fresh.pages("/background-task", limit=2, order="ascending")] == ids
    assert [t["id"] for t in fresh.pages("/background-task", task="endpoint.bulk-replay")] == [ids[1]]
    for task_id in ids:
        wait_finished(fresh, {"id": task_id})
    assert [t["id"] for t in fresh.pages("/background-task", status="finished", task="endpoint.recover")] == [ids[2], ids[0]]
    assert fresh.pages("/background-task", status="failed") == []
    assert fresh.pages("/background-task", status="running") == []


@pytest.mark.parametrize("name, value", [("status", "done"), ("task", "endpoint.explode"), ("iterator", "x"), ("limit", "0")])
def test_a_filter_that_is_none(api, name, value):
    assert api.get("/background-task", params={name: value}).status_code == 422


def test_a_task_that_is_not_there(api):
    for task_id in ("qtask_0353OM26OITK0ai0n67mEB", "nothing", "app_0353OM26OITK0ai0n67mEB"):
        api.expect(404, "GET", f"/background-task/{task_id}")
        api.expect(404, "POST", f"/background-task/{task_id}/cancel")


def test_a_task_is_cancelled_once(api, app, server):
    endpoint = api.new_endpoint(app, NOWHERE)
    with server.database() as rows:
        def held():
            """One whose next step is an hour away."""
            task = start(api, app, endpoint)
            return rows.execute("UPDATE background_tasks SET next_step_at = now() + interval '1 hour'"
                                " WHERE id = %s AND status = 'running' RETURNING 1",
                                (to_uuid(task["id"]),)).fetchone() and task
        task = wait_for(held, 20, "a task before its first step")
    cancelled = api.expect(200, "POST", f"/background-task/{task['id']}/cancel")
    assert (cancelled["status"], cancelled["data"]["error"]) == ("failed", "cancelled")
    assert api.expect(200, "POST", f"/background-task/{task['id']}/cancel") == cancelled
    ended = wait_finished(api, start(api, app, endpoint))
    assert ended["status"] == "finished"
    assert api.expect(200, "POST", f"/background-task/{ended['id']}/cancel") == ended


def example(api, app, endpoint, name, **more):
    return api.expect(200, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/send-example",
                      json={"eventType": name, **more})


def test_an_example_goes_to_the_one_endpoint(api, app, receiver):
    name = unique("event")
    endpoint = api.new_endpoint(app, receiver.url("/one"), eventTypes=["something.else"])
    neighbour = api.new_endpoint(app, receiver.url("/other"))
    message = example(api, app, endpoint, name)
    assert (message["eventType"], message["payload"]) == (name, {"type": name})
    request = receiver.wait(1, "/one")[0]
    assert request.header("webhook-id") == message["id"]
    assert len(api.wait_attempts(app, message, 1)) == 1
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{message['id']}")["payload"] == {"type": name}
    # and nobody else gets it later
    task = api.expect(202, "POST", f"/app/{app['id']}/endpoint/{neighbour['id']}/replay-missing", json={"since": ago(5)})
    assert wait_finished(api, task)["data"]["queued"] == 0
    assert receiver.got("/other") == []


SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 7},
        "price": {"type": "number", "exclusiveMinimum": 1, "maximum": 1.5},
        "state": {"enum": ["paid", "open"]},
        "kind": {"const": "k"},
        "at": {"type": "string", "format": "date-time"},
        "mail": {"type": ["string", "null"], "format": "email"},
        "known": {"type": "string", "default": "d"},
        "yes": {"type": "boolean"},
        "lines": {"type": "array", "items": {"$ref": "#/definitions/line"}},
        "choice": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        "both": {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}},
                           {"type": "object", "properties": {"b": {"type": "boolean"}}}]},
        "itself": {"$ref": "#"},
        "odd": {"$ref": "#/nowhere"},
    },
    "definitions": {"line": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}


def test_an_example_is_made_from_the_newest_schema(api, app):
    name = unique("event")
    endpoint = api.new_endpoint(app, NOWHERE, paused=True)
    api.new_event_type(name, schemas={"10": SCHEMA, "9": {"type": "object", "properties": {"old": {"type": "string"}}}})
    made = example(api, app, endpoint, name)["payload"]
    assert made == {"id": 7, "price": 1.5, "state": "paid", "kind": "k", "at": "2026-01-02T03:04:05Z",
                    "mail": "somebody@example.com", "known": "d", "yes": True, "lines": [{"n": 0}], "choice": 0,
                    "both": {"a": 0, "b": True}, "odd": None}


def test_an_example_of_the_schema_s_own(api, app):
    name = unique("event")
    endpoint = api.new_endpoint(app, NOWHERE, paused=True)
    api.new_event_type(name, schemas={"1": {**SCHEMA, "examples": [{"n": 1}, {"n": 2}, 3]}})
    assert example(api, app, endpoint, name)["payload"] == {"n": 1}
    assert example(api, app, endpoint, name, exampleIndex=1)["payload"] == {"n": 2}
    for index in (2, 3):  # no object, and not there
        assert example(api, app, endpoint, name, exampleIndex=index)["payload"] == {"type": name}


def test_an_example_of_a_schema_that_grows_without_end(api, app):
    name = unique("event")
    endpoint = api.new_endpoint(app, NOWHERE, paused=True)
    level = {f"l{n}": {"properties": {c: {"$ref": f"#/$defs/l{n + 1}"} for c in "abcdefgh"}} for n in range(20)}
    api.new_event_type(name, schemas={"1": {"type": "object", "properties": {c: {"$ref": "#/$defs/l0"} for c in "abcdefgh"}, "$defs": level}})
    payload = example(api, app, endpoint, name)["payload"]
    assert set(payload) <= set("abcdefgh") and 1000 < len(str(payload)) < 100_000


def test_no_example_for_a_disabled_endpoint_or_a_bad_name(api, app):
    endpoint = api.new_endpoint(app, NOWHERE, disabled=True)
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}/send-example"
    assert "disabled" in api.expect(409, "POST", where, json={"eventType": "a.b"})["detail"]
    for name in ("", "no way", 5, None):
        assert api.post(where, {"eventType": name}).status_code == 422


def test_a_test_attempt_shows_its_outcome(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/hook"), paused=True, eventTypes=["something.else"])
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    receiver.script("/hook", status(418, b"short"), ok(b"stout"))
    body = b'{"eventType":"a.b","payload":{"exactly":  1.50}}'
    first, second = (api.expect(201, "POST", f"{where}/msg/test-attempt", content=body) for _ in range(2))
    assert (first["status"], first["responseStatusCode"], first["response"]) == (2, 418, "short")
    assert (second["status"], second["responseStatusCode"], second["response"]) == (0, 200, "stout")
    assert (second["endpointId"], second["url"], second["triggerType"]) == (endpoint["id"], receiver.url("/hook"), 1)
    requests = receiver.wait(2)
    assert {r.body for r in requests} == {b'{"exactly":  1.50}'}
    assert [r.header("webhook-id") for r in requests] == [first["msgId"], second["msgId"]]
    # it leaves nothing behind
    api.expect(404, "GET", f"/app/{app['id']}/msg/{second['msgId']}")
    assert api.pages(f"/app/{app['id']}/attempt/endpoint/{endpoint['id']}") == []
    assert api.expect(200, "GET", f"{where}")["failingSince"] is None


def test_a_test_attempt_at_what_does_not_answer(api, app):
    endpoint = api.new_endpoint(app, NOWHERE)
    outcome = api.expect(201, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt",
                         json={"eventType": "a.b", "payload": {}})
    assert (outcome["status"], outcome["responseStatusCode"]) == (2, 0)
    assert outcome["response"]


def test_a_test_attempt_passes_the_guard(api, app):
    endpoint = api.new_endpoint(app, "http://10.0.0.1/")
    outcome = api.expect(201, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt",
                         json={"eventType": "a.b", "payload": {}})
    assert (outcome["status"], outcome["responseStatusCode"]) == (2, 0)
    assert "not allowed" in outcome["response"]


@pytest.mark.parametrize("body, member", [
    ({"payload": {}}, "eventType"), ({"eventType": "no way", "payload": {}}, "eventType"), ({"eventType": "a.b"}, "payload"),
    ({"eventType": "a.b", "payload": []}, "payload")])
def test_a_test_attempt_needs_a_message(api, app, body, member):
    endpoint = api.new_endpoint(app, NOWHERE)
    faults = api.expect(422, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt", json=body)
    assert faults["detail"][0]["loc"] == ["body", member]


def test_no_test_attempt_at_a_disabled_endpoint(api, app):
    endpoint = api.new_endpoint(app, NOWHERE, disabled=True)
    refused = api.expect(409, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt",
                         json={"eventType": "a.b", "payload": {}})
    assert "disabled" in refused["detail"]
