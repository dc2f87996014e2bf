"""Which endpoints a message goes to."""
import itertools

import pytest
from client import unique
from invariants import wait_drained

# path: what the endpoint asks for
ENDPOINTS = {
    "/all": {},
    "/a": {"eventTypes": ["fan.a"]},
    "/ab": {"eventTypes": ["fan.a", "fan.b"]},
    "/x": {"channels": ["x"]},
    "/xy": {"channels": ["x", "y"]},
    "/a-x": {"eventTypes": ["fan.a"], "channels": ["x"]},
    "/disabled": {"disabled": True},
    "/a-disabled": {"eventTypes": ["fan.a"], "disabled": True},
}
TYPES = ["fan.a", "fan.b", "fan.c", "fan.aa", "fan"]
CHANNELS = [None, ["x"], ["y"], ["z"], ["y", "z", "x"], ["X"]]


def takes(endpoint, event_type, channels):
    """The rule as the interface's facts say it. What a disabled one takes, it skips."""
    if "eventTypes" in endpoint and event_type not in endpoint["eventTypes"]:
        return False
    return "channels" not in endpoint or bool(set(endpoint["channels"]) & set(channels or []))


@pytest.fixture(scope="module")
def event_types(server):
    with server.api() as api:
        for name in TYPES:
            api.new_event_type(name)


def test_filters(server, api, app, event_types, receiver):
    ids = {api.new_endpoint(app, receiver.url(path), **fields)["id"]: path for path, fields in ENDPOINTS.items()}
    disabled = {path for path, e in ENDPOINTS.items() if e.get("disabled")}
    taken = {}
    for event_type, channels in itertools.product(TYPES, CHANNELS):
        fields = {"channels": channels} if channels else {}
        sent = api.send(app, {"t": event_type}, event_type, **fields)
        taken[sent["id"]] = {path for path, e in ENDPOINTS.items() if takes(e, event_type, channels)}
    wait_drained(server, app["id"])
    got = {message: set() for message in taken}
    for request in receiver.got():
        assert request.path not in got[request.header("webhook-id")], "it came twice"
        got[request.header("webhook-id")].add(request.path)
    assert got == {message: paths - disabled for message, paths in taken.items()}
    for message, paths in taken.items():
        listed = api.pages(f"/app/{app['id']}/msg/{message}/endpoint")
        assert {ids[e["id"]]: e["state"] for e in listed} == {p: "skipped" if p in disabled else "success" for p in paths}


def test_application_gets_only_its_own_messages(server, api, receiver):
    apps = [api.new_app() for _ in range(3)]
    for n, app in enumerate(apps):
        api.new_endpoint(app, receiver.url(f"/{n}"))
    sent = {api.send(app, {"app": n})["id"]: f"/{n}" for n, app in enumerate(apps) for _ in range(5)}
    for app in apps:
        wait_drained(server, app["id"])
    assert {r.header("webhook-id"): r.path for r in receiver.got()} == sent
    assert len(receiver.got()) == len(sent)


def test_many_endpoints_get_one_message(server, api, app, receiver):
    for n in range(60):
        api.new_endpoint(app, receiver.url(f"/{n}"))
    sent = api.send(app)
    got = receiver.wait(60)
    assert {r.path for r in got} == {f"/{n}" for n in range(60)}
    assert {r.header("webhook-id") for r in got} == {sent["id"]}
    wait_drained(server, app["id"])
    assert len(api.attempts(app, sent)) == len(receiver.got()) == 60


def test_tenants_with_the_same_names_never_meet(server, api, other, receiver, signature):
    """Everything that a person chooses is the same in both: uids, event ids, idempotency keys, channels, paths."""
    uid, key, event_id = unique("same"), unique("key"), unique("event")
    secrets, sent = {}, {}
    for name, client in (("/first", api), ("/second", other)):
        client.new_app(uid=uid)
        endpoint = client.new_endpoint(uid, receiver.url(name), uid="hook", channels=["c"])
        secrets[name] = client.secret(uid, endpoint)
        body = {"eventType": "same.name", "eventId": event_id, "channels": ["c"], "payload": {"tenant": name}}
        sent[name] = client.expect(202, "POST", f"/app/{uid}/msg", json=body, headers={"Idempotency-Key": key})["id"]
    requests = {r.path: r for r in receiver.wait(2)}
    for name, request in requests.items():
        assert request.header("webhook-id") == sent[name]
        assert request.body == b'{"tenant":"%s"}' % name.encode()
        assert request.header("webhook-signature") == signature(secrets[name], request)
    assert secrets["/first"] != secrets["/second"]
    for client, foreign in ((api, sent["/second"]), (other, sent["/first"])):
        client.expect(404, "GET", f"/app/{uid}/msg/{foreign}")
        client.expect(404, "GET", f"/app/{uid}/attempt/msg/{foreign}")
        assert [m["eventId"] for m in client.pages(f"/app/{uid}/msg")] == [event_id]
    assert len(receiver.got()) == 2


def test_foreign_application_cannot_be_sent_to(server, api, app, other, receiver):
    api.new_endpoint(app, receiver.url())
    other.expect(404, "POST", f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})
    api.send(app)
    wait_drained(server, app["id"])
    assert len(receiver.got()) == 1
