"""Reading messages: one, lists, and what became of them at each endpoint."""
from datetime import datetime, timedelta, timezone

import pytest
from history import History

URL = "http://127.0.0.1:9/"


def ago(minutes):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def ids(api, app, **params):
    return [m["id"] for m in api.pages(f"/app/{app['id']}/msg", **params)]


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def test_get_one_that_was_sent(api, app):
    sent = api.send(app, {"a": 1}, "invoice.paid", channels=["x", "y"], eventId="e-1", tags=["t"])
    got = api.expect(200, "GET", f"/app/{app['id']}/msg/{sent['id']}")
    assert got == sent
    assert got["eventType"] == "invoice.paid" and got["channels"] == ["x", "y"] and got["eventId"] == "e-1"
    assert got["payload"] == {"a": 1} and got["tags"] == ["t"]
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/e-1") == sent


def test_without_optional_members(api, app):
    got = api.expect(200, "GET", f"/app/{app['id']}/msg/{api.send(app)['id']}")
    assert got["channels"] is None and got["eventId"] is None and got["tags"] is None


def test_payload_comes_back_byte_for_byte(api, app):
    payload = b'{ "b" : 1.0e+2,\t"a":"\\u00e9\xc3\xa9", "a":[1 , 2], "n":12345678901234567890 }'
    sent = api.send_bytes(app, payload)
    assert payload in api.get(f"/app/{app['id']}/msg/{sent['id']}").content
    assert payload in api.get(f"/app/{app['id']}/msg").content


def test_timestamp_is_that_of_the_message(api, app, history):
    got = api.expect(200, "GET", f"/app/{app['id']}/msg/{history.message(minutes=90)}")
    assert ago(91) < got["timestamp"] < ago(89)


def test_without_content(api, app):
    sent = api.send(app, {"a": 1})
    got = api.expect(200, "GET", f"/app/{app['id']}/msg/{sent['id']}", params={"with_content": "false"})
    assert got == {**sent, "payload": {}}
    assert api.pages(f"/app/{app['id']}/msg", with_content="false") == [got]
    assert api.pages(f"/app/{app['id']}/msg") == [sent]


def test_expired_payload_is_not_shown(api, app, history):
    past = history.message(minutes=2, payload=b'{"secret":1}', expires_in=-1)
    future = history.message(minutes=1, payload=b'{"a":1}', expires_in=1)
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{past}")["payload"] == {"expired": True}
    shown = {m["id"]: m["payload"] for m in api.pages(f"/app/{app['id']}/msg")}
    assert shown == {past: {"expired": True}, future: {"a": 1}}


def test_unknown_ones(api, app):
    sent = api.send(app)
    for where in (f"/app/none/msg/{sent['id']}", f"/app/{api.new_app()['id']}/msg/{sent['id']}", "/app/none/msg",
                  f"/app/{app['id']}/msg/none", f"/app/{app['id']}/msg/msg_none", f"/app/none/msg/{sent['id']}/endpoint",
                  f"/app/{app['id']}/msg/none/endpoint"):
        assert api.expect(404, "GET", where)["code"] == "not_found"


def test_list_newest_first_in_pages_both_ways(api, app, history):
    made = [history.message(minutes=m) for m in range(7)]
    assert ids(api, app) == made
    assert ids(api, app, limit=3) == made
    assert ids(api, app, limit=1) == made
    first = api.expect(200, "GET", f"/app/{app['id']}/msg", params={"limit": 3})
    assert first["iterator"] == made[2] and first["prevIterator"] == "-" + made[0] and not first["done"]
    second = api.expect(200, "GET", f"/app/{app['id']}/msg", params={"limit": 3, "iterator": first["iterator"]})
    back = api.expect(200, "GET", f"/app/{app['id']}/msg", params={"limit": 2, "iterator": second["prevIterator"]})
    assert [m["id"] for m in back["data"]] == made[1:3] and not back["done"]
    back = api.expect(200, "GET", f"/app/{app['id']}/msg", params={"limit": 2, "iterator": back["prevIterator"]})
    assert [m["id"] for m in back["data"]] == made[0:1] and back["done"]
    assert api.expect(200, "GET", f"/app/{api.new_app()['id']}/msg") == {"data": [], "iterator": None, "done": True}


def test_list_by_time(api, app, history):
    made = [history.message(minutes=m) for m in (10, 20, 30, 40)]
    assert ids(api, app, before=ago(15)) == made[1:]
    assert ids(api, app, after=ago(35)) == made[:3]
    assert ids(api, app, before=ago(15), after=ago(35), limit=1) == made[1:3]
    assert ids(api, app, before=ago(45)) == []
    assert ids(api, app, before="1970-01-01T00:00:00Z") == []
    assert ids(api, app, after="1970-01-01T00:00:00Z") == made
    # the iterator and the bounds hold together, whichever is narrower
    assert ids(api, app, after=ago(35), iterator=made[0]) == made[1:3]


def test_list_by_channel_type_and_tag(api, app, history):
    a = history.message(minutes=1, event_type="a.x", channels=["one", "two"], tags=["red"])
    b = history.message(minutes=2, event_type="b.x", channels=["two"])
    c = history.message(minutes=3, event_type="c.x", tags=["red", "blue"])
    assert ids(api, app, channel="two") == [a, b]
    assert ids(api, app, channel="one") == [a]
    assert ids(api, app, channel="three") == []
    assert ids(api, app, tag="red") == [a, c]
    assert ids(api, app, event_types="a.x,c.x") == [a, c]
    assert ids(api, app, event_types=["b.x", "c.x"]) == [b, c]
    assert ids(api, app, **{"event_types[]": ["a.x"]}) == [a]
    assert ids(api, app, event_types="a.x,b.x", channel="two", tag="red") == [a]


@pytest.mark.parametrize("params, status", [
    ({"limit": 0}, 422), ({"limit": 251}, 422), ({"limit": "many"}, 400), ({"iterator": "msg_x"}, 422),
    ({"before": "yesterday"}, 422), ({"after": "2026-11-24"}, 422), ({"channel": "a b"}, 422), ({"channel": "x" * 129}, 422),
    ({"tag": ""}, 422), ({"event_types": "a/b"}, 422), ({"with_content": "perhaps"}, 400),
])
def test_refuses_wrong_parameters(api, app, params, status):
    api.expect(status, "GET", f"/app/{app['id']}/msg", params=params)


def test_page_of_large_payloads_ends_early_and_goes_on(api, app, history):
    payload = b'{"x":"%s"}' % (b"y" * 900_000)
    made = [history.message(minutes=m, payload=payload) for m in range(22)]
    first = api.expect(200, "GET", f"/app/{app['id']}/msg")
    assert 1 < len(first["data"]) < 21 and not first["done"]
    assert ids(api, app) == made
    back = api.expect(200, "GET", f"/app/{app['id']}/msg", params={"iterator": f"-{made[-1]}"})
    assert 1 < len(back["data"]) < 21 and [m["id"] for m in back["data"]] == made[21 - len(back["data"]):21] and not back["done"]
    assert ids(api, app, with_content="false", limit=22) == made


def test_endpoints_of_a_message(api, app, history):
    names = ("success", "fail", "pending", "sending", "held", "retried", "apart")
    endpoints = {name: api.new_endpoint(app, URL, uid=name) for name in names}
    m, another = history.message(minutes=60), history.message(minutes=60)
    history.attempt(m, endpoints["success"], 50, status=2, status_code=500)
    history.attempt(m, endpoints["success"], 40, number=2)
    history.attempt(m, endpoints["fail"], 50, status=2, status_code=500)
    history.delivery(m, endpoints["pending"])
    history.attempt(m, endpoints["sending"], 50, status=2, status_code=0)
    history.delivery(m, endpoints["sending"], attempts=1)
    history.delivery(m, endpoints["held"], due_in=None)
    history.attempt(m, endpoints["retried"], 50)
    history.attempt(m, endpoints["retried"], 40, trigger=1, status=2, status_code=500)
    history.attempt(another, endpoints["apart"], 50)
    shown = api.pages(f"/app/{app['id']}/msg/{m}/endpoint", limit=2)
    assert [e["uid"] for e in shown] == ["retried", "held", "sending", "pending", "fail", "success"]
    assert {e["uid"]: (e["status"], e["statusText"], e["nextAttempt"] is not None) for e in shown} == {
        "success": (0, "success", False), "fail": (2, "fail", False), "pending": (1, "pending", True),
        "sending": (3, "sending", True), "held": (1, "pending", False), "retried": (2, "fail", False)}
    for item in shown:
        assert {key: item[key] for key in endpoints[item["uid"]]} == endpoints[item["uid"]]
    assert [e["uid"] for e in api.pages(f"/app/{app['id']}/msg/{m}/endpoint", order="ascending", limit=4)] == \
        ["success", "fail", "pending", "sending", "held", "retried"]
    assert api.pages(f"/app/{app['id']}/msg/{history.message()}/endpoint") == []


def test_delivered_message_shows_success(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    sent = api.send(app, eventId="e-1")
    api.wait_attempts(app, sent, 1)
    shown = api.pages(f"/app/{app['id']}/msg/e-1/endpoint")
    assert [(e["id"], e["statusText"], e["nextAttempt"]) for e in shown] == [(endpoint["id"], "success", None)]


def test_other_tenant_sees_nothing(api, other, app, history):
    endpoint = api.new_endpoint(app, URL)
    m = history.message(event_id="theirs")
    history.attempt(m, endpoint)
    theirs = other.new_app()
    other.expect(404, "GET", f"/app/{app['id']}/msg")
    for app_id in (app["id"], theirs["id"]):
        for key in (m, "theirs"):
            other.expect(404, "GET", f"/app/{app_id}/msg/{key}")
            other.expect(404, "GET", f"/app/{app_id}/msg/{key}/endpoint")
    assert ids(other, theirs) == []
