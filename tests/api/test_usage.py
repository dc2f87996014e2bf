"""What applications have used, counted by a background task."""
import pytest
from client import unique
from history import History
from test_content import wait_finished
from test_stats import ago


@pytest.fixture
def fresh(server):
    """(client, tenant id) of a tenant that has no applications yet."""
    tenant, key = server.new_tenant(unique("tenant"))
    with server.api(key) as client:
        yield client, tenant


def usage(api, **body):
    """(answer, what was counted by uid)"""
    task = api.expect(202, "POST", "/stats/usage/app", json={"since": ago(24 * 60), "until": ago(), **body})
    ended = wait_finished(api, task)
    assert ended["status"] == "finished" and ended["task"] == task["task"] == "application.stats"
    assert ended["data"]["done"] == len(ended["data"]["appStats"])
    return task, {one["appUid"]: one for one in ended["data"]["appStats"]}


def test_of_all_applications(fresh, server):
    api, tenant = fresh
    busy, quiet = api.new_app(uid="busy"), api.new_app(uid="quiet")
    with History(server, busy, tenant) as history:
        history.hour(1, "a.x", messages=5, success=4, failure=3, exhausted=1)
        history.hour(2, "b.x", messages=1, success=1)
        history.hour(30, "b.x", messages=100, success=100)
    task, counted = usage(api)
    assert task["unresolvedAppIds"] == []
    assert counted == {"busy": {"appId": busy["id"], "appUid": "busy", "messages": 6, "messageDestinations": 6, "attempts": 8},
                       "quiet": {"appId": quiet["id"], "appUid": "quiet", "messages": 0, "messageDestinations": 0, "attempts": 0}}
    assert usage(api, since=ago(48 * 60))[1]["busy"]["messages"] == 106
    assert usage(api, since=ago(48 * 60), until=ago(26 * 60))[1]["busy"]["messages"] == 100


def test_of_more_than_a_step_takes(fresh, server):
    api, tenant = fresh
    with History(server, api.new_app(), tenant) as history:
        history.db.execute("INSERT INTO applications (id, tenant_id, name, uid) SELECT gen_random_uuid(), %s, 'x', 'u' || n"
                           " FROM generate_series(1, 450) n", (history.tenant,))
    _, counted = usage(api)
    assert len(counted) == 451
    assert all("appStats" not in t["data"] for t in api.pages("/background-task"))


def test_of_some(fresh, other_tenant, server):
    api, _ = fresh
    first, second = api.new_app(uid="first"), api.new_app(uid="second")
    api.new_app(uid="third")
    with server.api(other_tenant[1]) as other:
        foreign = other.new_app(uid="foreign")
    task, counted = usage(api, appIds=["none", first["id"], "second", foreign["id"], "first"])
    assert task["unresolvedAppIds"] == ["none", foreign["id"]] and set(counted) == {"first", "second"}
    answer = api.expect(422, "POST", "/stats/usage/app", json={"since": ago(60), "until": ago(), "appIds": ["none"]})
    assert answer["detail"][0]["loc"] == ["body", "appIds"]


@pytest.mark.parametrize("body, field", [
    ({"since": None}, "since"), ({"until": None}, "until"), ({"since": "x"}, "since"), ({"since": ago(-60)}, "since"),
    ({"appIds": "x"}, "appIds"), ({"appIds": ["a b"]}, "appIds"), ({"appIds": ["x"] * 1001}, "appIds")])
def test_refuses_what_is_none(api, body, field):
    answer = api.expect(422, "POST", "/stats/usage/app", json={"since": ago(60), "until": ago(), **body})
    assert [fault["loc"] for fault in answer["detail"]] == [["body", field]]
