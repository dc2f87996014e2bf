"""Reading attempts, the messages of an endpoint, and its counts."""
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from history import History
from receiver import status as answer

URL = "http://127.0.0.1:9/"


def ago(minutes):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


@pytest.fixture
def endpoint(api, app):
    return api.new_endpoint(app, URL, uid=unique("ep"))


def of_endpoint(api, app, endpoint, **params):
    return [a["id"] for a in api.pages(f"/app/{app['id']}/attempt/endpoint/{endpoint['id']}", **params)]


def of_message(api, app, message, **params):
    return [a["id"] for a in api.pages(f"/app/{app['id']}/attempt/msg/{message}", **params)]


def messages_of(api, app, endpoint, **params):
    return [m["id"] for m in api.pages(f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", **params)]


def test_attempts_that_a_server_made(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/hook"))
    receiver.script("/hook", answer(418, body=b"teapot"))
    sent = api.send(app, eventId="e-1")
    made = api.wait_attempts(app, sent, 1)[0]
    assert made["id"].startswith("atmpt_") and made["msgId"] == sent["id"] and made["endpointId"] == endpoint["id"]
    assert made["status"] == 2 and made["statusText"] == "fail" and made["responseStatusCode"] == 418
    assert made["response"] == "teapot" and made["triggerType"] == 0 and made["url"] == receiver.url("/hook")
    assert made["responseDurationMs"] >= 0 and ago(1) < made["timestamp"] < ago(-1)
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/{sent['id']}/attempt/{made['id']}") == made
    assert api.expect(200, "GET", f"/app/{app['id']}/msg/e-1/attempt/{made['id']}") == made
    assert made in api.pages(f"/app/{app['id']}/attempt/endpoint/{endpoint['id']}")


def test_response_bytes_are_shown_as_text(api, app, endpoint, history):
    m = history.message()
    made = history.attempt(m, endpoint, response=b"a\xff\xc3\xa9\x00\"\x1b<b>")
    got = api.expect(200, "GET", f"/app/{app['id']}/msg/{m}/attempt/{made}")
    assert got["response"] == "a\ufffdé\0\"\x1b<b>"


def test_without_content(api, app, endpoint, history):
    m = history.message()
    history.attempt(m, endpoint, response=b"kept")
    for where in (f"attempt/msg/{m}", f"attempt/endpoint/{endpoint['uid']}"):
        assert [a["response"] for a in api.pages(f"/app/{app['id']}/{where}")] == ["kept"]
        assert [a["response"] for a in api.pages(f"/app/{app['id']}/{where}", with_content="false")] == [""]


def test_unknown_ones(api, app, endpoint, history):
    m, another = history.message(), history.message()
    made = history.attempt(m, endpoint)
    elsewhere = api.new_app()
    for where in (f"/app/{app['id']}/msg/{another}/attempt/{made}", f"/app/{elsewhere['id']}/msg/{m}/attempt/{made}",
                  f"/app/{app['id']}/msg/{m}/attempt/none", f"/app/{app['id']}/attempt/msg/none",
                  f"/app/{elsewhere['id']}/attempt/msg/{m}", f"/app/{app['id']}/attempt/endpoint/none",
                  f"/app/{elsewhere['id']}/attempt/endpoint/{endpoint['id']}", f"/app/none/attempt/endpoint/{endpoint['id']}",
                  f"/app/{elsewhere['id']}/endpoint/{endpoint['id']}/msg"):
        assert api.expect(404, "GET", where)["code"] == "not_found"


def test_lists_newest_first_in_pages_both_ways(api, app, endpoint, history):
    m = history.message(minutes=100)
    made = [history.attempt(m, endpoint, minutes=n, number=9 - n, status=2, status_code=500) for n in range(8)]
    for where, listed in ((f"attempt/msg/{m}", of_message(api, app, m, limit=3)),
                          (f"attempt/endpoint/{endpoint['id']}", of_endpoint(api, app, endpoint, limit=3))):
        assert listed == made
        first = api.expect(200, "GET", f"/app/{app['id']}/{where}", params={"limit": 3})
        second = api.expect(200, "GET", f"/app/{app['id']}/{where}", params={"limit": 3, "iterator": first["iterator"]})
        back = api.expect(200, "GET", f"/app/{app['id']}/{where}", params={"limit": 2, "iterator": second["prevIterator"]})
        assert [a["id"] for a in back["data"]] == made[1:3] and not back["done"]
    nothing = api.new_endpoint(app, URL)
    assert api.expect(200, "GET", f"/app/{app['id']}/attempt/endpoint/{nothing['id']}") == \
        {"data": [], "iterator": None, "done": True}


def test_lists_by_time_status_and_code(api, app, endpoint, history):
    m = history.message(minutes=100)
    codes = {10: 200, 20: 204, 30: 302, 40: 404, 50: 503, 60: 0}
    made = {code: history.attempt(m, endpoint, minutes=n, status=0 if 200 <= code < 300 else 2, status_code=code)
            for n, code in codes.items()}
    for listed in (lambda **p: of_message(api, app, m, **p), lambda **p: of_endpoint(api, app, endpoint, **p)):
        assert listed() == list(made.values())
        assert listed(before=ago(25)) == [made[c] for c in (302, 404, 503, 0)]
        assert listed(after=ago(25)) == [made[c] for c in (200, 204)]
        assert listed(before=ago(15), after=ago(45), limit=1) == [made[c] for c in (204, 302, 404)]
        assert listed(status=0) == [made[200], made[204]]
        assert listed(status=2) == [made[c] for c in (302, 404, 503, 0)]
        assert listed(status=1) == listed(status=3) == []
        assert listed(status_code_class=200) == [made[200], made[204]]
        assert listed(status_code_class=500) == [made[503]]
        assert listed(status_code_class=0) == [made[0]]
        assert listed(status_code_class=100) == []
        assert listed(status=2, status_code_class=400, limit=1) == [made[404]]


def test_lists_by_what_the_message_is(api, app, endpoint, history):
    a = history.message(minutes=3, event_type="a.x", channels=["one", "two"], tags=["red"])
    b = history.message(minutes=2, event_type="b.x", channels=["two"], tags=["red", "blue"])
    c = history.message(minutes=1, event_type="c.x")
    made = {m: history.attempt(m, endpoint, minutes=0.5 - i / 10) for i, m in enumerate((c, b, a))}
    assert of_endpoint(api, app, endpoint) == [made[a], made[b], made[c]]
    assert of_endpoint(api, app, endpoint, channel="two") == [made[a], made[b]]
    assert of_endpoint(api, app, endpoint, event_types="a.x,c.x") == [made[a], made[c]]
    assert of_endpoint(api, app, endpoint, event_types="b.x", channel="one") == []
    assert of_endpoint(api, app, endpoint, tag="red") == [made[a], made[b]]
    assert of_endpoint(api, app, endpoint, tag="red", order="ascending", event_types="a.x", channel="one") == [made[a]]
    assert of_endpoint(api, app, endpoint, tag="blue") == [made[b]]
    assert of_message(api, app, a, channel="one", event_types=["a.x", "b.x"]) == [made[a]]
    assert of_message(api, app, a, channel="three") == []
    assert of_message(api, app, c, channel="one") == []
    assert of_message(api, app, c, event_types="a.x") == []
    assert of_message(api, app, a, tag="red", order="ascending") == of_message(api, app, a, tag="red") == [made[a]]
    assert of_message(api, app, a, tag="blue") == of_message(api, app, c, tag="red") == []


def test_list_of_a_message_at_one_endpoint(api, app, endpoint, history):
    second = api.new_endpoint(app, URL)
    m = history.message(minutes=3)
    first_made, second_made = history.attempt(m, endpoint, 2), history.attempt(m, second, 1)
    assert of_message(api, app, m) == [second_made, first_made]
    assert of_message(api, app, m, endpoint_id=endpoint["id"]) == [first_made]
    assert of_message(api, app, m, endpoint_id=endpoint["uid"]) == [first_made]
    assert of_message(api, app, m, endpoint_id=second["id"]) == [second_made]
    assert of_message(api, app, m, endpoint_id="none") == []


@pytest.mark.parametrize("params, status", [
    ({"status": 4}, 422), ({"status": "fail"}, 422), ({"status_code_class": 600}, 422), ({"status_code_class": 404}, 422),
    ({"iterator": "msg_0000000000000000000000"}, 422), ({"before": "now"}, 422), ({"limit": 251}, 422), ({"limit": "x"}, 400),
    ({"endpoint_id": "a b"}, 422), ({"with_content": "2"}, 400),
])
def test_refuses_wrong_parameters(api, app, history, params, status):
    api.expect(status, "GET", f"/app/{app['id']}/attempt/msg/{history.message()}", params=params)


# ---- messages of an endpoint ----


def test_messages_attempted_at_an_endpoint(api, app, endpoint, history):
    made = [history.message(minutes=10 + n, payload=b'{"n":%d}' % n, channels=["x"], event_id=f"e-{n}") for n in range(4)]
    untouched, owed = history.message(minutes=5), history.message(minutes=6)
    history.attempt(made[0], endpoint, 9)
    history.attempt(made[1], endpoint, 9.5, status=2, status_code=500)
    history.attempt(made[2], endpoint, 9.7, status=2, status_code=500)
    history.attempt(made[2], endpoint, 1, number=2, status=2, status_code=500)
    history.delivery(made[2], endpoint, attempts=2)
    history.attempt(made[3], endpoint, 12, status=2, status_code=500)
    history.attempt(made[3], endpoint, 2, number=2)
    history.delivery(owed, endpoint)
    history.attempt(untouched, api.new_endpoint(app, URL), 4)
    shown = api.pages(f"/app/{app['id']}/endpoint/{endpoint['uid']}/msg")
    assert [(m["id"], m["status"], m["statusText"], m["nextAttempt"] is not None) for m in shown] == [
        (made[0], 0, "success", False), (made[1], 2, "fail", False), (made[2], 3, "sending", True),
        (made[3], 0, "success", False)]
    assert shown[1]["payload"] == {"n": 1} and shown[1]["channels"] == ["x"] and shown[1]["eventId"] == "e-1"
    assert shown[1]["eventType"] == "test.happened"
    assert messages_of(api, app, endpoint, status=0) == [made[0], made[3]]
    assert messages_of(api, app, endpoint, status=2) == [made[1]]
    assert messages_of(api, app, endpoint, status=3) == [made[2]]
    assert messages_of(api, app, endpoint, status=1) == [owed]
    pending = api.pages(f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", status=1)[0]
    assert pending["attemptsMade"] == 0
    assert pending["statusText"] == "pending" and pending["nextAttempt"] > ago(0)
    bare = api.pages(f"/app/{app['id']}/endpoint/{endpoint['id']}/msg", with_content="false")
    assert [m["payload"] for m in bare] == [{}] * 4


def test_messages_that_were_canceled_or_skipped(api, app, endpoint, history):
    """Their status is that of a failure, for published clients know no other; `state` tells."""
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}/msg"
    made = [history.message(minutes=10 + n, channels=["x"] if n % 2 else None) for n in range(6)]
    for m, state in zip(made, ["skipped", "canceled"] * 3):
        history.closed(m, endpoint, state)
    history.attempt(made[1], endpoint, 9, status=2, status_code=500)
    history.attempt(made[3], endpoint, 9.5)  # was under way when it was canceled
    other_one = api.new_endpoint(app, URL)
    history.closed(made[0], other_one, "canceled")
    assert messages_of(api, app, endpoint, status=5) == [made[0], made[2], made[4]]
    assert messages_of(api, app, endpoint, status=4) == [made[1], made[5]]
    assert messages_of(api, app, endpoint, status=5, order="ascending", limit=2) == [made[4], made[2], made[0]]
    assert messages_of(api, app, endpoint, status=5, channel="x") == []
    assert messages_of(api, app, endpoint, status=4, before=ago(13)) == [made[5]]
    assert {(m["state"], m["status"], m["statusText"], m["nextAttempt"]) for m in api.pages(where, status=5)} == {("skipped", 2, "fail", None)}
    assert [(m["id"], m["state"], m["status"]) for m in api.pages(where)] == [(made[1], "canceled", 2), (made[3], "success", 0)]
    shown = {e["id"]: (e["state"], e["status"], e["statusText"]) for e in api.pages(f"/app/{app['id']}/msg/{made[0]}/endpoint")}
    assert shown == {endpoint["id"]: ("skipped", 2, "fail"), other_one["id"]: ("canceled", 2, "fail")}
    shown = api.pages(f"/app/{app['id']}/msg/{made[3]}/endpoint", order="ascending")
    assert [(e["id"], e["state"]) for e in shown] == [(endpoint["id"], "success")]
    api.expect(422, "GET", where, params={"status": 6})


def test_message_sent_again_is_listed_once(api, app, endpoint, history):
    m, newer = history.message(minutes=50), history.message(minutes=40)
    history.attempt(m, endpoint, 49, status=2, status_code=500)
    history.attempt(newer, endpoint, 39)
    history.attempt(m, endpoint, 5, number=1, trigger=1)
    assert messages_of(api, app, endpoint) == [newer, m]
    assert messages_of(api, app, endpoint, limit=1) == [newer, m]
    assert messages_of(api, app, endpoint, status=0) == [newer, m]
    assert messages_of(api, app, endpoint, status=2) == []


def test_messages_of_an_endpoint_in_pages_both_ways(api, app, endpoint, history):
    attempted = [history.message(minutes=10 + n) for n in range(7)]
    for n, m in enumerate(attempted):
        history.attempt(m, endpoint, 9.9 + n)
    owed = [history.message(minutes=30 + n) for n in range(7)]
    for m in owed:
        history.delivery(m, endpoint)
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}/msg"
    for made, params in ((attempted, {}), (owed, {"status": 1})):
        assert messages_of(api, app, endpoint, limit=3, **params) == made
        assert messages_of(api, app, endpoint, limit=2, order="ascending", **params) == made[::-1]
        first = api.expect(200, "GET", where, params={"limit": 3, **params})
        second = api.expect(200, "GET", where, params={"limit": 3, "iterator": first["iterator"], **params})
        back = api.expect(200, "GET", where, params={"limit": 2, "iterator": second["prevIterator"], **params})
        assert [m["id"] for m in back["data"]] == made[1:3] and not back["done"]
        back = api.expect(200, "GET", where, params={"limit": 2, "iterator": back["prevIterator"], **params})
        assert [m["id"] for m in back["data"]] == made[:1] and back["done"]


def test_messages_of_an_endpoint_by_time_channel_type_and_tag(api, app, endpoint, history):
    a = history.message(minutes=10, event_type="a.x", channels=["one"])
    b = history.message(minutes=90, event_type="b.x", channels=["one", "two"], tags=["red", "blue"])
    c = history.message(minutes=200, event_type="a.x")
    for n, m in ((9, a), (89, b), (150, c)):
        history.attempt(m, endpoint, n)
        history.delivery(m, endpoint, attempts=1)
    for params in ({}, {"status": 3}):
        assert messages_of(api, app, endpoint, **params) == [a, b, c]
        assert messages_of(api, app, endpoint, before=ago(20), **params) == [b, c]
        assert messages_of(api, app, endpoint, after=ago(100), **params) == [a, b]
        assert messages_of(api, app, endpoint, before=ago(20), after=ago(100), **params) == [b]
        assert messages_of(api, app, endpoint, channel="one", **params) == [a, b]
        assert messages_of(api, app, endpoint, event_types="a.x", **params) == [a, c]
        assert messages_of(api, app, endpoint, tag="blue", **params) == [b]
        assert messages_of(api, app, endpoint, tag="blue", order="ascending", **params) == [b]
        assert messages_of(api, app, endpoint, tag="green", **params) == []


# ---- counts ----


def test_counts_of_an_endpoint(api, app, endpoint, history):
    where = f"/app/{app['id']}/endpoint/{endpoint['id']}/stats"
    assert api.expect(200, "GET", where) == {"success": 0, "fail": 0, "pending": 0, "sending": 0, "canceled": 0, "skipped": 0}
    history.stats(endpoint, minutes=10, success=5, failure=3, exhausted=1)
    history.stats(endpoint, minutes=1000, success=7, failure=30, exhausted=2)
    for minutes in (10, 20, 1000):
        history.delivery(history.message(minutes=minutes), endpoint)
    history.delivery(history.message(minutes=15), endpoint, attempts=2)
    assert api.expect(200, "GET", where) == {"success": 12, "fail": 3, "pending": 3, "sending": 1, "canceled": 0, "skipped": 0}
    assert api.expect(200, "GET", where, params={"since": ago(100)}) == \
        {"success": 5, "fail": 1, "pending": 2, "sending": 1, "canceled": 0, "skipped": 0}
    assert api.expect(200, "GET", where, params={"until": ago(100)}) == \
        {"success": 7, "fail": 2, "pending": 1, "sending": 0, "canceled": 0, "skipped": 0}
    history.closed(history.message(minutes=10), endpoint, "canceled")
    for minutes in (20, 1000):
        history.closed(history.message(minutes=minutes), endpoint, "skipped")
    history.closed(history.message(), api.new_endpoint(app, URL), "skipped")
    shown = api.expect(200, "GET", where)
    assert (shown["canceled"], shown["skipped"], shown["pending"]) == (1, 2, 3)
    assert api.expect(200, "GET", where, params={"until": ago(100)})["skipped"] == 1
    api.expect(422, "GET", where, params={"since": "then"})


def test_other_tenant_sees_nothing(api, other, app, endpoint, history):
    m = history.message()
    made = history.attempt(m, endpoint)
    for app_id in (app["id"], other.new_app()["id"]):
        for where in (f"msg/{m}/attempt/{made}", f"attempt/msg/{m}", f"attempt/endpoint/{endpoint['id']}",
                      f"endpoint/{endpoint['id']}/msg", f"endpoint/{endpoint['id']}/stats"):
            other.expect(404, "GET", f"/app/{app_id}/{where}")
