"""One message to every application of a tenant."""
import json

import pytest
from client import Api, unique
from history import History, to_uuid
from wait import wait_for

MESSAGE = {"eventType": "a.b", "payload": {"n": 1}}


@pytest.fixture
def tenant(server):
    """A client of a tenant of this test alone."""
    tenant_id, key = server.new_tenant("broadcasting")
    with Api(server.url, key) as client:
        client.tenant_id = tenant_id
        yield client


def broadcast(api, headers=None, **fields):
    """The task, when it is over."""
    made = api.expect(202, "POST", "/msg/broadcast", json={**MESSAGE, **fields}, headers=headers or {})
    assert set(made) == {"id", "status", "task", "updatedAt"} and made["task"] == "message.broadcast"

    def finished():
        task = api.expect(200, "GET", f"/background-task/{made['id']}")
        return task if task["status"] != "running" else None
    return wait_for(finished, 20, "the task ends")


def test_every_application_gets_it_once(tenant, other, receiver):
    apps = [tenant.new_app(uid=f"app{n}") for n in range(4)]
    theirs = other.new_app()
    for n, app in enumerate(apps[:3]):
        tenant.new_endpoint(app, receiver.url(f"/{n}"), channels=["x"] if n == 2 else None)
    tenant.expect(201, "POST", "/operational-webhook/endpoint", json={"url": receiver.url("/operational"), "eventTypes": ["x"]})
    task = broadcast(tenant, channels=[f"c{n}" for n in range(9)] + ["x"], tags=["t"])
    assert (task["status"], task["data"]["done"], task["data"]["total"], task["data"]["queued"]) == ("finished", 4, 4, 4)
    assert (task["data"]["appId"], task["data"]["endpointId"]) == (None, None)
    assert set(task["data"]["params"]) == {"eventType", "channels", "tags"}
    assert {r.path for r in receiver.wait(3)} == {"/0", "/1", "/2"}
    assert [json.loads(r.body) for r in receiver.got()] == [MESSAGE["payload"]] * 3
    for app in apps:
        message, = tenant.pages(f"/app/{app['id']}/msg")
        assert (message["eventType"], message["payload"], message["tags"]) == ("a.b", {"n": 1}, ["t"])
    assert other.pages(f"/app/{theirs['id']}/msg") == [] and len(receiver.got()) == 3


def test_an_application_that_has_the_event_id_gets_none(tenant):
    apps, event = [tenant.new_app() for _ in range(3)], unique("event")
    before = tenant.send(apps[1], {"mine": 1}, eventId=event)
    assert broadcast(tenant, eventId=event)["data"]["queued"] == 2
    task = broadcast(tenant, eventId=event)
    assert (task["data"]["done"], task["data"]["queued"], task["data"]["params"]["eventId"]) == (3, 0, event)
    assert tenant.pages(f"/app/{apps[1]['id']}/msg") == [before]
    assert [tenant.expect(200, "GET", f"/app/{app['id']}/msg/{event}")["payload"] for app in (apps[0], apps[2])] == [{"n": 1}] * 2


def test_planned_for_later(tenant, receiver):
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url())
    task = broadcast(tenant, deliverInSeconds=3600)
    message, = tenant.pages(f"/app/{app['id']}/msg")
    assert message["deliverAt"] == task["data"]["params"]["deliverAt"] and receiver.got() == []


def test_the_same_key_makes_one_task(tenant):
    app, headers = tenant.new_app(), {"Idempotency-Key": unique("key")}
    assert broadcast(tenant, headers)["id"] == broadcast(tenant, headers)["id"]
    assert len(tenant.pages(f"/app/{app['id']}/msg")) == len(tenant.pages("/background-task", task="message.broadcast")) == 1


def test_a_body_and_a_retention_of_its_own(server, tenant, receiver):
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url())
    broadcast(tenant, payloadRetentionPeriod=1,
              transformationsParams={"rawPayload": "<x/>", "headers": {"content-type": "text/xml"}})
    request, = receiver.wait(1)
    assert (request.body, request.header("content-type")) == (b"<x/>", "text/xml")
    message, = tenant.pages(f"/app/{app['id']}/msg")
    assert message["payload"] == {"n": 1}
    with History(server, app, tenant.tenant_id) as history:
        (left,), = history.db.execute("SELECT extract(epoch FROM expires_at - now())::int / 3600 FROM messages WHERE id = %s",
                                      (to_uuid(message["id"]),))
        assert left in (23, 24)
        assert list(history.db.execute("SELECT FROM broadcasts WHERE tenant_id = %s", (history.tenant,))) == []


@pytest.mark.parametrize("fields, member", [
    ({"eventType": None}, "eventType"), ({"payload": 1}, "payload"), ({"channels": [f"c{n}" for n in range(11)]}, "channels"),
    ({"payloadRetentionPeriod": 0}, "payloadRetentionPeriod"), ({"payloadRetentionHours": 2161}, "payloadRetentionHours"),
])
def test_refuses_what_is_wrong(tenant, fields, member):
    answer = tenant.expect(422, "POST", "/msg/broadcast", json={**MESSAGE, **fields})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", member]]
    assert tenant.pages("/background-task") == []
