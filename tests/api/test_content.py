"""What is delivered of a message, and removing the content of messages and attempts."""
import json

import pytest
from client import unique
from history import History, to_uuid
from receiver import status
from wait import wait_for

URL = "http://127.0.0.1:9/"
EXPUNGED = {"expired": True, "expunged": True}


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def raw(api, app, message):
    return api.expect(200, "GET", f"/app/{app['id']}/msg/{message}/raw")["payload"]


def expunge(api, app, message):
    assert api.expect(204, "DELETE", f"/app/{app['id']}/msg/{message}/content") is None


def owed(history, message):
    return history.db.execute("SELECT count(*) FROM deliveries WHERE message_id = %s", (to_uuid(message),)).fetchone()[0]


def test_raw_is_what_was_sent_byte_for_byte(api, app):
    payload = b'{ "b" : 1.0e+2,\t"a":"\\u00e9\xc3\xa9", "n":12345678901234567890 }'
    sent = api.send_bytes(app, payload)
    assert raw(api, app, sent["id"]) == payload.decode()


def test_raw_is_the_body_that_replaces_the_payload(api, app):
    body = '<a b="1">\u0007\u00e9 \\ "</a>\n'
    sent = api.send(app, {"a": 1}, eventId="x-1",
                    transformationsParams={"rawPayload": body, "headers": {"content-type": "text/xml"}})
    assert raw(api, app, sent["id"]) == raw(api, app, "x-1") == body


def test_raw_of_an_expired_one(api, app, history):
    assert raw(api, app, history.message(minutes=2, payload=b'{"secret":1}', expires_in=-1)) == '{"expired":true}'


def test_ones_that_are_not_there(api, app, other, history):
    m = history.message()
    made = history.attempt(m, api.new_endpoint(app, URL))
    elsewhere = api.new_app()
    for client, where in ((api, f"/app/{app['id']}/msg/none"), (api, f"/app/none/msg/{m}"),
                          (api, f"/app/{elsewhere['id']}/msg/{m}"), (other, f"/app/{app['id']}/msg/{m}")):
        client.expect(404, "GET", f"{where}/raw")
        client.expect(404, "DELETE", f"{where}/content")
        client.expect(404, "DELETE", f"{where}/attempt/{made}/content")
    for name in ("none", "atmpt_0353OM26OITK0ai0n67mEB"):
        api.expect(404, "DELETE", f"/app/{app['id']}/msg/{m}/attempt/{name}/content")
    other.expect(404, "POST", f"/app/{app['id']}/msg/bulk-expunge", json={"ids": [m]})
    assert raw(api, app, m) == "{}"
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{m}/attempt/{made}")["response"] == "ok"


def test_expunged_payload_is_gone(api, app, history):
    m = history.message(payload=b'{"secret":1}', event_id="e-1")
    other_one = history.message(payload=b'{"kept":1}')
    for _ in range(2):
        expunge(api, app, "e-1")
        got = api.expect(200, "GET", f"/app/{app['id']}/msg/{m}")
        assert got["payload"] == EXPUNGED and got["eventId"] == "e-1"
        assert json.loads(raw(api, app, m)) == EXPUNGED
    assert [one["payload"] for one in api.pages(f"/app/{app['id']}/msg")] == [{"kept": 1}, EXPUNGED]
    assert raw(api, app, other_one) == '{"kept":1}'
    assert history.payload(m) is None and history.payload(other_one) is not None


def test_expunged_message_is_never_sent_again(api, app, receiver, history):
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    m = history.message(payload=b'{"secret":1}')
    history.attempt(m, endpoint, status=2, status_code=500)
    expunge(api, app, m)
    where = f"/app/{app['id']}/msg/{m}/endpoint/{endpoint['id']}/resend"
    assert "expired" in api.expect(422, "POST", where)["detail"]
    task = api.expect(202, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/bulk-replay", json={"since": "2020-01-01T00:00:00Z"})
    ended = wait_for(lambda: [t for t in [api.expect(200, "GET", f"/background-task/{task['id']}")] if t["status"] != "running"],
                     20, "the task ends")[0]
    assert ended["status"] == "finished" and ended["data"]["done"] == 1 and ended["data"]["queued"] == 0
    assert receiver.got("/hook") == []


def test_what_is_owed_of_an_expunged_message_is_cancelled(api, app, receiver, history):
    first, second = (api.new_endpoint(app, receiver.url(path)) for path in ("/one", "/two"))
    receiver.default = status(500)
    sent, kept = api.send(app, {"secret": 1}), api.send(app, {"kept": 1})
    api.wait_attempts(app, sent, 2)
    api.wait_attempts(app, kept, 2)
    assert owed(history, sent["id"]) == 2
    expunge(api, app, sent["id"])
    assert owed(history, sent["id"]) == 0 and owed(history, kept["id"]) == 2
    assert {e["id"]: (e["statusText"], e["state"]) for e in api.pages(f"/app/{app['id']}/msg/{sent['id']}/endpoint")} == \
        {first["id"]: ("fail", "canceled"), second["id"]: ("fail", "canceled")}


def test_a_claim_of_an_expunged_message_sends_nothing(api, app, receiver, history):
    """Its delivery was locked by somebody when it was expunged."""
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    m = history.message(payload=b'{"secret":1}')
    expunge(api, app, m)
    history.delivery(m, endpoint, due_in=0)
    kept = history.message(payload=b'{"kept":1}')
    history.delivery(kept, endpoint, due_in=0)
    history.schedule(endpoint)
    assert receiver.wait(1, "/hook")[0].body == b'{"kept":1}'
    wait_for(lambda: owed(history, m) == 0, 20, "the delivery is cancelled")
    assert len(receiver.got("/hook")) == 1 and api.attempts(app, m) == []


def test_many_at_once(api, app, server, history):
    a, b, c = (history.message(payload=b'{"secret":1}', event_id=name) for name in ("e-1", None, None))
    elsewhere = api.new_app()
    with History(server, elsewhere) as foreign:
        d = foreign.message(payload=b'{"kept":1}')
    got = api.expect(200, "POST", f"/app/{app['id']}/msg/bulk-expunge",
                     json={"ids": ["e-1", b, "e-2", "msg_0353OM26OITK0ai0n67mEB", d, b]})
    assert got == {"results": {"e-1": "expunged", b: "expunged", "e-2": "not-found", "msg_0353OM26OITK0ai0n67mEB": "not-found",
                               d: "not-found"}}
    payloads = {m["id"]: m["payload"] for m in api.pages(f"/app/{app['id']}/msg")}
    assert payloads == {a: EXPUNGED, b: EXPUNGED, c: {"secret": 1}}
    assert raw(api, elsewhere, d) == '{"kept":1}'
    for body in ({}, {"ids": []}, {"ids": None}):
        assert api.expect(200, "POST", f"/app/{app['id']}/msg/bulk-expunge", json=body) == {"results": {}}


@pytest.mark.parametrize("body", [{"ids": "e-1"}, {"ids": [1]}, {"ids": ["a b"]}, {"ids": [""]}, {"ids": ["x"] * 1001}, []])
def test_many_at_once_that_are_no_ids(api, app, body):
    api.expect(422, "POST", f"/app/{app['id']}/msg/bulk-expunge", json=body)


def test_expunged_response(api, app, history):
    m = history.message(event_id=unique("e"))
    endpoint = api.new_endpoint(app, URL)
    made, kept = history.attempt(m, endpoint, response=b"secret"), history.attempt(m, endpoint, number=2, response=b"kept")
    for _ in range(2):
        api.expect(204, "DELETE", f"/app/{app['id']}/msg/{m}/attempt/{made}/content")
        assert api.expect(200, "GET", f"/app/{app['id']}/msg/{m}/attempt/{made}")["response"] == "EXPUNGED"
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{m}/attempt/{kept}")["response"] == "kept"


def wait_finished(api, task):
    return wait_for(lambda: [t for t in [api.expect(200, "GET", f"/background-task/{task['id']}")] if t["status"] != "running"],
                    20, "the task ends")[0]


def test_all_of_an_application(api, server, receiver):
    """More than a step takes; what comes later stays, and so does what is another application's."""
    app, other_app = api.new_app(), api.new_app()
    endpoint = api.new_endpoint(app, receiver.url("/hook"), paused=True)
    with History(server, app) as history, History(server, other_app) as elsewhere:
        history.db.execute(
            "INSERT INTO messages (application_id, id, tenant_id, event_type, payload) "
            "SELECT %s, (left(uuid_floor(now() - interval '1 minute')::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, %s, 'a.b', "
            "'{\"secret\":1}' FROM generate_series(1, 1100) n", (history.app, history.tenant))
        kept = elsewhere.message(payload=b'{"kept":1}')
        sent = api.send(app, {"secret": 1})
        planned = api.send(app, {"secret": 1}, deliverInSeconds=3600)
        gone = history.message(minutes=2, payload=b'{"secret":1}')
        expunge(api, app, gone)
        wait_for(lambda: owed(history, sent["id"]), 20, "it is owed")
        task = api.expect(202, "POST", f"/app/{app['id']}/msg/expunge-all-contents")
        assert task["task"] == "application.purge_content" and task["status"] == "running"
        ended = wait_finished(api, task)
        assert ended["status"] == "finished" and ended["data"]["appId"] == app["id"] and ended["data"]["endpointId"] is None
        assert (ended["data"]["done"], ended["data"]["total"], ended["data"]["messagesPurged"]) == (1103, 1103, 1102)
        later = api.send(app, {"kept": 1})
        assert [m["payload"] for m in api.pages(f"/app/{app['id']}/msg", limit=250)] == [{"kept": 1}] + [EXPUNGED] * 1103
        assert raw(api, other_app, kept) == '{"kept":1}'
        assert owed(history, sent["id"]) == 0
        assert [e["state"] for e in api.pages(f"/app/{app['id']}/msg/{sent['id']}/endpoint")] == ["canceled"]
        assert "deliverAt" not in api.expect(200, "GET", f"/app/{app['id']}/msg/{planned['id']}")
        api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"paused": False})
        assert [r.header("webhook-id") for r in receiver.wait(1)] == [later["id"]]


def test_all_of_an_application_that_is_not_there(api, app, other):
    other.expect(404, "POST", f"/app/{app['id']}/msg/expunge-all-contents")
    api.expect(404, "POST", "/app/none/msg/expunge-all-contents")


def test_expunging_a_message_for_later_cancels_it(api, app, history):
    planned = api.send(app, {"secret": 1}, deliverInSeconds=3600)
    expunge(api, app, planned["id"])
    assert "deliverAt" not in api.expect(200, "GET", f"/app/{app['id']}/msg/{planned['id']}")
    (left,), = history.db.execute("SELECT count(*) FROM unmatched_messages WHERE message_id = %s", (to_uuid(planned["id"]),))
    assert left == 0
