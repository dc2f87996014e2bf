"""Portal tokens: what they are good for, and their end."""
import re
from pathlib import Path

import pytest
from client import Api, unique
from wait import wait_for

NOWHERE = "http://127.0.0.1:9/"
ROUTES = [tuple(re.findall(r'\((\w+),\s*"([^"]*)",\s*\w+,\s*(\w+)', line)[0])
          for line in (Path(__file__).parents[2] / "server/api/routes.def").read_text().splitlines() if line.startswith("PH_ROUTE(")]


@pytest.fixture
def portal(server, api):
    """A function: a client with a token for the application."""
    clients = []

    def open_portal(app, **fields):
        token = api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json=fields)["token"]
        clients.append(server.api(token))
        return clients[-1]

    yield open_portal
    for client in clients:
        client.close()


@pytest.fixture
def app(api):
    return api.new_app(uid=unique("app"))


def ended(client):
    return {client.get("/auth/whoami", headers={"Connection": "close"}).status_code for _ in range(6)} == {401}


def test_the_answer_has_a_token_and_where_to_use_it(server, api, app):
    opened = api.expect(200, "POST", f"/auth/app-portal-access/{app['uid']}", json={})
    assert re.fullmatch(r"php_[\w-]{43}", opened["token"])
    assert opened["url"] == f"{server.url}/portal?tenant={server.tenant_id}#key={opened['token']}"
    with server.database() as rows:
        stored, left = rows.execute("SELECT to_jsonb(t)::text, extract(epoch FROM expires_at - now()) FROM portal_tokens t"
                                    " ORDER BY id DESC LIMIT 1").fetchone()
    assert opened["token"] not in stored and opened["token"][4:] not in stored
    assert 3500 < left <= 3600


def test_the_public_url_is_used(start_node):
    node = start_node(POSTHORN_PUBLIC_URL="https://hooks.example.com")
    with node.api() as api:
        opened = api.expect(200, "POST", f"/auth/app-portal-access/{api.new_app()['id']}", json={}, headers={"Host": "evil.example"})
    assert opened["url"] == f"https://hooks.example.com/portal?tenant={node.tenant_id}#key={opened['token']}"


def test_the_application_is_made_when_it_is_missing(server, api):
    uid = unique("made")
    api.expect(404, "POST", f"/auth/app-portal-access/{uid}", json={})
    api.expect(404, "POST", "/auth/app-portal-access/app_0000000000000000000000", json={"application": {"name": "x"}})
    fields = {"application": {"name": "Made", "uid": uid}}
    token = api.expect(200, "POST", f"/auth/app-portal-access/{uid}", json=fields)["token"]
    api.expect(200, "POST", f"/auth/app-portal-access/{uid}", json=fields, headers={"Idempotency-Key": unique("key")})
    with server.api(token) as user:
        assert user.expect(200, "GET", f"/app/{uid}")["name"] == "Made"


def test_whoami(server, api, app, portal):
    assert api.expect(200, "GET", "/auth/whoami") == {
        "envId": server.tenant_id, "appId": None, "permissionSource": "GlobalAuthToken", "readOnly": False, "sessionId": None}
    assert portal(app, sessionId="visit-1", readOnly=True).expect(200, "GET", "/auth/whoami") == {
        "envId": server.tenant_id, "appId": app["id"], "permissionSource": "GlobalAuthToken", "readOnly": True, "sessionId": "visit-1"}


@pytest.mark.parametrize("read_only", [False, True])
def test_only_what_is_meant_for_portals_is_open(api, app, portal, read_only):
    """Every route, with its own application: closed unless the table says otherwise."""
    user = portal(app, readOnly=read_only)
    allowed = {"SELF", "APP_READ"} if read_only else {"SELF", "APP_READ", "APP_WRITE"}
    for method, path, scope in ROUTES:
        if scope == "PUBLIC" or not path.startswith("/api/v1/") or path.endswith("/logout"):
            continue
        at = re.sub(r"{\w+}", "x_y", path.removeprefix("/api/v1").replace("{app_id}", app["id"]))
        status = user.status(method, at, content=b"[")
        assert (status == 403) == (scope not in allowed), (method, path, status)
    api.expect(200, "GET", f"/app/{app['id']}")


def test_nothing_of_another_application_is_open(api, other, app, portal):
    """The same routes, with the id and the uid of an application of the same tenant, and of another tenant."""
    user = portal(app)
    strangers = [a for c in (api, other) for a in [c.new_app(uid=unique("stranger"))]]
    endpoint = api.new_endpoint(strangers[0], NOWHERE)["id"]
    message = api.send(strangers[0])["id"]
    for method, path, scope in ROUTES:
        if scope not in ("APP_READ", "APP_WRITE") or "{app_id}" not in path:
            continue
        for name in (strangers[0]["id"], strangers[0]["uid"], strangers[1]["id"], strangers[1]["uid"]):
            at = path.removeprefix("/api/v1").replace("{app_id}", name).replace("{endpoint_id}", endpoint).replace("{msg_id}", message)
            assert user.status(method, re.sub(r"{\w+}", "x_y", at), json={}) == 403, (method, at)
    own = f"/app/{app['id']}"
    user.expect(404, "GET", f"{own}/endpoint/{endpoint}")
    user.expect(404, "GET", f"{own}/msg/{message}")
    user.expect(404, "POST", f"{own}/msg/{message}/endpoint/{endpoint}/resend")


def test_a_uid_that_moved_does_not_lead_elsewhere(api, app, portal):
    user, uid = portal(app), app["uid"]
    user.expect(200, "GET", f"/app/{uid}")
    api.expect(200, "PATCH", f"/app/{app['id']}", json={"uid": unique("new")})
    second = api.new_app(uid=uid)
    for _ in range(6):
        answer = user.get(f"/app/{uid}", headers={"Connection": "close"})
        assert answer.status_code in (403, 404) or answer.json()["id"] == app["id"], "it is not shown the second application"
    user.expect(403, "GET", f"/app/{second['id']}")
    user.expect(200, "GET", f"/app/{app['id']}")


def test_what_a_consumer_does(api, app, portal, receiver):
    user = portal(app)
    own = f"/app/{app['uid']}"
    endpoint = user.expect(201, "POST", f"{own}/endpoint", json={"url": receiver.url()})["id"]
    api.send(app, eventId="first")
    receiver.wait(1)
    user.expect(200, "PATCH", f"{own}/endpoint/{endpoint}", json={"description": "mine"})
    assert user.expect(200, "GET", f"{own}/endpoint/{endpoint}/secret")["key"].startswith("whsec_")
    user.expect(204, "PUT", f"{own}/endpoint/{endpoint}/headers", json={"headers": {"x-mine": "1"}})
    user.expect(202, "POST", f"{own}/msg/first/endpoint/{endpoint}/resend")
    receiver.wait(2)
    assert user.expect(200, "GET", f"{own}/msg")["data"]
    assert user.expect(200, "GET", f"{own}/attempt/endpoint/{endpoint}")["data"]
    user.expect(403, "POST", f"{own}/msg", json={"eventType": "a", "payload": {}})
    user.expect(403, "PATCH", own, json={"name": "x"})
    user.expect(403, "DELETE", own)
    reader = portal(app, readOnly=True)
    assert reader.expect(200, "GET", f"{own}/endpoint")["data"]
    reader.expect(403, "GET", f"{own}/endpoint/{endpoint}/secret")
    reader.expect(403, "DELETE", f"{own}/endpoint/{endpoint}")
    user.expect(204, "DELETE", f"{own}/endpoint/{endpoint}")


def test_feature_flags_show_event_types(api, app, portal):
    plain, beta, gamma = (api.new_event_type(featureFlag=flag)["name"] for flag in (None, "beta", "gamma"))

    def shown(client):
        return {t["name"] for t in client.pages("/event-type", limit=250)} & {plain, beta, gamma}

    assert shown(api) == {plain, beta, gamma}
    assert shown(portal(app)) == {plain}
    user = portal(app, featureFlags=["beta", "other"])
    assert shown(user) == {plain, beta}
    user.expect(200, "GET", f"/event-type/{beta}")
    user.expect(404, "GET", f"/event-type/{gamma}")


def test_signing_out_ends_one(api, app, portal):
    one, two = portal(app), portal(app)
    one.expect(204, "POST", "/auth/logout")
    assert ended(one)
    two.expect(200, "GET", "/auth/whoami")
    api.expect(403, "POST", "/auth/logout")
    api.expect(200, "GET", "/auth/whoami")


def test_expire_all(api, other, app, portal):
    one, two, none, elsewhere = portal(app, sessionId="one"), portal(app, sessionId="two"), portal(app), portal(api.new_app())
    path = f"/auth/app/{app['uid']}/expire-all"
    other.expect(404, "POST", f"/auth/app/{app['id']}/expire-all", json={})
    api.expect(204, "POST", path, json={"sessionIds": ["one", "unknown"]})
    assert ended(one)
    two.expect(200, "GET", "/auth/whoami")
    api.expect(204, "POST", path, json={"expiry": 600})
    none.expect(200, "GET", "/auth/whoami")
    api.expect(204, "POST", path, json={"expiry": 1})
    wait_for(lambda: ended(two) and ended(none), 10, "the grace is over")
    elsewhere.expect(200, "GET", "/auth/whoami")


def test_a_token_ends_at_its_time_and_with_its_application(api, app, portal):
    short, long = portal(app, expiry=2), portal(app, expiry=604800)
    short.expect(200, "GET", "/auth/whoami")
    wait_for(lambda: ended(short), 10, "it has ended")
    long.expect(200, "GET", "/auth/whoami")
    api.expect(204, "DELETE", f"/app/{app['id']}")
    wait_for(lambda: ended(long), 10, "nothing is left that it is good for")


def test_what_is_no_access_is_refused(api, app):
    for body, field in (({"expiry": 0}, "expiry"), ({"expiry": 604801}, "expiry"), ({"readOnly": "yes"}, "readOnly"),
                        ({"featureFlags": ["a b"]}, "featureFlags"), ({"sessionId": ""}, "sessionId"),
                        ({"sessionId": "x" * 65}, "sessionId"), ({"application": []}, "application"), ({"application": {}}, "name")):
        faults = api.expect(422, "POST", f"/auth/app-portal-access/{app['id']}", json=body)["detail"]
        assert [f["loc"][-1] for f in faults] == [field], body
    for body in ({"expiry": -1}, {"expiry": 259201}, {"sessionIds": "x"}):
        api.expect(422, "POST", f"/auth/app/{app['id']}/expire-all", json=body)


def test_another_node_refuses_an_ended_token(start_node):
    one, two = start_node(), start_node()
    with one.api() as first:
        app = first.new_app()
        token = first.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={})["token"]
        with Api(two.url, token) as user:
            user.expect(200, "GET", "/auth/whoami")
            first.expect(204, "POST", f"/auth/app/{app['id']}/expire-all", json={})
            wait_for(lambda: ended(user), 10, "the other node has heard of it")
