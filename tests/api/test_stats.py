"""Counts over time, by event type, what waits, and whether a throttle holds back."""
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from history import History
from receiver import status
from wait import wait_for

URL = "http://127.0.0.1:9/"
NONE = {"p50": None, "p95": None, "p99": None}


def ago(minutes=0.0):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


@pytest.fixture
def fresh(server):
    """(client, tenant id) of a tenant that has no counts yet."""
    tenant, key = server.new_tenant(unique("tenant"))
    with server.api(key) as client:
        yield client, tenant


def series(api, where="", **params):
    return api.expect(200, "GET", f"{where}/stats/deliveries", params=params)


def busy(answer, *names):
    """The intervals with something in them, newest first: their counts of these names."""
    return [tuple(one[name] for name in names) for one in answer["data"][::-1] if one["success"] + one["failure"] + one.get("messages", 0)]


def test_what_was_sent_and_delivered_is_counted(fresh, receiver):
    api, _ = fresh
    receiver.script("/hook", status(500))
    app, other_app = api.new_app(), api.new_app()
    for one in (app, other_app):
        api.new_endpoint(one, receiver.url("/hook"))
    sent = api.send(app, event_type="a.x")
    for _ in range(2):
        api.send(app, event_type="b.x")
    api.send(other_app, event_type="a.x")
    api.post(f"/app/{app['id']}/msg", json={"eventType": "a b", "payload": {}})  # refused
    api.wait_attempts(app, sent, 1)

    def counted(where, messages, attempts):
        def there():
            total = series(api, where)["total"]
            return total["messages"] == messages and total["success"] + total["failure"] == attempts and total
        return wait_for(there, 20, f"{messages} messages and {attempts} attempts are counted")
    total = counted("", 4, 4)
    assert total["failure"] == 1 and total["exhausted"] == 0 and total["durationMs"]["p99"] is not None
    assert counted(f"/app/{app['id']}", 3, 3)["messages"] == 3
    assert counted(f"/app/{other_app['id']}", 1, 1)["messages"] == 1
    types = api.expect(200, "GET", f"/app/{app['id']}/stats/attempts", params={"since": ago(5), "until": ago()})
    assert {name: one["success"] + one["failure"] for name, one in types["by_event_type"].items()} == {"a.x": 1, "b.x": 2}
    assert types["total_success"] + types["total_failure"] == 3


def test_counts_of_the_last_moments_are_stored_when_the_server_stops(start_node, receiver):
    node = start_node()
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url("/hook"))
        sent = [api.send(app) for _ in range(5)]
        for one in sent:
            api.wait_attempts(app, one, 1)
    node.stop()
    node.start()
    with node.api() as api:
        total = series(api, f"/app/{app['id']}")["total"]
        assert (total["messages"], total["success"]) == (5, 5)


def test_hours_and_days(api, app, history):
    history.hour(0, "a.x", messages=5, success=3, failure=1, exhausted=1)
    history.hour(0, "b.x", messages=2, success=2)
    history.hour(2, "a.x", messages=7)
    history.hour(30, "a.x", messages=11, success=11)
    where = f"/app/{app['id']}"
    day = series(api, where)
    assert busy(day, "messages", "success", "failure", "exhausted") == [(7, 5, 1, 1), (7, 0, 0, 0)]
    assert len(day["data"]) in (24, 25) and day["data"][0]["at"] == day["since"]
    assert day["total"] == {"messages": 14, "success": 5, "failure": 1, "exhausted": 1, "durationMs": {"p50": 5, "p95": 10, "p99": 10}}
    assert busy(series(api, where, since=ago(40 * 60)), "messages") == [(7,), (7,), (11,)]
    assert busy(series(api, where, since=ago(40 * 60), until=ago(20 * 60)), "messages") == [(11,)]
    days = series(api, where, interval="day", since=ago(3 * 24 * 60))
    assert len(days["data"]) == 4 and all(one["at"].endswith("T00:00:00.000Z") for one in days["data"])
    assert days["total"]["messages"] == 25


def test_an_interval_with_nothing_in_it(api, app):
    now = datetime.now(timezone.utc)
    got = series(api, f"/app/{app['id']}", since=ago(90), until=ago(65))
    assert got["total"] == {"messages": 0, "success": 0, "failure": 0, "exhausted": 0, "durationMs": NONE}
    assert [one["durationMs"] for one in got["data"]] == [NONE] * len(got["data"])
    hour = now.replace(minute=0, second=0, microsecond=0)
    assert got["until"] in {(hour - timedelta(hours=h)).isoformat().replace("+00:00", ".000Z") for h in (0, 1)}


def test_percentiles(api, app, history):
    history.hour(1, success=100, durations=[0, 50, 0, 45, 0, 0, 0, 5])
    (hour,) = [one for one in series(api, f"/app/{app['id']}")["data"] if one["success"]]
    assert hour["durationMs"] == {"p50": 30, "p95": 300, "p99": 10000}


def test_of_an_endpoint(api, app, history):
    endpoint, another = api.new_endpoint(app, URL, uid=unique("ep")), api.new_endpoint(app, URL)
    history.stats(endpoint, minutes=2, success=3, failure=2, exhausted=1)
    history.stats(endpoint, minutes=90, success=1)
    history.stats(another, minutes=2, success=9)
    where = f"/app/{app['id']}/endpoint/{endpoint['uid']}"
    assert busy(series(api, where), "success", "failure", "exhausted") == [(3, 2, 1), (1, 0, 0)]
    fine = series(api, where, interval="5m", since=ago(10))
    assert busy(fine, "success") == [(3,)] and len(fine["data"]) in (2, 3) and "messages" not in fine["total"]
    assert series(api, where, interval="day", since=ago(48 * 60))["total"]["success"] == 4


@pytest.mark.parametrize("params, field", [
    ({"interval": "week"}, "interval"), ({"interval": "5m"}, "interval"), ({"since": "now"}, "since"), ({"until": 1}, "until"),
    ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"), ({"since": "2020-01-01T00:00:00Z"}, "since")])
def test_refuses_what_is_no_range(api, app, params, field):
    for where in (f"/app/{app['id']}", ""):
        answer = api.expect(422, "GET", f"{where}/stats/deliveries", params=params)
        assert [fault["loc"] for fault in answer["detail"]] == [["query", field]]


def test_by_event_type(api, app, history):
    history.hour(1, "a.x", messages=1, success=3, failure=1)
    history.hour(2, "a.x", success=1)
    history.hour(2, "b.x", failure=2, exhausted=2)
    history.hour(2, "c.x", messages=9)
    where, range_ = f"/app/{app['id']}/stats/attempts", {"since": ago(3 * 60), "until": ago()}
    got = api.expect(200, "GET", where, params=range_)
    assert got["by_event_type"] == {"a.x": {"success": 4, "failure": 1, "canceled": 0}, "b.x": {"success": 0, "failure": 2, "canceled": 0}}
    assert (got["total_success"], got["total_failure"], got["total_canceled"]) == (4, 3, 0)
    assert got["since"] <= range_["since"] and got["until"] >= range_["until"]
    some = api.expect(200, "GET", where, params={**range_, "event_types": "b.x,c.x"})
    assert list(some["by_event_type"]) == ["b.x"] and some["total_success"] == 0
    for missing in ("since", "until"):
        answer = api.expect(422, "GET", where, params={k: v for k, v in range_.items() if k != missing})
        assert answer["detail"][0]["loc"] == ["query", missing]
    api.expect(422, "GET", where, params={**range_, "event_types": "a b"})


def test_nothing_of_another_tenant(api, other, app, server, history, fresh):
    client, tenant = fresh
    endpoint = api.new_endpoint(app, URL)
    history.hour(1, messages=5, success=5)
    history.hour(1, "t.x", messages=5, success=5, owner=server.tenant_id)
    history.delivery(history.message(), endpoint, due_in=-5)
    history.schedule(endpoint)
    assert series(client)["total"]["messages"] == 0
    assert client.expect(200, "GET", "/stats/backlog") == {"waiting": 0, "due": 0, "capped": False, "oldestDueAt": None}
    range_ = {"since": ago(60), "until": ago()}
    for where in (f"/app/{app['id']}/stats/deliveries", f"/app/{app['id']}/stats/backlog", f"/app/{app['id']}/stats/attempts",
                  f"/app/{app['id']}/endpoint/{endpoint['id']}/stats/deliveries",
                  f"/app/{app['id']}/endpoint/{endpoint['id']}/stats/backlog",
                  f"/app/{app['id']}/endpoint/{endpoint['id']}/rate-limit-status"):
        other.expect(404, "GET", where, params=range_)
        api.expect(404, "GET", where.replace(app["id"], "none"), params=range_)
        api.expect(200, "GET", where, params=range_)


def test_backlog(fresh, server):
    api, tenant = fresh
    app, quiet_app = api.new_app(), api.new_app()
    endpoint, second, quiet = api.new_endpoint(app, URL, paused=True), api.new_endpoint(app, URL, paused=True), api.new_endpoint(quiet_app, URL)
    with History(server, app, tenant) as history:
        for one in (endpoint, second):
            history.schedule(one)
        history.delivery(history.message(), endpoint, due_in=-10)
        history.delivery(history.message(), endpoint, due_in=60)
        history.delivery(history.message(), second, due_in=-3)
        history.delivery(history.message(), second, due_in=None)
    nothing = {"waiting": 0, "due": 0, "capped": False, "oldestDueAt": None}
    for where in ("", f"/app/{app['id']}"):
        got = api.expect(200, "GET", f"{where}/stats/backlog")
        assert (got["waiting"], got["due"], got["capped"]) == (3, 2, False) and ago(11) < got["oldestDueAt"] < ago(9)
    got = api.expect(200, "GET", f"/app/{app['id']}/endpoint/{second['id']}/stats/backlog")
    assert (got["waiting"], got["due"]) == (1, 1) and ago(4) < got["oldestDueAt"] < ago(2)
    assert api.expect(200, "GET", f"/app/{quiet_app['id']}/stats/backlog") == nothing
    assert api.expect(200, "GET", f"/app/{quiet_app['id']}/endpoint/{quiet['id']}/stats/backlog") == nothing


def test_rate_limit_status(api, app, receiver):
    free, throttled = api.new_endpoint(app, receiver.url("/free")), api.new_endpoint(app, receiver.url("/slow"), throttleRate=1)

    def status_of(endpoint):
        return api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}/rate-limit-status")
    assert status_of(free) == status_of(throttled) == {"status": "Ok", "throttledSince": None}
    for _ in range(30):
        api.send(app)
    limited = wait_for(lambda: [s for s in [status_of(throttled)] if s["status"] == "RateLimited"], 20, "it is limited")[0]
    assert ago(2) < limited["throttledSince"] <= ago()
    assert status_of(free) == {"status": "Ok", "throttledSince": None}
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{throttled['id']}")
    # an application's rate is shared by its endpoints
    api.expect(200, "PATCH", f"/app/{app['id']}", json={"throttleRate": 1})
    for _ in range(5):
        api.send(app)
    wait_for(lambda: status_of(free)["status"] == "RateLimited", 20, "it waits for its application's throttle")
    api.expect(200, "PATCH", f"/app/{app['id']}", json={"throttleRate": None})
    wait_for(lambda: status_of(free)["status"] == "Ok", 20, "it does not wait any more")
