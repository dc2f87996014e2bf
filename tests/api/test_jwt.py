"""JSON Web Tokens of a server that is replaced."""
import base64
import hashlib
import hmac
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import Api
from server import Node
from wait import wait_for

SECRET = "the other server's secret"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def encode(part):
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(header=None, secret=SECRET, **claims):
    signed = encode(header or {"alg": "HS256", "typ": "JWT"}) + "." + encode({"exp": int(time.time()) + 600, **claims})
    return signed + "." + encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))


def foreign():
    return "org_" + "".join(secrets.choice(ALPHABET) for _ in range(27))


@pytest.fixture
def node(start_node):
    return start_node(POSTHORN_JWT_SECRET=SECRET)


@pytest.fixture
def by(node):
    """A function: a client with this token."""
    clients = []

    def client(token):
        clients.append(Api(node.url, token))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def test_a_tenant_of_the_other_server_is_made_once(node, by, database, start_node):
    org, second = foreign(), start_node(POSTHORN_JWT_SECRET=SECRET)
    token = jwt(sub=org)

    def ask(n):
        with Api((node, second)[n % 2].url, token) as client:
            return client.expect(200, "GET", "/auth/whoami")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(40)))
    assert len({a["envId"] for a in answers}) == 1
    assert answers[0]["permissionSource"] == "SvixJwt" and answers[0]["appId"] is None
    with database.database() as rows:
        assert rows.execute("SELECT count(*) FROM tenants WHERE foreign_id = %s", [org]).fetchone() == (1,)
    app = by(token).new_app()
    later = jwt(sub=org, iat=int(time.time()), exp=int(time.time()) + 60)
    assert [a["id"] for a in by(later).pages("/app")] == [app["id"]]
    assert by(jwt(sub=foreign())).pages("/app") == []
    key = {"Idempotency-Key": "again"}
    made = by(token).expect(201, "POST", "/app", json={"name": "x"}, headers=key)
    assert by(later).expect(201, "POST", "/app", json={"name": "x"}, headers=key) == made


def test_a_tenant_of_ours(node, by, database):
    with node.api() as api:
        app = api.new_app()
    assert app["id"] in {a["id"] for a in by(jwt(sub=database.tenant_id)).pages("/app")}
    by(jwt(sub="org_0353RvV5f0cWZPvA17jzme")).expect(401, "GET", "/app")


def test_a_token_for_one_application(node, by, database):
    with node.api() as api:
        app, other = api.new_app(uid="mine"), api.new_app()
        api.send(app)
    user = by(jwt(org=database.tenant_id, sub=app["id"]))
    assert user.expect(200, "GET", "/auth/whoami")["appId"] == app["id"]
    assert len(user.expect(200, "GET", f"/app/{app['id']}/msg")["data"]) == 1
    assert len(user.expect(200, "GET", "/app/mine/msg")["data"]) == 1
    user.expect(201, "POST", "/app/mine/endpoint", json={"url": "http://127.0.0.1:9/"})
    user.expect(403, "GET", f"/app/{other['id']}/msg")
    user.expect(403, "POST", "/app/mine/msg", json={"eventType": "a", "payload": {}})
    user.expect(403, "GET", "/app")
    user.expect(403, "POST", "/api-key", json={"name": "x"})
    user.expect(403, "POST", "/auth/logout")
    by(jwt(org=database.new_tenant()[0], sub=app["id"])).expect(401, "GET", f"/app/{app['id']}/msg")
    by(jwt(org=database.tenant_id, sub="app_0353SMJpwXkUdd9D5IuLcJ")).expect(401, "GET", "/app/mine/msg")


def test_what_is_forged_is_refused(by, database):
    org = database.tenant_id
    unsigned = encode({"alg": "none"}) + "." + encode({"sub": org, "exp": int(time.time()) + 600})
    for token in (jwt(sub=org, secret="another secret, as long"), jwt({"alg": "none"}, sub=org), jwt({"alg": "HS512"}, sub=org),
                  jwt({"alg": "RS256"}, sub=org), unsigned + ".", unsigned + ".AAAA", jwt(sub=org, exp=int(time.time()) - 1),
                  jwt(sub=org, nbf=int(time.time()) + 600), jwt(sub=org, iat=int(time.time()) + 600), jwt(sub=org, exp=None),
                  jwt(sub="org_x"), jwt(), jwt(sub=org) + "A", jwt(sub=org)[:-1], "a.b.c", "..", jwt(sub=org) + "."):
        for _ in range(2):
            by(token).expect(401, "GET", "/app")


def test_it_ends_at_its_time_although_it_is_remembered(by, database):
    user = by(jwt(sub=database.tenant_id, exp=time.time() + 2))
    user.expect(200, "GET", "/app")
    wait_for(lambda: user.get("/app").status_code == 401, 10, "it has ended")


def test_without_the_setting_none_is_accepted(server):
    with Api(server.url, jwt(sub=server.tenant_id)) as client:
        client.expect(401, "GET", "/app")
    with Api(server.url, jwt(sub=server.tenant_id, secret="")) as client:
        client.expect(401, "GET", "/app")


def test_a_short_secret_is_no_secret(database):
    node = Node(database, POSTHORN_JWT_SECRET="short")
    try:
        with pytest.raises(AssertionError, match="POSTHORN_JWT_SECRET is shorter"):
            node.start()
    finally:
        node.remove()
