"""API keys: their life, and what each scope allows."""
import hashlib
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from client import Api, unique
from wait import wait_for

ROUTES = [tuple(re.findall(r'\((\w+),\s*"([^"]*)",\s*\w+,\s*(\w+)', line)[0])
          for line in (Path(__file__).parents[2] / "server/api/routes.def").read_text().splitlines() if line.startswith("PH_ROUTE(")]


def soon(**delta):
    return (datetime.now(timezone.utc) + timedelta(**delta)).isoformat().replace("+00:00", "Z")


def new_key(api, **fields):
    return api.expect(201, "POST", "/api-key", json={"name": unique("key"), **fields})


def sees(client, times=5):
    """The status of a request on several connections, so that every thread is asked."""
    return {client.request("GET", "/app", headers={"Connection": "close"}).status_code for _ in range(times)}


def test_the_life_of_a_key(server, api):
    made = new_key(api, scope="read", expiresAt="2099-01-02T03:04:05Z")
    assert made["key"].startswith("phk_") and made["expiresAt"] == "2099-01-02T03:04:05.000Z" and made["scope"] == "read"
    assert made["lastUsedAt"] is None and made["createdBy"].startswith("key_")
    shown = {k: v for k, v in made.items() if k != "key"}
    assert api.expect(200, "GET", f"/api-key/{made['id']}") == shown
    assert shown in api.pages("/api-key", limit=1)
    assert [k["id"] for k in api.pages("/api-key", order="descending", limit=2)] == [k["id"] for k in api.pages("/api-key")][::-1]
    with server.api(made["key"]) as user:
        assert sees(user) == {200}
        wait_for(lambda: api.expect(200, "GET", f"/api-key/{made['id']}")["lastUsedAt"], 10, "its use is noted")
        api.expect(204, "DELETE", f"/api-key/{made['id']}")
        assert sees(user, 10) == {401}
    api.expect(404, "DELETE", f"/api-key/{made['id']}")
    api.expect(404, "GET", f"/api-key/{made['id']}")


def test_a_key_may_delete_itself(server, api):
    made = new_key(api)
    with server.api(made["key"]) as user:
        user.expect(204, "DELETE", f"/api-key/{made['id']}")
        assert sees(user) == {401}


def test_a_key_that_ends(server, api):
    made = new_key(api, expiresAt=soon(seconds=3))
    with server.api(made["key"]) as user:
        assert sees(user) == {200}
        wait_for(lambda: sees(user, 1) == {401}, 10, "it has ended")


def test_what_is_no_key_is_refused(api):
    for body, field in (({}, "name"), ({"name": ""}, "name"), ({"name": "x" * 257}, "name"), ({"name": 1}, "name"),
                        ({"name": "x", "scope": "admin"}, "scope"), ({"name": "x", "expiresAt": "tomorrow"}, "expiresAt"),
                        ({"name": "x", "expiresAt": soon(seconds=-1)}, "expiresAt")):
        faults = api.expect(422, "POST", "/api-key", json=body)["detail"]
        assert [f["loc"] for f in faults] == [["body", field]], body
    for wrong in ("key_0", "app_0000000000000000000000", "x"):
        api.expect(404, "GET", f"/api-key/{wrong}")
        api.expect(404, "DELETE", f"/api-key/{wrong}")


def test_another_tenant_sees_none_of_it(api, other):
    made = new_key(api)
    other.expect(404, "GET", f"/api-key/{made['id']}")
    other.expect(404, "DELETE", f"/api-key/{made['id']}")
    assert made["id"] not in {k["id"] for k in other.pages("/api-key")}
    api.expect(200, "GET", f"/api-key/{made['id']}")


def test_only_the_hash_is_stored_and_a_repetition_gives_the_same(server, api):
    body, headers = {"name": unique("key")}, {"Idempotency-Key": unique("idem")}
    made = api.expect(201, "POST", "/api-key", json=body, headers=headers)
    assert api.expect(201, "POST", "/api-key", json=body, headers=headers) == made
    with server.database() as rows:
        stored = rows.execute("SELECT to_jsonb(k)::text FROM api_keys k WHERE name = %s", [body["name"]]).fetchall()
        kept = rows.execute("SELECT string_agg(sealed, '') FROM kept_answers").fetchone()[0]
    assert len(stored) == 1 and made["key"] not in stored[0][0] and made["key"].encode() not in kept
    assert hashlib.sha256(made["key"].encode()).hexdigest() in stored[0][0]


@pytest.fixture(scope="module")
def keys(server):
    """{scope: key} of a tenant of this module."""
    tenant, key = server.new_tenant("scopes")
    with server.api(key) as api:
        return {scope: new_key(api, scope=scope)["key"] for scope in ("all", "read", "send")}


@pytest.mark.parametrize("scope", ["read", "send", "all"])
def test_every_route_asks_for_its_scope(server, keys, scope):
    allowed = {"read": {"READ", "APP_READ"}, "send": {"SEND"}, "all": {"READ", "WRITE", "SEND", "APP_READ", "APP_WRITE"}}[scope]
    with server.api(keys[scope]) as api:
        for method, path, wants in ROUTES:
            if wants == "PUBLIC" or not path.startswith("/api/v1/") or (method, path) == ("POST", "/api/v1/auth/logout"):
                continue
            with api.http.stream(method, api.url + re.sub(r"{\w+}", "x_y", path), content=b"[") as response:  # one has no end
                assert (response.status_code == 403) == (wants not in allowed | {"SELF"}), (method, path, response.status_code)
                if response.status_code == 403:
                    response.read()
                    assert response.json()["code"] == "insufficient access"


def test_what_scopes_are_for(server, keys):
    with server.api(keys["all"]) as owner, server.api(keys["read"]) as reader, server.api(keys["send"]) as sender:
        app = owner.new_app()
        endpoint = owner.new_endpoint(app, "http://127.0.0.1:9/")
        message = sender.send(app)
        reader.expect(200, "GET", f"/app/{app['id']}/msg/{message['id']}")
        sender.expect(403, "GET", f"/app/{app['id']}/msg/{message['id']}")
        reader.expect(403, "POST", f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})
        reader.expect(403, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret")
        reader.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}")
        reader.expect(403, "POST", "/api-key", json={"name": "more than I have"})
        reader.expect(403, "DELETE", f"/app/{app['id']}")


def test_the_command_line_makes_keys_of_every_scope(server):
    tenant, _ = server.new_tenant("command line")
    made = json.loads(server.command_line("key", "create", "--tenant", tenant, "--scope", "send", "--expires", "2h", "--json"))
    assert made["scope"] == "send"
    left = datetime.fromisoformat(made["expiresAt"]) - datetime.now(timezone.utc)
    assert timedelta(hours=1, minutes=55) < left <= timedelta(hours=2)
    with server.api(made["key"]) as api:
        api.expect(403, "GET", "/app")
        api.expect(404, "POST", "/app/x/msg", json={"eventType": "a", "payload": {}})
        listed = json.loads(server.command_line("key", "list", "--tenant", tenant, "--json"))
        assert [k["scope"] for k in listed] == ["all", "send"]
        server.command_line("key", "delete", "--id", made["id"])
        wait_for(lambda: sees(api, 1) == {401}, 10, "the node has heard of it")
    for wrong in (("--scope", "x"), ("--expires", "0d"), ("--expires", "soon"), ("--expires", "2020-01-01T00:00:00Z")):
        with pytest.raises(AssertionError, match="status 2"):
            server.command_line("key", "create", "--tenant", tenant, *wrong)


def test_a_deleted_key_is_refused_by_every_node(start_node):
    """Long before anything remembered would be looked up again."""
    one, two = start_node(), start_node()
    with one.api() as first:
        made = new_key(first)
        with Api(two.url, made["key"]) as user:
            assert sees(user, 10) == {200}
            first.expect(204, "DELETE", f"/api-key/{made['id']}")
            wait_for(lambda: sees(user, 4) == {401}, 10, "the other node has heard of it")


def test_a_node_that_missed_news_forgets_all(start_node, database):
    node = start_node()
    _, key = database.new_tenant("missed")
    with node.api(key) as user, database.database() as rows:
        assert sees(user) == {200}
        rows.execute("DELETE FROM api_keys WHERE key_hash = %s", [hashlib.sha256(key.encode()).digest()])
        rows.execute("RESET ROLE")
        rows.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name = 'dispatcher' AND datname = current_database()")
        wait_for(lambda: sees(user, 4) == {401}, 10, "what was remembered is forgotten")
