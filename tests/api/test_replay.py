"""Recover, bulk-replay and replay-missing: what they ask for, and what they send."""
from datetime import datetime, timedelta, timezone

import pytest
from client import unique
from history import History, to_uuid, to_wire
from wait import wait_for

NOWHERE = "http://127.0.0.1:9/"
ACTIONS = {"recover": "endpoint.recover", "bulk-replay": "endpoint.bulk-replay", "replay-missing": "endpoint.replay"}


def ago(minutes):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


@pytest.fixture
def endpoint(api, app):
    """Paused, so that what is owed stays to be seen."""
    return api.new_endpoint(app, NOWHERE, paused=True, uid=unique("ep"))


@pytest.fixture
def run(api, app, endpoint, history):
    """run("recover", since=…) starts a task, waits for its end and gives (the messages owed, the task)."""
    def start(action, **body):
        made = api.expect(202, "POST", f"/app/{app['id']}/endpoint/{endpoint['uid']}/{action}", json=body)
        assert set(made) == {"id", "status", "task", "updatedAt"}
        assert (made["status"], made["task"]) == ("running", ACTIONS[action])
        task = wait_for(lambda: finished(api, made["id"]), 20, "the task ends")
        rows = history.db.execute("DELETE FROM deliveries WHERE endpoint_id = %s AND trigger_type = 1 RETURNING message_id",
                                  (to_uuid(endpoint["id"]),))
        return {to_wire("msg", row[0]) for row in rows}, task
    return start


def finished(api, task_id):
    task = api.expect(200, "GET", f"/background-task/{task_id}")
    return task if task["status"] != "running" else None


def test_recover_sends_what_failed_since_a_time(history, endpoint, run):
    old, failed, fine, late = (history.message(minutes=m) for m in (90, 40, 40, 5))
    for message, status in ((old, 2), (failed, 2), (fine, 0), (late, 2)):
        history.attempt(message, endpoint, minutes=4, status=status, status_code=500 if status else 200)
    messages, task = run("recover", since=ago(60))
    assert messages == {failed, late}
    assert (task["status"], task["task"]) == ("finished", "endpoint.recover")
    assert run("recover", since=ago(60), until=ago(30))[0] == {failed}
    assert run("recover", since=ago(100), until=None)[0] == {old, failed, late}
    assert run("recover", since=ago(3))[0] == set()


def test_a_task_shows_how_far_it_is(api, app, history, endpoint, run):
    for _ in range(3):
        history.attempt(history.message(minutes=10), endpoint, minutes=9, status=2, status_code=500)
    _, task = run("recover", since=ago(60))
    data = task["data"]
    assert (data["done"], data["total"], data["queued"], data["error"]) == (3, 3, 3, None)
    assert (data["appId"], data["endpointId"]) == (app["id"], endpoint["id"])
    assert set(data["params"]) == {"since", "until", "status"}


def test_bulk_replay_by_each_filter(history, endpoint, run):
    plain = history.message(minutes=10)
    tagged = history.message(minutes=10, tags=["t1", "t2"])
    channelled = history.message(minutes=10, channels=["ch"])
    typed = history.message(minutes=10, event_type="invoice.paid")
    refused, silent = history.message(minutes=10), history.message(minutes=10)
    for message in (plain, tagged, channelled, typed):
        history.attempt(message, endpoint, minutes=9)
    history.attempt(refused, endpoint, minutes=9, status=2, status_code=404)
    history.attempt(silent, endpoint, minutes=9, status=2, status_code=0)
    every = {plain, tagged, channelled, typed, refused, silent}
    for filters, expected in (
            ({}, every), ({"status": 0}, every - {refused, silent}), ({"status": 2}, {refused, silent}),
            ({"statusCodeClass": 400}, {refused}), ({"statusCodeClass": 0}, {silent}), ({"statusCodeClass": 500}, set()),
            ({"eventTypes": ["invoice.paid", "x"]}, {typed}), ({"eventTypes": []}, every), ({"channel": "ch"}, {channelled}),
            ({"tag": "t2"}, {tagged}), ({"tag": "t2", "status": 2}, set()), ({"channel": None, "tag": None}, every)):
        assert run("bulk-replay", since=ago(60), **filters)[0] == expected, filters


def test_replay_missing_sends_what_never_came(api, app, history, endpoint, run):
    old, missing, tried, owed = (history.message(minutes=m) for m in (90, 40, 40, 40))
    history.attempt(tried, endpoint, minutes=39, status=2)
    history.delivery(owed, endpoint)
    messages, task = run("replay-missing", since=ago(60))
    assert messages == {missing}
    assert (task["data"]["done"], task["data"]["queued"]) == (3, 1)
    assert run("replay-missing", since=ago(100))[0] == {old, missing}
    api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"eventTypes": ["something.else"]})
    assert run("replay-missing", since=ago(60))[0] == set()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("body, member", [
    ({}, "since"), ({"since": None}, "since"), ({"since": "soon"}, "since"), ({"since": ago(-10)}, "since"),
    ({"since": ago(5), "until": ago(10)}, "since"), ({"since": ago(5), "until": 3}, "until")])
def test_a_time_that_is_none(api, app, endpoint, action, body, member):
    faults = api.expect(422, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/{action}", json=body)
    assert faults["detail"][0]["loc"] == ["body", member]


@pytest.mark.parametrize("member, value", [
    ("eventTypes", "a"), ("eventTypes", ["ä"]), ("channel", "no way"), ("channel", 5), ("tag", ""), ("status", 1), ("status", 3),
    ("status", "0"), ("statusCodeClass", 250), ("statusCodeClass", "200")])
def test_a_filter_that_is_none(api, app, endpoint, member, value):
    faults = api.expect(422, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/bulk-replay",
                        json={"since": ago(5), member: value})
    assert faults["detail"][0]["loc"][1] == member


@pytest.mark.parametrize("action", ACTIONS)
def test_a_disabled_endpoint_and_one_that_is_not_there(api, app, action):
    endpoint = api.new_endpoint(app, NOWHERE, disabled=True)
    where = f"/app/{app['id']}/endpoint"
    assert "disabled" in api.expect(409, "POST", f"{where}/{endpoint['id']}/{action}", json={"since": ago(5)})["detail"]
    api.expect(404, "POST", f"{where}/{unique('ep')}/{action}", json={"since": ago(5)})
