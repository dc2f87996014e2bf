"""The headers of an attempt: what was sent and what came back."""
import pytest
from history import History
from receiver import Answer, status

# of the connection, which the interface does not show or the receiver's library does not tell apart
UNSAID = {"connection"}


def headers_of(api, app, message, attempt):
    return api.expect(200, "GET", f"/app/{app['id']}/msg/{message['id']}/attempt/{attempt['id']}/headers")


def received(request):
    return {name.lower(): value for name, value in request.headers if name.lower() not in UNSAID}


def shown(headers):
    return {name.lower(): value for name, value in headers["sentHeaders"].items()}


def test_what_was_sent_and_what_came_back(api, app, receiver):
    receiver.script("/hook", Answer(418, (("X-One", " a  b "), ("x-two", ""), ("X-One", "caf\u00e9")), b"teapot"))
    api.new_endpoint(app, receiver.url("/hook"))
    sent = api.send(app, {"a": 1})
    made = api.wait_attempts(app, sent, 1)[0]
    got = headers_of(api, app, sent, made)
    assert shown(got) == received(receiver.wait(1)[0])
    assert got["sentHeaders"]["webhook-id"] == sent["id"] and got["sentHeaders"]["webhook-signature"].startswith("v1,")
    assert got["sensitive"] == []
    assert [h for h in got["responseHeaders"] if h[0].lower().startswith("x-")] == \
        [["X-One", "a  b"], ["x-two", ""], ["X-One", "caf\ufffd"]]
    assert ["Content-Length", "6"] in got["responseHeaders"]


@pytest.mark.parametrize("profile, prefix", [
    ("standard", "acme"), ("stripe", "webhook"), ("github", "webhook"), ("slack", "webhook"), ("hmac-hex", "x-y")])
def test_signature_stays_that_which_was_sent(server, receiver, profile, prefix):
    """Whatever has become of the secret, the endpoint and the payload."""
    with server.api(server.new_tenant()[1]) as api:
        api.expect(200, "PATCH", "/tenant", json={"headerPrefix": prefix})
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url("/hook"), signatureProfile=profile)
        sent = api.send(app, {"a": 1})
        made = api.wait_attempts(app, sent, 1)[0]
        before = shown(headers_of(api, app, sent, made))
        assert before == received(receiver.wait(1)[0])
        api.expect(200, "PATCH", "/tenant", json={"headerPrefix": "other"})
        api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"signatureProfile": "hmac-base64"})
        api.post(f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate", json={"gracePeriodSeconds": 0})
        assert shown(headers_of(api, app, sent, made)) == before
        api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}")
        assert shown(headers_of(api, app, sent, made)) == before
        api.expect(204, "DELETE", f"/app/{app['id']}/msg/{sent['id']}/content")
        del before["content-length"]
        assert shown(headers_of(api, app, sent, made)) == before


def test_sensitive_headers_are_named_and_not_shown(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}"
    api.expect(204, "PUT", f"{where}/headers", json={"headers": {"X-Api-Key": "hidden", "X-Shown": "shown", "accept": "text/xml"}})
    sent = api.send(app, transformationsParams={"rawPayload": "<a/>", "headers": {"content-type": "text/xml"}})
    got = headers_of(api, app, sent, api.wait_attempts(app, sent, 1)[0])
    assert got["sensitive"] == ["X-Api-Key"] and "hidden" not in str(got)
    assert shown(got) | {"x-api-key": "hidden"} == received(receiver.wait(1)[0])
    api.expect(204, "PUT", f"{where}/oauth", json={
        "grantType": "clientCredentials", "authMethod": "clientSecretBasic", "clientId": "c", "clientSecret": "s",
        "tokenUrl": receiver.url("/token"), "scopes": []})
    assert headers_of(api, app, sent, api.attempts(app, sent)[0])["sensitive"] == ["X-Api-Key", "Authorization"]


def test_much_is_cut_behind_a_line(api, app, receiver):
    lines = [("X-Long", "a" * 200), ("X-Longer", "b" * 200), ("X-Longest", "c" * 4000)]
    receiver.script("/ok", status(200, headers=lines))
    receiver.script("/bad", status(500, headers=lines))
    for path, kept in (("/ok", {"X-Long"}), ("/bad", {"X-Long", "X-Longer"})):
        endpoint = api.new_endpoint(app, receiver.url(path))
        sent = api.send(app)
        made = [a for a in api.wait_attempts(app, sent, 1) if a["endpointId"] == endpoint["id"]][0]
        names = {name for name, _ in headers_of(api, app, sent, made)["responseHeaders"]}
        assert {name for name in names if name.startswith("X-")} == kept
        api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}")


def test_no_answer_and_nothing_sent(api, app, server):
    api.new_endpoint(app, "http://127.0.0.1:9/")
    sent = api.send(app)
    got = headers_of(api, app, sent, api.wait_attempts(app, sent, 1)[0])
    assert got["responseHeaders"] == [] and got["sentHeaders"]["Host"] == "127.0.0.1:9"
    with History(server, app) as history:  # as of a server of before
        m = history.message()
        made = history.attempt(m, api.new_endpoint(app, "http://127.0.0.1:9/", disabled=True))
    assert headers_of(api, app, {"id": m}, {"id": made}) == {"sentHeaders": {}, "responseHeaders": [], "sensitive": []}


def test_expunging_the_content_removes_the_headers_of_the_answer(api, app, receiver):
    receiver.script("/hook", status(500, headers=[("X-Secret", "s")]))
    api.new_endpoint(app, receiver.url("/hook"))
    sent = api.send(app)
    made = api.wait_attempts(app, sent, 1)[0]
    before = headers_of(api, app, sent, made)
    assert before["responseHeaders"] != []
    api.expect(204, "DELETE", f"/app/{app['id']}/msg/{sent['id']}/attempt/{made['id']}/content")
    assert headers_of(api, app, sent, made) == before | {"responseHeaders": []}


def test_ones_that_are_not_there(api, app, other, server):
    with History(server, app) as history:
        m = history.message()
        made = history.attempt(m, api.new_endpoint(app, "http://127.0.0.1:9/"))
    where = f"/app/{app['id']}/msg/{m}/attempt"
    other.expect(404, "GET", f"{where}/{made}/headers")
    for name in ("none", "atmpt_0353OM26OITK0ai0n67mEB"):
        api.expect(404, "GET", f"{where}/{name}/headers")
