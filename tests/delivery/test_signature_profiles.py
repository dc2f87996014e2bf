"""How requests are signed: profiles, header prefixes, keys of every kind, and bodies other than the JSON payload."""
import base64
import hashlib
import hmac
import time

import pytest
from client import Api, unique
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from receiver import status
from wait import wait_for

TEXT = "whsec_this is no base64, and 41 chars~"
SEED = base64.b64encode(bytes(range(32))).decode()


def mac(key, data):
    return hmac.new(key.encode() if isinstance(key, str) else key, data, hashlib.sha256)


def settings(api, **members):
    return api.expect(200, "PATCH", "/tenant", json=members)


def verify_v1a(public_key, request, prefix="webhook"):
    """Of the first v1a signature."""
    assert public_key.startswith("whpk_")
    signatures = [s for s in request.header(f"{prefix}-signature").split() if s.startswith("v1a,")]
    signed = f"{request.header(f'{prefix}-id')}.{request.header(f'{prefix}-timestamp')}.".encode() + request.body
    VerifyKey(base64.b64decode(public_key[5:], validate=True)).verify(signed, base64.b64decode(signatures[0][4:], validate=True))


@pytest.fixture
def tenant(server):
    """A client of a fresh tenant, whose settings a test may change."""
    with Api(server.url, server.database.new_tenant(unique("tenant"))[1]) as client:
        yield client


def one_request(api, receiver, payload=b'{"a": 1 }', **endpoint):
    """(endpoint, request) of a message to a fresh endpoint."""
    app = api.new_app()
    made = api.new_endpoint(app, receiver.url(), **endpoint)
    sent = api.send_bytes(app, payload, event_type="invoice.paid")
    request = receiver.wait()[0]
    assert request.header("webhook-id") == sent["id"] and request.body == payload
    assert abs(int(request.header("webhook-timestamp")) - request.wall) < 5
    return made, request


@pytest.mark.parametrize("secret", [TEXT, "whsec_" + "A" * 32])
def test_stripe(api, receiver, secret):
    _, request = one_request(api, receiver, signatureProfile="stripe", secret=secret)
    stamp = request.header("webhook-timestamp")
    expected = mac(secret, f"{stamp}.".encode() + request.body).hexdigest()
    assert request.header("stripe-signature") == f"t={stamp},v1={expected}"
    assert request.header("webhook-signature") is None


def test_github(api, receiver):
    _, request = one_request(api, receiver, signatureProfile="github", secret=TEXT)
    assert request.header("x-hub-signature-256") == "sha256=" + mac(TEXT, request.body).hexdigest()
    assert request.header("x-github-event") == "invoice.paid"
    assert request.header("x-github-delivery") == request.header("webhook-id")


def test_shopify(api, receiver):
    _, request = one_request(api, receiver, signatureProfile="shopify", secret=TEXT)
    assert request.header("x-shopify-hmac-sha256") == base64.b64encode(mac(TEXT, request.body).digest()).decode()
    assert request.header("x-shopify-topic") == "invoice.paid"
    assert request.header("x-shopify-webhook-id") == request.header("webhook-id")


def test_slack(api, receiver):
    _, request = one_request(api, receiver, signatureProfile="slack", secret=TEXT)
    stamp = request.header("x-slack-request-timestamp")
    assert stamp == request.header("webhook-timestamp")
    assert request.header("x-slack-signature") == "v0=" + mac(TEXT, f"v0:{stamp}:".encode() + request.body).hexdigest()


@pytest.mark.parametrize("secret, key", [(TEXT, TEXT), ("whsec_" + "A" * 32, bytes(24))])
def test_plain_hmac(api, receiver, secret, key):
    _, request = one_request(api, receiver, signatureProfile="hmac-hex", secret=secret)
    assert request.header("x-signature") == mac(key, request.body).hexdigest()
    app = api.new_app()
    api.new_endpoint(app, receiver.url("/b64"), signatureProfile="hmac-base64", signatureHeader="X-Acme-Digest", secret=secret)
    api.send(app)
    request = receiver.wait(1, "/b64")[0]
    assert request.header("x-acme-digest") == base64.b64encode(mac(key, request.body).digest()).decode()


def test_stripe_signs_with_both_secrets_while_one_is_replaced(api, receiver):
    app = api.new_app()
    endpoint = api.new_endpoint(app, receiver.url(), signatureProfile="stripe", secret=TEXT)
    other = "another text, and no base64"
    api.expect(200, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate", json={"key": other})
    assert api.secret(app, endpoint) == other
    api.send(app)
    request = receiver.wait()[0]
    stamp = request.header("webhook-timestamp")
    signed = f"{stamp}.".encode() + request.body
    assert request.header("stripe-signature") == \
        f"t={stamp},v1={mac(other, signed).hexdigest()},v1={mac(TEXT, signed).hexdigest()}"


def test_text_secret_only_where_the_profile_takes_one(tenant):
    app = tenant.new_app()
    url = "https://receiver.example/"
    path = f"/app/{app['id']}/endpoint"
    for given in [{}, {"signatureProfile": "standard"}]:
        refused = tenant.expect(422, "POST", path, json={"url": url, "secret": TEXT, **given})
        assert refused["detail"][0]["loc"] == ["body", "secret"]
    for secret in ["1234567", "x" * 257, "caf\u00e9 12345", "1234567\n"]:
        tenant.expect(422, "POST", path, json={"url": url, "secret": secret, "signatureProfile": "stripe"})
    plain = tenant.new_endpoint(app, url)
    tenant.expect(422, "POST", f"{path}/{plain['id']}/secret/rotate", json={"key": TEXT})
    settings(tenant, signatureProfile="github")
    made = tenant.new_endpoint(app, url, secret=TEXT)
    assert tenant.secret(app, made) == TEXT
    tenant.expect(200, "POST", f"{path}/{plain['id']}/secret/rotate", json={"key": TEXT})
    tenant.expect(422, "POST", path, json={"url": url, "secret": TEXT, "signatureProfile": "standard"})


def test_text_secret_is_sealed(server, api):
    text = "in clear text nowhere 4711"
    api.new_endpoint(api.new_app(), "https://receiver.example/", signatureProfile="slack", secret=text)
    with server.database.database() as db:
        kinds = db.execute("SELECT kind FROM endpoint_secrets WHERE kind = 2").fetchall()
        assert kinds and not db.execute("SELECT 1 FROM endpoint_secrets WHERE position(%s in sealed) > 0",
                                        (text.encode(),)).fetchall()


# ---- Ed25519 ----


@pytest.mark.parametrize("given", [{"secret": "whsk_" + SEED}, {"signatureAlgorithm": "ed25519"}])
def test_ed25519(api, app, receiver, given):
    endpoint = api.new_endpoint(app, receiver.url(), **given)
    shown = api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret")
    assert shown["key"].startswith("whsk_") and shown["key"] == given.get("secret", shown["key"])
    api.send_bytes(app, b'{"a" : 1}')
    request = receiver.wait()[0]
    verify_v1a(shown["publicKey"], request)
    assert len(request.header("webhook-signature").split()) == 1
    with pytest.raises(BadSignatureError):
        verify_v1a("whpk_" + base64.b64encode(VerifyKey(bytes(32)).encode()).decode(), request)


def test_both_kinds_of_keys_sign_while_one_is_replaced(api, app, receiver, signature):
    endpoint = api.new_endpoint(app, receiver.url())
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}/secret"
    old = api.expect(200, "GET", path)
    assert set(old) == {"key"} and old["key"].startswith("whsec_")
    api.expect(200, "POST", f"{path}/rotate", json={"signatureAlgorithm": "ed25519"})
    new = api.expect(200, "GET", path)
    api.send(app)
    request = receiver.wait()[0]
    first, second = request.header("webhook-signature").split()
    assert first.startswith("v1a,") and second == signature(old["key"], request)
    verify_v1a(new["publicKey"], request)
    api.expect(200, "POST", f"{path}/rotate", json={})  # of the same kind
    assert api.expect(200, "GET", path)["key"].startswith("whsk_")
    api.expect(200, "POST", f"{path}/rotate", json={"signatureAlgorithm": "hmac-sha256", "gracePeriodSeconds": 0})
    assert api.expect(200, "GET", path)["key"].startswith("whsec_")


@pytest.mark.parametrize("given", [
    {"secret": "whsk_" + base64.b64encode(bytes(31)).decode()}, {"secret": "whsk_" + base64.b64encode(bytes(64)).decode()},
    {"secret": "whpk_" + SEED}, {"signatureAlgorithm": "rsa"}, {"secret": "whsk_" + SEED, "signatureAlgorithm": "ed25519"}])
def test_wrong_keys_are_refused(api, app, given):
    api.expect(422, "POST", f"/app/{app['id']}/endpoint", json={"url": "https://receiver.example/", **given})


# ---- settings of the tenant ----


def test_tenant_settings_are_read_and_changed(tenant, other):
    before = tenant.expect(200, "GET", "/tenant")
    assert {k: before[k] for k in ("headerPrefix", "signatureProfile", "signatureHeader", "retrySchedule")} == {
        "headerPrefix": "webhook", "signatureProfile": "standard", "signatureHeader": None, "retrySchedule": None}
    others = other.expect(200, "GET", "/tenant")
    changed = {"name": "Grün", "headerPrefix": "svix", "signatureProfile": "hmac-hex", "signatureHeader": "X-Mine",
               "retrySchedule": [5, 0, 86400]}
    after = settings(tenant, **changed)
    assert {k: after[k] for k in changed} == changed and after == tenant.expect(200, "GET", "/tenant")
    assert settings(tenant, name="x")["retrySchedule"] == [5, 0, 86400]
    assert settings(tenant, retrySchedule=[])["retrySchedule"] == []
    back = settings(tenant, retrySchedule=None, signatureHeader=None)
    assert back["retrySchedule"] is None and back["signatureHeader"] is None and back["headerPrefix"] == "svix"
    assert other.expect(200, "GET", "/tenant") == others


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": None}, {"name": "x" * 257}, {"headerPrefix": ""}, {"headerPrefix": "a b"}, {"headerPrefix": "a_b"},
    {"headerPrefix": "-a"}, {"headerPrefix": "x" * 65}, {"headerPrefix": None}, {"headerPrefix": "a\r\nX: y"},
    {"signatureProfile": "Stripe"}, {"signatureProfile": None}, {"signatureProfile": 1}, {"signatureHeader": "content-length"},
    {"signatureHeader": "webhook-signature"}, {"signatureHeader": "host"}, {"signatureHeader": ""}, {"signatureHeader": "a:b"},
    {"retrySchedule": [-1]}, {"retrySchedule": ["1"]}, {"retrySchedule": [1.5]}, {"retrySchedule": 5},
    {"retrySchedule": [1] * 33}, {"retrySchedule": [30 * 86400 + 1]}])
def test_wrong_tenant_settings_are_refused(tenant, wrong):
    before = tenant.expect(200, "GET", "/tenant")
    tenant.expect(422, "PATCH", "/tenant", json=wrong)
    assert tenant.expect(200, "GET", "/tenant") == before


def test_endpoint_members(api, app):
    url = "https://receiver.example/"
    endpoint = api.new_endpoint(app, url)
    path = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    assert endpoint["signatureProfile"] is None and endpoint["signatureHeader"] is None
    changed = api.expect(200, "PATCH", path, json={"signatureProfile": "hmac-hex", "signatureHeader": "X-Sig"})
    assert (changed["signatureProfile"], changed["signatureHeader"]) == ("hmac-hex", "X-Sig")
    assert api.expect(200, "PATCH", path, json={"description": "x"})["signatureProfile"] == "hmac-hex"
    assert api.expect(200, "GET", path)["signatureHeader"] == "X-Sig"
    assert api.pages(f"/app/{app['id']}/endpoint")[0]["signatureProfile"] == "hmac-hex"
    assert api.expect(200, "PUT", path, json={"url": url})["signatureProfile"] is None
    for wrong in [{"signatureProfile": "none"}, {"signatureHeader": "X Sig"}, {"signatureHeader": "Content-Type"}]:
        api.expect(422, "PATCH", path, json=wrong)


def test_header_prefix_of_the_tenant(tenant, receiver, signature):
    app = tenant.new_app()
    endpoint = tenant.new_endpoint(app, receiver.url())
    tenant.send(app)
    assert receiver.wait()[0].header("webhook-id")
    settings(tenant, headerPrefix="svix")
    secret = tenant.secret(app, endpoint)

    def moved():
        before = len(receiver.got())
        tenant.send(app)
        return receiver.wait(before + 1)[-1].header("svix-signature")

    wait_for(moved, what="the new prefix is used")
    request = next(r for r in receiver.requests if r.header("svix-signature"))
    assert not [name for name, _ in request.headers if name.lower().startswith("webhook-")]
    signed = f"{request.header('svix-id')}.{request.header('svix-timestamp')}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert request.header("svix-signature") == "v1," + base64.b64encode(mac(key, signed).digest()).decode()


def test_profile_of_the_tenant_and_of_the_endpoint(tenant, receiver):
    settings(tenant, signatureProfile="hmac-hex", signatureHeader="X-All")
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url("/tenant"))
    tenant.new_endpoint(app, receiver.url("/own"), signatureProfile="github", secret=TEXT)
    tenant.send(app)
    assert receiver.wait(1, "/tenant")[0].header("x-all")
    request = receiver.wait(1, "/own")[0]
    assert request.header("x-all") is None and request.header("x-hub-signature-256")


def test_retry_schedule_of_the_tenant(tenant, receiver):
    settings(tenant, retrySchedule=[0])
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url())
    receiver.default = status(500)
    sent = tenant.send(app)
    assert len(receiver.wait(2)) == 2
    tenant.wait_attempts(app, sent, 2)
    path = f"/app/{app['id']}/msg/{sent['id']}/endpoint"
    wait_for(lambda: tenant.pages(path)[0]["status"] == 2, what="the delivery is given up")


def test_custom_header_that_the_signature_has_too_comes_once(tenant, receiver):
    settings(tenant, headerPrefix="acme")
    app = tenant.new_app()
    endpoint = tenant.new_endpoint(app, receiver.url(), signatureProfile="github", secret=TEXT)
    tenant.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/headers",
                  json={"headers": {"acme-id": "mine", "X-GitHub-Event": "mine", "X-Other": "kept"}})
    sent = tenant.send(app, event_type="invoice.paid")
    request = receiver.wait()[0]
    assert request.header("acme-id") == sent["id"] and request.header("x-github-event") == "invoice.paid"
    assert request.header("x-other") == "kept"


def test_a_retry_of_a_stored_delivery_has_event_type_and_body(start_node, receiver):
    """After the node that took the message in is gone, all is read from the database."""
    first = start_node(POSTHORN_RETRY_SCHEDULE="1", POSTHORN_BREAKER_FAILURES=0)
    with first.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url(), signatureProfile="github", secret=TEXT)
        receiver.default = status(500)
        api.send(app, event_type="invoice.paid",
                 transformationsParams={"rawPayload": "<a/>", "headers": {"content-type": "text/xml"}})
        receiver.wait()
    first.stop()
    receiver.default = status(200)
    start_node(POSTHORN_RETRY_SCHEDULE="1")
    again = receiver.wait(2, timeout=30)[1]
    assert again.body == b"<a/>" and again.header("content-type") == "text/xml"
    assert again.header("x-github-event") == "invoice.paid"
    assert again.header("x-hub-signature-256") == "sha256=" + mac(TEXT, b"<a/>").hexdigest()


# ---- bodies that are no JSON ----


def test_raw_payload_is_sent_instead_of_the_payload(api, app, receiver, signature):
    endpoint = api.new_endpoint(app, receiver.url())
    xml = '<?xml version="1.0"?>\r\n<a b="\u00fc">\U0001f600</a>\n'
    sent = api.send(app, {"shown": 1}, transformationsParams={
        "rawPayload": xml, "headers": {"X-Other": "ignored", "Content-Type": "application/xml; charset=utf-8"}})
    assert sent["payload"] == {"shown": 1}
    request = receiver.wait()[0]
    assert request.body == xml.encode()
    assert request.header("content-type") == "application/xml; charset=utf-8" and request.header("x-other") is None
    assert request.header("content-length") == str(len(xml.encode()))
    assert request.header("webhook-signature") == signature(api.secret(app, endpoint), request)
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{sent['id']}")["payload"] == {"shown": 1}
    assert api.expect(200, "GET", f"/app/{app['id']}/msg")["data"][0]["payload"] == {"shown": 1}


def test_raw_payload_without_a_content_type_and_an_empty_one(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    api.send(app, transformationsParams={"rawPayload": '[1, 2]'})
    api.send(app, transformationsParams={"rawPayload": "", "headers": {"content-type": "text/plain"}})
    api.send(app, {"b": 1}, transformationsParams={"headers": {"content-type": "text/plain"}})
    api.send(app, {"c": 1}, transformationsParams={"rawPayload": None})
    got = sorted((r.body, r.header("content-type")) for r in receiver.wait(4))
    assert [body.replace(b" ", b"") for body, _ in got] == [b"", b"[1,2]", b'{"b":1}', b'{"c":1}']
    assert [kind for _, kind in got] == ["text/plain"] + 3 * ["application/json"]


def test_raw_payload_of_an_application_made_with_the_message(api, receiver):
    uid = unique("made")
    sent = api.send(uid, {"a": 1}, application={"name": "made"}, transformationsParams={"rawPayload": "raw"})
    assert sent["payload"] == {"a": 1}
    assert api.expect(200, "GET", f"/app/{uid}/msg/{sent['id']}")["payload"] == {"a": 1}


def test_raw_payload_with_an_idempotency_key_answers_the_same(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    body = {"eventType": "a.b", "payload": {"a": 1}, "transformationsParams": {"rawPayload": "raw"}}
    first, second = [api.post(f"/app/{app['id']}/msg", body, headers={"Idempotency-Key": "raw-key"})
                     for _ in range(2)]
    assert first.status_code == second.status_code == 202 and first.json() == second.json()
    assert receiver.wait()[0].body == b"raw"
    time.sleep(0.3)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("wrong", [
    "text", [], {"rawPayload": 1}, {"rawPayload": {}}, {"rawPayload": "x", "headers": []}, {"rawPayload": "x\u0000"},
    {"rawPayload": "x", "headers": {"content-type": "text"}}, {"rawPayload": "x", "headers": {"content-type": 1}},
    {"rawPayload": "x", "headers": {"content-type": "text/xml\r\nX-Injected: 1"}}])
def test_wrong_raw_payloads_are_refused(api, app, wrong):
    refused = api.expect(422, "POST", f"/app/{app['id']}/msg",
                         json={"eventType": "a.b", "payload": {}, "transformationsParams": wrong})
    assert refused["detail"][0]["loc"] == ["body", "transformationsParams"]
