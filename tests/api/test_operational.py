"""Operational endpoints: /operational-webhook/endpoint. They belong to an application that nobody sees."""
import base64
import re
import uuid

import pytest
from client import unique
from history import History, to_wire
from invariants import uuid_of

PATH = "/operational-webhook/endpoint"
URL = "http://127.0.0.1:9/ops"
MEMBERS = {"createdAt", "description", "disabled", "eventTypes", "id", "metadata", "throttleRate", "uid", "updatedAt", "url"}


@pytest.fixture(autouse=True)
def no_endpoint_stays(api):
    yield
    for endpoint in api.pages(PATH):
        api.expect(204, "DELETE", f"{PATH}/{endpoint['id']}")


def internal_application(server):
    with server.database() as rows:
        return rows.execute("SELECT id, uid FROM applications WHERE internal AND tenant_id = %s", [uuid_of(server.tenant_id)]).fetchone()


def test_a_new_tenant_has_none(server):
    with server.api(server.new_tenant("fresh")[1]) as api:
        assert api.expect(200, "GET", PATH) == {"data": [], "iterator": None, "done": True}


def test_create_get_and_list(api):
    given = {"url": URL, "description": "ours", "uid": unique("ops"), "eventTypes": ["endpoint.disabled", "message.attempt.exhausted"],
             "metadata": {"a": "b"}, "throttleRate": 7, "disabled": True}
    made = api.expect(201, "POST", PATH, json=given)
    assert set(made) == MEMBERS
    assert {name: made[name] for name in given} == given
    assert made["id"].startswith("ep_")
    assert api.expect(200, "GET", f"{PATH}/{made['id']}") == api.expect(200, "GET", f"{PATH}/{given['uid']}") == made
    second = api.expect(201, "POST", PATH, json={"url": URL})
    assert (second["eventTypes"], second["throttleRate"], second["uid"], second["disabled"]) == (None, None, None, False)
    ids = [e["id"] for e in api.pages(PATH, limit=1, order="ascending")]
    assert ids == [made["id"], second["id"]]
    assert api.post(PATH, {"url": URL, "uid": given["uid"]}).status_code == 409
    assert api.post(PATH, {"url": "no url"}).status_code == 422


def test_replace_makes_and_changes(api):
    uid = unique("ops")
    made = api.expect(201, "PUT", f"{PATH}/{uid}", json={"url": URL, "description": "first"})
    assert made["uid"] == uid
    changed = api.expect(200, "PUT", f"{PATH}/{uid}", json={"url": URL + "2", "eventTypes": ["endpoint.created"]})
    assert changed["id"] == made["id"] and changed["uid"] == uid and changed["description"] == ""
    assert changed["url"] == URL + "2" and changed["eventTypes"] == ["endpoint.created"]
    assert api.expect(200, "GET", f"{PATH}/{uid}") == changed


def test_delete(api):
    made = api.expect(201, "POST", PATH, json={"url": URL})
    api.expect(204, "DELETE", f"{PATH}/{made['id']}")
    assert api.get(f"{PATH}/{made['id']}").status_code == 404
    assert api.delete(f"{PATH}/{made['id']}").status_code == 404


def test_secret_and_rotation(api):
    own = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    made = api.expect(201, "POST", PATH, json={"url": URL, "secret": own})
    path = f"{PATH}/{made['id']}/secret"
    assert api.expect(200, "GET", path) == {"key": own}
    api.expect(200, "POST", path + "/rotate", json={})
    assert api.expect(200, "GET", path)["key"] not in ("", own)
    api.expect(200, "POST", path + "/rotate", json={"key": own, "gracePeriodSeconds": 0})
    assert api.expect(200, "GET", path) == {"key": own}
    assert api.post(path + "/rotate", {"key": "none"}).status_code == 422


def test_headers(api):
    made = api.expect(201, "POST", PATH, json={"url": URL})
    path = f"{PATH}/{made['id']}/headers"
    assert api.expect(200, "GET", path) == {"headers": {}, "sensitive": []}
    api.expect(204, "PUT", path, json={"headers": {"X-One": "1", "Authorization": "secret"}})
    assert api.expect(200, "GET", path) == {"headers": {"X-One": "1"}, "sensitive": ["Authorization"]}


def test_another_tenant_sees_nothing_of_them(api, other):
    made = api.expect(201, "POST", PATH, json={"url": URL, "uid": unique("ops")})
    for name in (made["id"], made["uid"]):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/secret"), ("GET", "/headers")):
            assert other.request(method, f"{PATH}/{name}{path}").status_code == 404, (method, path)
    assert made["id"] not in [e["id"] for e in other.pages(PATH)]
    assert api.expect(200, "GET", f"{PATH}/{made['id']}") == made


def test_no_route_of_applications_finds_theirs(server, api, app):
    made = api.expect(201, "POST", PATH, json={"url": URL})
    key, uid = internal_application(server)
    wire = to_wire("app", key)
    assert wire not in [a["id"] for a in api.pages("/app")] and len(api.pages("/app")) > 0
    for name in (wire, uid.replace("%", "%25")):
        for method, path, body in (
                ("GET", "", None), ("PATCH", "", {"name": "mine"}), ("DELETE", "", None), ("GET", "/endpoint", None),
                ("POST", "/endpoint", {"url": URL}), ("GET", f"/endpoint/{made['id']}", None), ("DELETE", f"/endpoint/{made['id']}", None),
                ("GET", f"/endpoint/{made['id']}/secret", None), ("GET", "/msg", None), ("POST", "/msg", {"eventType": "a", "payload": {}}),
                ("GET", f"/attempt/endpoint/{made['id']}", None), ("GET", f"/endpoint/{made['id']}/msg", None)):
            answer = api.request(method, f"/app/{name}{path}", json=body)
            assert answer.status_code == 404, (method, name, path, answer.text)
    assert api.put(f"/app/{wire}", {"name": "mine"}).status_code == 404
    assert api.put("/app/" + uid.replace("%", "%25"), {"name": "mine"}).status_code == 422
    assert api.post("/app", {"name": "mine", "uid": uid}).status_code == 422
    # Nor is an operational endpoint one of an application's, or the other way round.
    assert api.get(f"/app/{app['id']}/endpoint/{made['id']}").status_code == 404
    theirs = api.new_endpoint(app, URL)
    assert api.get(f"{PATH}/{theirs['id']}").status_code == 404
    assert [e["id"] for e in api.pages(PATH)] == [made["id"]]


def test_no_path_below_an_application_leads_to_theirs(server, api, app):
    """Whatever the interface offers, by its own document."""
    made = api.expect(201, "POST", PATH, json={"url": URL})
    theirs = api.new_endpoint(app, URL)
    wire = to_wire("app", internal_application(server)[0])
    given = {"{app_id}": wire, "{endpoint_id}": made["id"], "{sink_id}": made["id"], "{consumer_id}": "c", "{request_id}": "inreq_" + "1" * 22}
    paths = api.expect(200, "GET", "/openapi.json")["paths"]
    times = {"since": "2024-01-01T00:00:00Z", "until": "2024-01-02T00:00:00Z"}  # some ask for them
    looked = 0
    for path, operations in paths.items():
        if not path.startswith("/api/v1/app/{app_id}"):
            continue
        for name, value in given.items():
            path = path.replace(name, value)
        path = re.sub(r"\{msg_id\}", "msg_" + "1" * 22, path)
        path = re.sub(r"\{attempt_id\}", "atmpt_" + "1" * 22, path).removeprefix("/api/v1")
        assert "{" not in path
        for method in operations:
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            answer = api.request(method.upper(), path, json=None if method in ("get", "delete") else {}, params=times)
            assert answer.status_code in ((404,) if method in ("get", "delete") else (400, 404, 422)), (method, path, answer.text)
            looked += 1
    assert looked > 30
    # And with bodies that are right.
    stored = History(server, {"id": wire})
    with stored:
        message = stored.message()
        stored.attempt(message, made)
        stored.delivery(message, made)
    for name in (wire, "%25operational"):
        below = f"/app/{name}/endpoint/{made['id']}"
        for path, body in ((f"/app/{name}/msg/{message}/endpoint/{made['id']}/resend", {}),
                           (below + "/recover", {"since": "2024-01-01T00:00:00Z"}),
                           (below + "/bulk-replay", {"since": "2024-01-01T00:00:00Z"}),
                           (below + "/replay-missing", {"since": "2024-01-01T00:00:00Z"}),
                           (below + "/cancel-msgs", {"createdBefore": "2034-01-01T00:00:00Z"}),
                           (below + "/send-example", {"eventType": "endpoint.created"}),
                           (below + "/msg/test-attempt", {"eventType": "endpoint.created", "payload": {}})):
            answer = api.post(path, body)
            assert answer.status_code == 404, (path, answer.text)
        for path in (f"/msg/{message}", f"/attempt/msg/{message}", f"/msg/{message}/endpoint"):
            assert api.get(f"/app/{name}{path}").status_code == 404, path
    assert api.expect(200, "GET", f"{PATH}/{made['id']}") == made
    assert api.get(f"/app/{app['id']}/endpoint/{theirs['id']}").status_code == 200


def test_needs_a_key(server):
    with server.api("none") as api:
        assert api.get(PATH).status_code == 401 and api.post(PATH, {"url": URL}).status_code == 401


def test_wire_ids_made_in_the_database_are_those_of_the_program(server, api, app):
    keys = [uuid.UUID(int=n) for n in (0, 1, 61, 62, 2**32, 2**63, 2**64 - 1, 2**127, 2**128 - 1)] + [uuid.uuid4() for _ in range(50)]
    with server.database() as rows:
        for prefix in ("app_", "atmpt_"):
            made = rows.execute("SELECT wire_id(%s, k) FROM unnest(%s::uuid[]) WITH ORDINALITY AS u (k, n) ORDER BY n", [prefix, keys]).fetchall()
            assert [m for m, in made] == [to_wire(prefix[:-1], key) for key in keys]
        assert rows.execute("SELECT wire_id('app_', %s)", [uuid_of(app["id"])]).fetchone() == (app["id"],)
        now, made = rows.execute("SELECT extract(epoch FROM clock_timestamp() - uuid_time(uuid_now())), uuid_now()").fetchone()
    assert abs(now) < 1 and made.version == 7 and made.variant == uuid.RFC_4122
