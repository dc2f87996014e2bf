"""OAuth 2.0 client credentials: the token that goes along with every delivery."""
import base64
import json
import time
from urllib.parse import parse_qs

import psycopg
import pytest
from invariants import wait_drained
from receiver import delay, hang, ok, reset, status
from wait import SLOWNESS


def token(value="token-1", **more):
    answer = {"access_token": value, "token_type": "Bearer", "expires_in": 3600, **more}
    return ok(json.dumps({k: v for k, v in answer.items() if v is not None}).encode())


def config(server, **more):
    return {"grantType": "clientCredentials", "authMethod": "clientSecretBasic", "clientId": "the client", "clientSecret": "s3:cr&t",
            "tokenUrl": server.url("/token"), **more}


@pytest.fixture
def setup(once, new_receiver):
    """A function that makes an endpoint with OAuth; gives the api, the application, the endpoint, receiver and token server."""
    tokens, receiver = new_receiver(), new_receiver()
    tokens.default = token()
    with once.api() as api:
        def make(**more):
            app = api.new_app()
            endpoint = api.new_endpoint(app, receiver.url())
            api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth", json=config(tokens, **more))
            return api, app, endpoint, receiver, tokens
        yield make
    assert not tokens.faults and not receiver.faults


def one_attempt(node, api, app):
    message = api.send(app)
    wait_drained(node, app["id"])
    (one,) = api.attempts(app, message)
    return one


def test_token_is_fetched_with_basic_and_sent(once, setup):
    api, app, _, receiver, tokens = setup(scopes=["a:read", "b"], extraParams={"audience": "x y&z"},
                                          extraHeaders={"X-Tenant": "seven"})
    assert one_attempt(once, api, app)["status"] == 0
    (asked,) = tokens.got()
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    assert asked.header("x-tenant") == "seven" and asked.header("accept") == "application/json"
    assert asked.header("host") == f"127.0.0.1:{tokens.port}"
    assert base64.b64decode(asked.header("authorization").removeprefix("Basic ")) == b"the+client:s3%3Acr%26t"
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"], "scope": ["a:read b"], "audience": ["x y&z"]}
    (request,) = receiver.got()
    assert request.header("authorization") == "Bearer token-1"
    assert request.header("webhook-signature").startswith("v1,")


def test_token_is_fetched_with_post(once, setup):
    api, app, _, receiver, tokens = setup(authMethod="clientSecretPost")
    assert one_attempt(once, api, app)["status"] == 0
    (asked,) = tokens.got()
    assert asked.header("authorization") is None
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"], "client_id": ["the client"], "client_secret": ["s3:cr&t"]}
    assert receiver.got()[0].header("authorization") == "Bearer token-1"


def test_token_is_kept(once, setup):
    api, app, _, receiver, tokens = setup()
    for _ in range(5):
        assert one_attempt(once, api, app)["status"] == 0
    assert len(tokens.got()) == 1 and len(receiver.got()) == 5


def test_token_is_fetched_once_for_all_who_wait(once, setup):
    api, app, _, receiver, tokens = setup()
    tokens.script("/token", delay(0.15, token("slow")))
    for _ in range(8):
        api.send(app)
    wait_drained(once, app["id"])
    assert len(tokens.got()) == 1
    assert [r.header("authorization") for r in receiver.got()] == ["Bearer slow"] * 8


def test_token_is_fetched_again_when_it_ends(once, setup):
    api, app, _, receiver, tokens = setup()
    tokens.script("/token", token("short", expires_in=1))
    assert one_attempt(once, api, app)["status"] == 0
    time.sleep(1.1)
    assert one_attempt(once, api, app)["status"] == 0
    assert [r.header("authorization") for r in receiver.got()] == ["Bearer short", "Bearer token-1"]


def test_401_fetches_another_token_and_delivers_at_once(once, setup):
    api, app, _, receiver, tokens = setup()
    tokens.script("/token", token("old"), token("new"))
    assert one_attempt(once, api, app)["status"] == 0
    receiver.script("/hook", status(401, b"who?"))
    assert one_attempt(once, api, app)["status"] == 0  # one attempt: the node would try no second time
    assert [r.header("authorization") for r in receiver.got()] == ["Bearer old", "Bearer old", "Bearer new"]
    assert receiver.got()[1].header("webhook-id") == receiver.got()[2].header("webhook-id")
    assert len(tokens.got()) == 2


def test_second_401_is_a_failed_attempt(once, setup):
    api, app, _, receiver, tokens = setup()
    receiver.script("/hook", status(401, b"who?"), status(401, b"still: who?"))
    one = one_attempt(once, api, app)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 401, "still: who?")
    assert len(receiver.got()) == 2 and len(tokens.got()) == 2


def test_many_401_fetch_one_other_token(once, setup):
    api, app, _, receiver, tokens = setup()
    tokens.script("/token", token("old"))
    receiver.default = lambda r: ok() if r.header("authorization") == "Bearer token-1" else status(401)
    for _ in range(6):
        api.send(app)
    wait_drained(once, app["id"])
    assert len(tokens.got()) == 2
    assert len({r.header("webhook-id") for r in receiver.got() if r.header("authorization") == "Bearer token-1"}) == 6


@pytest.mark.parametrize("answer, reason", [
    (status(400, b'{"error":"invalid_client","error_description":"<b>secret</b>"}'), "the server answered 400: invalid_client"),
    (status(401, b'{"error":"Not a code!"}'), "the server answered 401"),
    (status(302, b"", {"Location": "http://127.0.0.1/"}), "the server answered 302"),
    (status(500, b"oops"), "the server answered 500"),
    (ok(b"no json"), "the answer is not a JSON object"),
    (ok(b"[]"), "the answer is not a JSON object"),
    (ok(b"{}"), "the answer has no access_token"),
    (token(1), "the answer has no access_token"),
    (token("a\r\nX-Evil: 1"), "the access_token has characters that no header may have"),
    (token("x" * 9000), "the access_token is too long"),
    (token(token_type="mac"), "the token is not of type Bearer"),
    (ok(b'{"access_token":"' + b"x" * 100_000 + b'"}'), "the answer is not a JSON object"),
    (reset(), "connection reset"),
    (hang(), "no answer within "),
], ids=["400", "401", "302", "500", "text", "array", "empty", "number", "injection", "long", "mac", "endless", "reset", "hang"])
def test_failing_fetch_is_a_failed_attempt(once, setup, answer, reason):
    api, app, _, receiver, tokens = setup()
    tokens.script("/token", answer)
    one = one_attempt(once, api, app)
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"].startswith(f"the OAuth token could not be fetched: {reason}")
    assert receiver.got() == []
    assert one_attempt(once, api, app)["status"] == 0, "the next delivery fetches again"


def test_token_url_is_guarded(postgres, start_node, new_receiver):
    tokens, receiver = new_receiver(), new_receiver(host="127.0.0.2")
    node = start_node(POSTHORN_GUARD_ALLOW="127.0.0.2", POSTHORN_RETRY_SCHEDULE="")
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth", json=config(tokens))
        one = one_attempt(node, api, app)
    assert one["response"] == "the OAuth token could not be fetched: address not allowed"
    assert tokens.connections == receiver.connections == 0


def test_change_and_removal_are_obeyed(once, setup):
    api, app, endpoint, receiver, tokens = setup()
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth"
    assert one_attempt(once, api, app)["status"] == 0
    tokens.default = token("of-the-other")
    api.expect(204, "PUT", path, json=config(tokens, clientId="other", authMethod="clientSecretPost"))
    assert one_attempt(once, api, app)["status"] == 0
    api.expect(204, "DELETE", path)
    assert one_attempt(once, api, app)["status"] == 0
    assert [r.header("authorization") for r in receiver.got()] == ["Bearer token-1", "Bearer of-the-other", None]
    assert api.get(path).status_code == 404


def test_own_authorization_header_gives_way(once, setup):
    api, app, endpoint, receiver, _ = setup()
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    api.expect(204, "PUT", f"{path}/headers", json={"headers": {"Authorization": "Basic own", "X-Other": "1"}})
    assert one_attempt(once, api, app)["status"] == 0
    (request,) = receiver.got()
    assert request.all("authorization") == ["Bearer token-1"] and request.header("x-other") == "1"


def test_configuration_is_shown_without_its_secret_and_sealed(once, setup):
    more = {"scopes": ["a"], "extraParams": {"audience": "x"}, "extraHeaders": {"X-A": "b"}}
    api, app, endpoint, _, tokens = setup(**more)
    shown = api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth")
    wanted = config(tokens, **more)
    del wanted["clientSecret"]
    assert shown == wanted
    with psycopg.connect(once.database.database_url) as db:
        for (row,) in db.execute("SELECT e::text FROM posthorn.endpoints e"):
            assert b"s3:cr&t".hex() not in row and "s3:cr&t" not in row and "the client" not in row


@pytest.mark.parametrize("member, value, text", [
    ("grantType", "refreshToken", "not supported"),
    ("grantType", "password", "clientCredentials"),
    ("authMethod", "clientSecretJwt", "not supported"),
    ("authMethod", None, "required"),
    ("clientId", "", "empty"),
    ("clientSecret", None, "required"),
    ("clientSecret", 7, "string"),
    ("tokenUrl", "ftp://x/", "http"),
    ("tokenUrl", "http://user:pass@x/", "password"),
    ("scopes", ["a b"], "visible"),
    ("scopes", "a", "array"),
    ("extraParams", {"grant_type": "x"}, "grant_type"),
    ("extraParams", {"a": 1}, "strings"),
    ("extraHeaders", {"Content-Length": "1"}, "set by the server"),
    ("extraHeaders", {"X-A": "a\r\nb: c"}, "control"),
    ("extraHeaders", {"X A": "a"}, "letters"),
])
def test_configuration_that_cannot_work_is_refused(once, new_receiver, member, value, text):
    with once.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, "http://127.0.0.1:1/")
        path = f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth"
        answer = api.put(path, json={**config(new_receiver()), member: value})
        assert answer.status_code == 422
        (fault,) = answer.json()["detail"]
        assert fault["loc"] == ["body", member] and text in fault["msg"]
        assert api.get(path).status_code == 404
        assert api.put(f"/app/{app['id']}/endpoint/ep_none/oauth", json=config(new_receiver())).status_code == 404


@pytest.mark.parametrize("kind", ["oauth", "mtls"])
def test_another_tenant_sees_and_changes_nothing(once, setup, authority, kind):
    api, app, endpoint, _, tokens = setup()
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}/{kind}"
    body = config(tokens, clientId="thief") if kind == "oauth" else {"identity": authority.client("thief")}
    if kind == "mtls":
        api.expect(204, "PUT", path, json={"identity": authority.client("owner")})
    before = api.expect(200, "GET", path)
    _, key = once.database.new_tenant("thief")
    with once.api(key) as thief:
        assert thief.get(path).status_code == 404
        assert thief.put(path, json=body).status_code == 404
        assert thief.delete(path).status_code == 404
    assert api.expect(200, "GET", path) == before


@pytest.mark.parametrize("change, reason", [
    ("oauth_sealed = mtls_sealed", "the OAuth configuration of the endpoint cannot be read"),
    ("mtls_sealed = oauth_sealed", "the client certificate of the endpoint cannot be read"),
    ("oauth_sealed = set_byte(oauth_sealed, 40, get_byte(oauth_sealed, 40) # 1)",
     "the OAuth configuration of the endpoint cannot be read"),
    ("oauth_sealed = (SELECT o.oauth_sealed FROM posthorn.endpoints o WHERE o.id <> e.id AND o.oauth_sealed IS NOT NULL LIMIT 1)",
     "the OAuth configuration of the endpoint cannot be read"),
], ids=["column", "other column", "byte", "row"])
def test_sealed_values_open_in_their_own_place_only(once, setup, authority, change, reason):
    """And when one does not open, nothing goes out without it."""
    setup()
    api, app, endpoint, receiver, tokens = setup()
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    api.expect(204, "PUT", f"{path}/mtls", json={"identity": authority.client()})
    with psycopg.connect(once.database.database_url, autocommit=True) as db:
        changed = db.execute(f"UPDATE posthorn.endpoints e SET {change} WHERE url = %s AND mtls_sealed IS NOT NULL", [receiver.url()])
        assert changed.rowcount == 1
    one = one_attempt(once, api, app)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, reason)
    assert receiver.got() == [] == tokens.got()
    assert api.get(f"{path}/{'mtls' if reason.startswith('the client') else 'oauth'}").status_code == 500


def test_stop_amid_a_fetch_is_clean(start_node, new_receiver):
    tokens, receiver = new_receiver(), new_receiver()
    tokens.default = hang()
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=300)
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth", json=config(tokens))
        for _ in range(3):
            api.send(app)
        tokens.wait(1)
    began = time.monotonic()
    node.stop()
    assert time.monotonic() - began < 8 * SLOWNESS
    assert receiver.got() == []


def test_change_amid_a_fetch_begins_anew(once, setup):
    api, app, endpoint, receiver, tokens = setup()

    def slow(_request):
        return delay(0.2, token("too-late"))

    tokens.script("/token", slow)
    message = api.send(app)
    tokens.wait(1)
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}/oauth")
    wait_drained(once, app["id"])
    (request,) = receiver.got()
    assert request.header("authorization") in (None, "Bearer too-late")
