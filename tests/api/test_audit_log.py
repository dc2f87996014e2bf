"""The audit log: who did what to which object, from where, when."""
import json

import pytest
from client import Api, unique
from wait import wait_for


@pytest.fixture
def log(api):
    """A function: entries of the log with a filter, the newest first."""
    return lambda **query: api.expect(200, "GET", "/audit-log", params=query)["data"]


def test_a_uid_in_a_path_is_its_object(api, log):
    app = api.new_app(uid=unique("app"))
    endpoint = api.new_endpoint(app, "http://127.0.0.1:9/", uid="hook")["id"]
    api.expect(204, "PUT", f"/app/{app['uid']}/endpoint/hook/headers", json={"headers": {"x-secret": "value"}})
    api.expect(204, "DELETE", f"/app/{app['uid']}/endpoint/hook")
    api.expect(200, "PATCH", f"/app/{app['uid']}", json={"uid": unique("moved")})
    entries = log(object_id=app["id"])
    assert [(e["action"], e["object"]["id"]) for e in entries] == [
        ("application.patch", app["id"]), ("endpoint.delete", endpoint), ("endpoint.update-headers", endpoint),
        ("endpoint.create", endpoint), ("application.create", app["id"])]
    assert {e["appId"] for e in entries} == {app["id"]}
    assert entries[2]["fields"] == ["headers"] and "value" not in str(entries)
    assert [e["action"] for e in log(object_id=endpoint)] == ["endpoint.delete", "endpoint.update-headers", "endpoint.create"]


def test_what_fails_leaves_no_entry_and_what_is_repeated_one(api, log):
    uid = unique("app")
    headers = {"Idempotency-Key": unique("key")}
    first = api.expect(201, "POST", "/app", json={"name": "a", "uid": uid}, headers=headers)
    assert api.expect(201, "POST", "/app", json={"name": "a", "uid": uid}, headers=headers) == first
    api.expect(409, "POST", "/app", json={"name": "a", "uid": uid})
    api.expect(422, "PATCH", f"/app/{uid}", json={"name": ""})
    api.expect(404, "DELETE", f"/app/{unique('no')}")
    assert [e["action"] for e in log(object_id=first["id"])] == ["application.create"]


def test_messages_and_reading_leave_no_entry(api, app, log):
    api.send(app)
    api.expect(200, "GET", f"/app/{app['id']}")
    api.expect(200, "POST", f"/app/{app['id']}/msg/search", json={})
    assert [e["action"] for e in log(object_id=app["id"])] == ["application.create"]


def test_whoever_acts_is_named_as_he_was_called_then(server, api, app, log):
    key = api.expect(201, "POST", "/api-key", json={"name": "for a while"})
    with server.api(key["key"]) as other:
        token = other.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={"sessionId": "visit"})["token"]
    with server.api(token) as consumer:
        consumer.expect(201, "POST", f"/app/{app['id']}/endpoint", json={"url": "http://127.0.0.1:9/"})
    api.expect(204, "DELETE", f"/api-key/{key['id']}")
    entries = log(object_id=app["id"])
    assert [(e["actor"]["kind"], e["actor"]["name"]) for e in entries[:2]] == [("portal", "visit"), ("api-key", "for a while")]
    assert token[4:] not in str(entries)
    (by_key,) = log(actor_id=key["id"])
    assert by_key["action"] == "authentication.app-portal-access" and by_key["object"] == {"id": app["id"], "kind": "application"}
    assert log(actor_id=entries[0]["actor"]["id"])[0]["action"] == "endpoint.create"


def test_pages_and_times(api, app, log):
    for name in ("a", "b", "c"):
        api.expect(200, "PATCH", f"/app/{app['id']}", json={"name": name})
    query = {"object_id": app["id"], "action": "application.patch"}
    entries = log(**query)
    assert len(entries) == 3
    page = api.expect(200, "GET", "/audit-log", params={**query, "limit": 2})
    assert page["data"] == entries[:2] and not page["done"]
    rest = api.expect(200, "GET", "/audit-log", params={**query, "limit": 2, "iterator": page["iterator"]})
    assert rest["data"] == entries[2:] and rest["done"]
    back = api.expect(200, "GET", "/audit-log", params={**query, "limit": 2, "iterator": rest["prevIterator"]})
    assert back["data"] == entries[:2]
    assert log(**query, order="ascending") == entries[::-1]
    assert log(**query, before=entries[-1]["createdAt"]) == []
    assert log(**query, after=entries[-1]["createdAt"])[:1] == entries[:1]


def test_bad_filters(api):
    for query in ({"object_id": ""}, {"actor_id": "x" * 257}, {"action": ""}, {"before": "yesterday"}, {"limit": 251}):
        (fault,) = api.expect(422, "GET", "/audit-log", params=query)["detail"]
        assert fault["loc"] == ["query", *query]
    assert api.expect(200, "GET", "/audit-log", params={"object_id": "nothing", "action": "'; --"})["data"] == []


def test_only_who_may_everything_reads_it(server, api, app):
    for scope in ("read", "send"):
        with server.api(api.expect(201, "POST", "/api-key", json={"name": scope, "scope": scope})["key"]) as limited:
            limited.expect(403, "GET", "/audit-log")
    with server.api(api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={})["token"]) as consumer:
        consumer.expect(403, "GET", "/audit-log")


def test_another_tenant_sees_nothing_of_it(api, other, app):
    assert other.expect(200, "GET", "/audit-log", params={"object_id": app["id"]})["data"] == []
    (entry,) = api.expect(200, "GET", "/audit-log", params={"object_id": app["id"]})["data"]
    assert entry["id"] not in {e["id"] for e in other.pages("/audit-log")}


def test_what_was_sent_as_user_agent_is_bounded(api, app, log):
    for sent, kept in ((b"x" * 5000, "x" * 256), (b"\xff\xfe", None), (b"a\tb", None), (b"", "")):
        api.expect(200, "PATCH", f"/app/{app['id']}", json={"name": "x"}, headers={"User-Agent": sent})
        assert (log(object_id=app["id"])[0]["userAgent"] or "") == (kept or "")


def test_the_client_behind_a_trusted_proxy(start_node):
    trusting, plain = start_node(POSTHORN_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8"), start_node()
    for node, sent, seen in ((trusting, ["203.0.113.9"], "203.0.113.9"), (trusting, ["1.2.3.4", "203.0.113.9, 10.1.1.1"], "203.0.113.9"),
                             (trusting, ["2001:db8::1"], "2001:db8::1"), (trusting, ["nonsense"], "127.0.0.1"), (trusting, [], "127.0.0.1"),
                             (plain, ["203.0.113.9"], "127.0.0.1")):
        with Api(node.url, node.api_key) as api:
            made = api.expect(201, "POST", "/app", json={"name": "x"}, headers=[("X-Forwarded-For", one) for one in sent])
            (entry,) = api.expect(200, "GET", "/audit-log", params={"object_id": made["id"]})["data"]
            assert entry["address"] == seen, sent


def test_what_takes_long_is_noted_when_it_is_done(api, app, log, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    api.expect(201, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/msg/test-attempt", json={"eventType": "a", "payload": {}})
    assert wait_for(lambda: [e for e in log(object_id=endpoint["id"]) if e["action"] == "endpoint.test-attempt"], 10, "it is noted")


def test_what_the_operator_does_on_the_command_line(server):
    tenant = json.loads(server.command_line("tenant", "create", "--json", "--name", unique("cli")))["id"]
    made = [json.loads(server.command_line("key", "create", "--json", "--tenant", tenant)) for _ in range(2)]
    server.command_line("key", "delete", "--id", made[0]["id"])
    server.command_line("tenant", "suspend", "--tenant", tenant)
    server.command_line("tenant", "resume", "--tenant", tenant)
    with server.api(made[1]["key"]) as api:
        wait_for(lambda: api.status("GET", "/app") == 200, 10, "it goes on")
        entries = api.expect(200, "GET", "/audit-log")["data"]
    assert [(e["action"], e["object"]["id"]) for e in entries] == [
        ("admin.tenant.patch", tenant), ("admin.tenant.patch", tenant), ("api-key.delete", made[0]["id"]),
        ("admin.tenant.create-api-key", made[1]["id"]), ("admin.tenant.create-api-key", made[0]["id"]), ("admin.tenant.create", tenant)]
    assert {e["actor"]["kind"] for e in entries} == {"command-line"}
    with pytest.raises(AssertionError):
        server.command_line("key", "delete", "--id", made[0]["id"])
    with server.api(made[1]["key"]) as api:
        assert api.expect(200, "GET", "/audit-log")["data"] == entries
