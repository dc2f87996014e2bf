"""Forged and ended credentials of every kind at every operation, and hosts that are not ours."""
import base64
import hashlib
import hmac
import json
import re
import time

import contract
import httpx
import pytest
from client import unique
from operators import TOKEN, Operator
from server import Node
from test_jwt import SECRET, encode, jwt
from wait import SLOWNESS, wait_for

DOCUMENT = contract.load()
CLOSED = sorted(operation for operation in DOCUMENT.operations if DOCUMENT.operations[operation].get("security") != [])


@pytest.fixture(scope="module")
def node(postgres):
    one = Node(postgres.new_database(), POSTHORN_OPERATOR_TOKEN=TOKEN, POSTHORN_JWT_SECRET=SECRET,
               POSTHORN_PUBLIC_URL="https://hooks.example.com")
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.remove()


@pytest.fixture(scope="module")
def tenant(node):
    """(client, its id, id of an application)"""
    with node.api() as api:
        yield api, node.tenant_id, api.new_app()["id"]


@pytest.fixture(scope="module")
def everywhere(node):
    """A function: the operations that answer to these headers with another status than 401."""
    with httpx.Client(trust_env=False, timeout=30 * SLOWNESS) as client:
        def ask(headers, operations=CLOSED):
            taken = []
            for method, path in operations:
                with client.stream(method, node.url + re.sub(r"{\w+}", "x_y", path), headers=headers, content=b"[") as response:
                    response.read()
                    if response.status_code != 401:
                        taken.append((method, path, response.status_code))
            return taken
        yield ask


def new_poller(api, app):
    return api.expect(201, "POST", f"/app/{app}/endpoint", json={"type": "poller"})["id"]


def bearer(token):
    return {"Authorization": b"Bearer " + (token if isinstance(token, bytes) else token.encode())}


def flipped(token):
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


def flip_case(token):
    return token[:4] + token[4:].swapcase()


def test_keys_and_tokens_that_are_not_ours(tenant, everywhere):
    api, _, app = tenant
    portal = api.expect(200, "POST", f"/auth/app-portal-access/{app}", json={})["token"]
    poller = new_poller(api, app)
    polling = api.expect(201, "POST", f"/auth/app/{app}/poller/{poller}/token/rotate", json={})["token"]
    for good in (api.key, portal, polling):
        for token in (flipped(good), flip_case(good), good[:-1], good + "A", good + "=", good + "\xff", good[4:], "phk_" + good[4:] + "x",
                      good.upper(), " ".join(good), good.replace("_", "-", 1), hashlib.sha256(good.encode()).hexdigest()):
            assert everywhere(bearer(token.encode("latin-1"))) == [], token
    for prefix, good in (("phk_", portal), ("phk_", polling), ("php_", api.key), ("php_", polling)):
        assert everywhere(bearer(prefix + good[4:])) == [], "one kind does not pass as another"
    for headers in ({"Authorization": api.key}, {"Authorization": "Basic " + base64.b64encode(f"{api.key}:".encode()).decode()},
                    {"Authorization": f"Bearer: {api.key}"}, {"X-Api-Key": api.key}, {"Cookie": f"__Host-posthorn={api.key}"},
                    {"Cookie": f"posthorn={api.key}; __Host-posthorn={'A' * 43}"}, {"Cookie": "__Host-posthorn="},
                    {"Cookie": "__Host-posthorn=" + "x" * 5000}, {"Cookie": "__Host-posthorn=a; __Host-posthorn=b"}):
        assert everywhere(headers) == [], headers


def test_ended_ones(tenant, everywhere):
    api, _, app = tenant
    deleted = api.expect(201, "POST", "/api-key", json={"name": "deleted"})
    ended = api.expect(200, "POST", f"/auth/app-portal-access/{app}", json={})["token"]
    brief = api.expect(200, "POST", f"/auth/app-portal-access/{app}", json={"expiry": 1})["token"]
    poller = new_poller(api, app)
    path = f"/auth/app/{app}/poller/{poller}/token/rotate"
    rotated = api.expect(201, "POST", path, json={})["token"]
    for token in (deleted["key"], ended, rotated):  # so that the node remembers them
        api.get("/auth/whoami", headers=bearer(token))
    api.expect(204, "DELETE", f"/api-key/{deleted['id']}")
    api.expect(204, "POST", "/auth/logout", headers=bearer(ended))
    api.expect(201, "POST", path, json={})
    for token in (deleted["key"], ended, rotated, brief):
        wait_for(lambda: everywhere(bearer(token), [("GET", "/api/v1/auth/whoami")] * 6) == [], 20, "it has ended")
        assert everywhere(bearer(token)) == []


def test_tricks_with_json_web_tokens(tenant, everywhere):
    _, org, app = tenant
    now = int(time.time())
    claims = encode({"sub": org, "exp": now + 600})

    def signed(header, body=claims, key=SECRET.encode(), how=hashlib.sha256):
        text = encode(header) + "." + body
        return text + "." + encode(hmac.digest(key, text.encode(), how))

    good = jwt(sub=org)
    head, body, signature = good.split(".")
    key = {"kty": "oct", "k": encode(b"mine")}
    for token in (
            # no algorithm, or another one than that of the key
            *(encode({"alg": alg}) + "." + claims + end for alg in ("none", "None", "NONE", "nOnE", "", "HS256") for end in (".", "." + encode(b""), ".AAAA")),
            *(signed({"alg": alg}, how=how) for alg, how in (("HS512", hashlib.sha512), ("HS384", hashlib.sha384), ("RS256", hashlib.sha256),
                                                           ("ES256", hashlib.sha256), ("hs256", hashlib.sha256), ("HS256 ", hashlib.sha256))),
            signed({"alg": ["HS256"]}), signed({"alg": None}), signed({}),
            # a key that comes along, or that the token chooses
            signed({"alg": "HS256", "jwk": key}, key=b"mine"), signed({"alg": "HS256", "jku": "http://attacker.example/"}, key=b"mine"),
            signed({"alg": "HS256", "kid": "../../../dev/null"}, key=b""), signed({"alg": "HS256", "kid": "' OR 1=1 --"}, key=b""),
            signed({"alg": "HS256"}, key=b""), signed({"alg": "HS256"}, key=b"\x00"), signed({"alg": "HS256"}, key=TOKEN.encode()),
            # what is signed is something else
            head + "." + encode({"sub": org, "exp": now + 6000}) + "." + signature, head + "." + body + "." + signature[:-4] + "AAAA",
            head + ".." + signature, "." + body + "." + signature, body + "." + head + "." + signature, good + "." + signature, good + "=",
            encode({"alg": "HS256", "typ": "JWT"}) + "." + body + "." + signature.swapcase(),
            # its time, and whose it is
            jwt(sub=org, exp=now - 1), jwt(sub=org, exp=0), jwt(sub=org, exp=-1), jwt(sub=org, exp="9999999999"), jwt(sub=org, exp=None), jwt(sub=org, exp=True),
            jwt(sub=org, nbf=now + 600), jwt(sub=org, iat=now + 600), jwt(sub=None), jwt(sub=[org]), jwt(sub=org + "x"), jwt(sub=org.lower()),
            jwt(sub=""), jwt(sub="org_"), jwt(org=org, sub="app_" + "0" * 22), jwt(org="org_" + "0" * 22, sub=app),
            # what is no token
            "..", "...", "a.b.c", head + "." + body, head + "." + encode(b"[]") + "." + signature, signed({"alg": "HS256"}, encode(b"{")),
            signed({"alg": "HS256"}, encode(b'{"sub":"\xff"}')), signed({"alg": "HS256"}, encode(json.dumps({"sub": org, "exp": now + 600}).encode() + b"x")),
            signed({"alg": "HS256"}, encode(b"[" * 5000))):
        assert everywhere(bearer(token)) == [], token
    assert everywhere(bearer(good), [("GET", "/api/v1/app")]) != [], "else all of the above says nothing"


def test_the_operator_and_tenants_are_strangers(tenant, everywhere):
    api, org, _ = tenant
    admin = [o for o in CLOSED if o[1].startswith("/admin/v1/")]
    ours = [o for o in CLOSED if o[1].startswith("/api/v1/")]
    assert admin and ours
    for token in (api.key, jwt(sub=org), TOKEN[:-1], TOKEN + " x", TOKEN.swapcase(), "x"):
        assert everywhere(bearer(token), admin) == [], token
    assert everywhere(bearer(TOKEN), ours) == []


HOSTS = ["attacker.example", "hooks.example.com.attacker.example", "hooks.example.com@attacker.example", "attacker.example:80", "[::1]", "a b", "localhost"]


@pytest.mark.parametrize("host", HOSTS)
def test_links_never_have_the_host_of_the_request(tenant, host):
    """Whichever header names it."""
    api, _, app = tenant
    for headers in ({"Host": host}, {"X-Forwarded-Host": host}, {"Forwarded": f"host={host};proto=http"}, {"X-Forwarded-Proto": "javascript"},
                    {"X-Original-URL": f"http://{host}/"}, {"Origin": f"http://{host}"}, {"Referer": f"http://{host}/"}):
        answer = api.request("POST", f"/auth/app-portal-access/{app}", json={}, headers=headers)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            assert answer.json()["url"].startswith("https://hooks.example.com/portal"), headers
        assert host not in answer.text and not any(host in value for value in answer.headers.values()), headers


def test_a_request_for_another_host_by_its_target(node, tenant):
    """GET http://attacker.example/... over the connection to us."""
    import socket
    api, _, app = tenant
    body = b"{}"
    with socket.create_connection((node.url.split("/")[2].split(":")[0], int(node.url.rsplit(":", 1)[1])), timeout=30 * SLOWNESS) as raw:
        raw.sendall(b"POST http://attacker.example/api/v1/auth/app-portal-access/%s HTTP/1.1\r\nHost: attacker.example\r\nAuthorization: Bearer %s\r\n"
                    b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                    % (app.encode(), api.key.encode(), len(body), body))
        answer = b""
        while more := raw.recv(65536):
            answer += more
    assert b"attacker" not in answer and answer.split(b" ")[1] in (b"200", b"400", b"404"), answer


def test_texts_of_the_operator_in_lists(node):
    """The longest and strangest names of tenants and plans are shown again, in the interface and by the command line."""
    with Operator(node.url, TOKEN) as operator:
        names = ["\x01" * 256, "😀" * 64, "\u202e" * 85, "<script>alert(1)</script>", "'\";--", " "]
        made = [operator.new_tenant(name=name) for name in names]
        assert {t["name"] for t in operator.pages("/tenant", limit=250)} >= set(names)
        operator.expect(422, "POST", "/tenant", json={"name": "😀" * 65})
        for search in names:
            assert any(t["id"] in {m["id"] for m in made} for t in operator.pages("/tenant", search=search, limit=250))
        operator.expect(200, "GET", "/tenant", params={"search": "%" * 5000})
        listed = node.database.command_line("tenant", "list")
        assert "\x01" not in listed and "\u202e" not in listed and unique("") not in listed
