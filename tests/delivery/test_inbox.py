"""Test inboxes: what arrives there, and how it gets there although the guard allows no loopback."""
import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from client import Api, unique
from server import Node
from test_tail import Tail
from wait import wait_for

KEPT, BODY_BYTES = 100, 64 * 1024


@pytest.fixture(scope="module")
def guarded(postgres):
    """A node that may deliver to no private address, so to nothing that runs here but itself."""
    one = Node(postgres.new_database(), POSTHORN_GUARD_ALLOW=None, POSTHORN_RETRY_SCHEDULE="1")
    try:
        yield one.start()
        one.stop()
    finally:
        one.remove()


@pytest.fixture
def inside(guarded):
    with guarded.api() as api:
        yield api


@pytest.fixture
def app(inside):
    return inside.new_app()


def inbox_of(api, app, **answer):
    return api.expect(200, "PUT", f"/app/{app['id']}/inbox", json=answer)


def arrived(api, app, count=1):
    """The requests as soon as there are so many of them, the newest first."""
    def enough():
        found = api.pages(f"/app/{app['id']}/inbox/request")
        return found if len(found) >= count else None
    return wait_for(enough, 10, f"{count} requests arrive")


def whole(api, app, request):
    return api.expect(200, "GET", f"/app/{app['id']}/inbox/request/{request['id']}")


def test_a_delivery_arrives_past_the_guard_and_its_signature_is_checked(inside, app):
    inbox = inbox_of(inside, app)
    endpoint = inside.new_endpoint(app, inbox["url"])
    inside.new_endpoint(app, inbox["url"], eventTypes=["other.happened"])
    message = inside.send_bytes(app, b'{"invoice": 42.0}')
    (attempt,) = inside.wait_attempts(app, message, 1)
    assert (attempt["status"], attempt["responseStatusCode"], attempt["response"]) == (0, 200, "Posthorn test inbox.\n")
    (one,) = arrived(inside, app)
    assert (one["method"], one["bodyBytes"], one["signature"], one["endpointId"], one["answered"]) == (
        "POST", 17, "valid", endpoint["id"], 200)
    request = whole(inside, app, one)
    assert request["body"] == '{"invoice": 42.0}'
    headers = dict(request["headers"])
    assert headers["webhook-id"] == message["id"] and headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize("path", ["", "/", "/api/v1/health", "/metrics", "/inbox/", "/inbox/phi_" + "x" * 42, "{inbox}/", "{inbox}?a=b",
                                  "{inbox}/../../metrics", "{inbox}x", "/inbox//{token}", "/./inbox/{token}", "/INBOX/{token}"])
def test_nothing_else_of_the_instance_is_reached(guarded, inside, app, path):
    """The way past the guard is for inboxes alone, whatever the URL makes of it."""
    inbox = inbox_of(inside, app)["url"]
    token = inbox.rpartition("/")[2]
    inside.new_endpoint(app, guarded.url + path.format(inbox="/inbox/" + token, token=token))
    message = inside.send(app)
    attempt = inside.wait_attempts(app, message, 1)[-1]
    assert (attempt["responseStatusCode"], attempt["response"]) == (0, "address not allowed")
    assert not inside.pages(f"/app/{app['id']}/inbox/request")


def test_what_looks_like_an_inbox_elsewhere_is_not_reached(guarded, inside, app):
    inbox = inbox_of(inside, app)["url"]
    for url in (inbox.replace("127.0.0.1", "127.0.0.2"), inbox.replace("http:", "https:"), inbox.replace("127.0.0.1", "localhost")):
        inside.new_endpoint(app, url)
    inside.wait_attempts(app, inside.send(app), 3)
    assert not inside.pages(f"/app/{app['id']}/inbox/request")


def test_a_failure_is_tried_again_and_then_arrives(inside, app):
    inbox = inbox_of(inside, app, status=503)
    inside.new_endpoint(app, inbox["url"])
    message = inside.send(app)
    assert inside.wait_attempts(app, message, 1)[-1]["responseStatusCode"] == 503
    changed = inbox_of(inside, app)
    assert (changed["url"], changed["status"]) == (inbox["url"], 200), "it keeps its URL"
    assert [a["responseStatusCode"] for a in inside.wait_attempts(app, message, 2)] == [200, 503]
    assert [r["answered"] for r in arrived(inside, app, 2)] == [200, 503]


def test_an_answer_waits_as_long_as_it_is_told(inside, app):
    inbox = inbox_of(inside, app, status=202, delayMs=300)
    assert (inbox["status"], inbox["delayMs"]) == (202, 300)
    response = inside.http.post(inbox["url"], content=b"hello")
    assert response.status_code == 202 and response.elapsed.total_seconds() >= 0.3


def test_every_signature_profile_is_known(inside, app):
    inbox = inbox_of(inside, app)
    profiles = ["standard", "stripe", "github", "shopify", "slack", "hmac-hex", "hmac-base64"]
    made = {inside.new_endpoint(app, inbox["url"], signatureProfile=one)["id"] for one in profiles}
    inside.send(app)
    found = arrived(inside, app, len(profiles))
    assert {one["endpointId"] for one in found} == made and {one["signature"] for one in found} == {"valid"}


def test_a_wrong_signature_is_told_from_none(inside, app):
    inbox = inbox_of(inside, app)
    endpoint = inside.new_endpoint(app, inbox["url"])
    key = base64.b64decode(inside.secret(app, endpoint).removeprefix("whsec_"))
    right = base64.b64encode(hmac.digest(key, b"msg_1.1700000000.{}", hashlib.sha256)).decode()

    def post(body=b"{}", **changed):
        headers = {"webhook-id": "msg_1", "webhook-timestamp": "1700000000", "webhook-signature": f"v1,{right}"}
        headers.update({f"webhook-{name}": value for name, value in changed.items()})
        inside.http.post(inbox["url"], content=body, headers=headers).raise_for_status()
        return arrived(inside, app)[0]["signature"]

    assert post() == "valid"
    assert post(body=b"{ }") == post(id="msg_2") == post(timestamp="1700000001") == post(signature="v1,x") == "invalid"
    assert post(timestamp="") == post(timestamp="-1") == post(timestamp="9" * 30) == "invalid"
    inside.http.post(inbox["url"], content=b"{}").raise_for_status()
    assert arrived(inside, app)[0]["signature"] == "none"


def test_any_method_and_any_bytes_are_kept_and_none_come_back(inside, app):
    url = inbox_of(inside, app)["url"]
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = inside.http.request(method, url, content=b"\xff\x00<script>", headers={"Origin": "http://evil.example"})
        assert answer.status_code == 200 and answer.text == "Posthorn test inbox.\n"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8" and answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers
        assert arrived(inside, app)[0]["method"] == method
    assert whole(inside, app, arrived(inside, app)[0])["body"].endswith("<script>")


def test_secrets_in_headers_are_not_kept(inside, app):
    url = inbox_of(inside, app)["url"]
    inside.http.post(url, content=b"", headers={"authorization": "Bearer secret", "cookie": "a=secret", "x-plain": "shown"})
    kept = whole(inside, app, arrived(inside, app)[0])["headers"]
    assert "secret" not in str(kept) and ["x-plain", "shown"] in kept


def test_a_long_body_is_cut_and_old_requests_go(guarded, inside, app):
    url = inbox_of(inside, app)["url"]
    inside.http.post(url, content=b"x" * (BODY_BYTES + 10)).raise_for_status()
    first = arrived(inside, app)[0]
    assert first["bodyBytes"] == BODY_BYTES + 10 and len(whole(inside, app, first)["body"]) == BODY_BYTES
    with guarded.database.database() as db:
        (there,) = db.execute("SELECT application_id FROM inbox_requests ORDER BY id DESC LIMIT 1").fetchone()
        db.execute("INSERT INTO inbox_requests SELECT application_id, uuid_floor(now() - n * interval '1 second'), tenant_id, method,"
                   " headers, '', 0, signature, NULL, 200 FROM inbox_requests, generate_series(1, 150) n WHERE application_id = %s",
                   (there,))
    inside.http.post(url, content=b"last").raise_for_status()
    kept = inside.pages(f"/app/{app['id']}/inbox/request", limit=30)
    assert len(kept) == KEPT and kept[0]["bodyBytes"] == 4 and kept[1]["id"] == first["id"]
    with guarded.database.database() as db:
        assert db.execute("SELECT count(*) FROM inbox_requests WHERE application_id = %s", (there,)).fetchone() == (KEPT,)
        db.execute("UPDATE inbox_requests SET id = uuid_floor(now() - interval '25 hours')"
                   " WHERE application_id = %s AND body_bytes = 4", (there,))
    assert len(inside.pages(f"/app/{app['id']}/inbox/request")) == KEPT - 1, "what is a day old does not show"


def test_too_many_at_once_are_refused(inside, app):
    url = inbox_of(inside, app)["url"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: inside.http.post(url, content=b""), range(300)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and refused[0].headers["retry-after"] == "1"


def test_few_answers_are_held_back_at_a_time(guarded, inside, app):
    url = inbox_of(inside, app, delayMs=20000)["url"]
    pending = []
    try:
        for _ in range(40):
            client = httpx.Client(trust_env=False)
            pending.append(client)
            try:
                answer = client.post(url, content=b"", timeout=0.3)
            except httpx.ReadTimeout:
                continue
            assert answer.status_code == 429
            break
        else:
            raise AssertionError("all of them are held")
    finally:
        for client in pending:
            client.close()


def test_it_is_told_live(inside, app):
    inbox = inbox_of(inside, app)
    endpoint = inside.new_endpoint(app, inbox["url"])
    tail = Tail(inside, f"/app/{app['id']}/tail")
    inside.send(app)
    told = tail.next(type="arrival")
    one = arrived(inside, app)[0]
    assert told == {"type": "arrival", "appId": app["id"], "id": one["id"], "endpointId": endpoint["id"], "signature": "valid",
                    "responseStatusCode": 200, "timestamp": one["timestamp"]}
    tail.close()


def test_unknown_deleted_and_suspended_ones_are_not_there(guarded, inside, app):
    unknown = f"{guarded.url}/inbox/phi_{'x' * 43}"
    assert inside.http.post(unknown, content=b"").status_code == 404
    url = inbox_of(inside, app)["url"]
    inside.expect(204, "DELETE", f"/app/{app['id']}/inbox")
    inside.expect(404, "GET", f"/app/{app['id']}/inbox")
    inside.expect(404, "DELETE", f"/app/{app['id']}/inbox")
    assert inside.http.post(url, content=b"").status_code == 404
    assert inbox_of(inside, app)["url"] != url
    tenant, key = guarded.database.new_tenant(unique("suspended"))
    with Api(guarded.url, key) as api:
        url = inbox_of(api, api.new_app())["url"]
        assert api.http.post(url, content=b"").status_code == 200
        guarded.database.command_line("tenant", "suspend", "--tenant", tenant)
        assert api.http.post(url, content=b"").status_code == 404


def test_a_public_url_is_recognised(postgres):
    """Deliveries to it do not leave the node, which need not reach itself by that name."""
    node = Node(postgres.new_database(), POSTHORN_GUARD_ALLOW=None, POSTHORN_PUBLIC_URL="https://hooks.example.invalid",
                POSTHORN_PROXY="http://127.0.0.1:1")
    try:
        node.start()
        with node.api() as api:
            app = api.new_app()
            inbox = inbox_of(api, app)
            assert inbox["url"].startswith("https://hooks.example.invalid/inbox/phi_")
            api.new_endpoint(app, inbox["url"])
            api.send(app)
            assert arrived(api, app)[0]["signature"] == "valid"
        node.stop()
    finally:
        node.remove()


@pytest.mark.parametrize("body, field", [({"status": 100}, "status"), ({"status": 600}, "status"), ({"status": "200"}, "status"),
                                         ({"delayMs": -1}, "delayMs"), ({"delayMs": 20001}, "delayMs"), ({"delayMs": 1.5}, "delayMs")])
def test_bad_input_is_named(inside, app, body, field):
    answer = inside.put(f"/app/{app['id']}/inbox", body)
    assert answer.status_code == 422 and {fault["loc"][-1] for fault in answer.json()["detail"]} == {field}


def test_nothing_of_it_shows_to_others(guarded, inside, app):
    url = inbox_of(inside, app)["url"]
    inside.http.post(url, content=b"").raise_for_status()
    request = arrived(inside, app)[0]["id"]
    there = f"/app/{app['id']}/inbox"
    with Api(guarded.url, guarded.database.new_tenant(unique("other"))[1]) as other:
        for method, path in (("GET", there), ("DELETE", there), ("GET", there + "/request"), ("GET", f"{there}/request/{request}")):
            other.expect(404, method, path)
        other.expect(404, "PUT", there, json={})
    elsewhere = inside.new_app()
    inside.expect(404, "GET", f"/app/{elsewhere['id']}/inbox/request/{request}")
