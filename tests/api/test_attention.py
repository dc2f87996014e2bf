"""Endpoints that somebody should look at, how the applications of a list are, and a tenant's event types."""
import time
from datetime import datetime, timedelta, timezone

import pytest
from client import Api, unique
from history import to_uuid
from wait import wait_for

AWAY = "http://127.0.0.1:9/"


@pytest.fixture
def tenant(server):
    _, key = server.new_tenant(unique("attention"))
    with Api(server.url, key) as api:
        yield api


@pytest.fixture
def db(server):
    with server.database() as connection:
        yield connection


def told(api):
    answer = api.expect(200, "GET", "/stats/attention")
    assert not answer["capped"]
    return {one["endpointId"]: one for one in answer["data"]}


def make(db, api, app, change="", **fields):
    """An endpoint, with columns set by hand."""
    endpoint = api.new_endpoint(app, AWAY, **fields)["id"]
    if change:
        db.execute(f"UPDATE endpoints SET {change} WHERE id = %s", (to_uuid(endpoint),))
    return endpoint


def count(db, endpoint, success, failure, hours=1):
    db.execute("INSERT INTO delivery_stats SELECT id, now() - %s * interval '1 hour', tenant_id, %s, %s, 0, '{0,0,0,0,0,0,0,0}' FROM endpoints"
               " WHERE id = %s", (hours, success, failure, to_uuid(endpoint)))


def owe(db, endpoint, due):
    """A message that waits, since `due` or until then."""
    db.execute("INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)"
               f" SELECT id, uuid_floor(now()), tenant_id, application_id, {due} FROM endpoints WHERE id = %s", (to_uuid(endpoint),))
    # Held, so that no dispatcher takes it.
    db.execute("INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at, held_until)"
               f" SELECT id, tenant_id, {due}, now() + interval '1 hour' FROM endpoints WHERE id = %s", (to_uuid(endpoint),))


def test_each_reason(tenant, db):
    app = tenant.new_app(name="Acme")
    down = make(db, tenant, app, "disabled = true, disabled_reason = 'the endpoint answered 410'", description="Down")
    failing = make(db, tenant, app, "failing_since = now() - interval '2 hours'")
    overdue = make(db, tenant, app)
    unreliable = make(db, tenant, app)
    owe(db, failing, "now() + interval '10 minutes'")
    owe(db, overdue, "now() - interval '6 minutes'")
    owe(db, unreliable, "now() + interval '10 minutes'")
    count(db, unreliable, 4, 10)
    found = told(tenant)
    assert {one: found[one]["reasons"] for one in found} == {
        down: ["disabled"], failing: ["failing"], overdue: ["overdue"], unreliable: ["unreliable"]}
    assert list(found)[-1] == down, "what can still be helped comes first"
    assert found[down] | {"reasons": 0} == {
        "endpointId": down, "appId": app["id"], "appName": "Acme", "url": AWAY, "description": "Down", "reasons": 0,
        "disabledReason": "the endpoint answered 410", "failingSince": None, "nextAttempt": None, "oldestDueAt": None,
        "success": 0, "failure": 0}
    ago = datetime.now(timezone.utc) - datetime.fromisoformat(found[failing]["failingSince"])
    assert timedelta(hours=1, minutes=55) < ago < timedelta(hours=2, minutes=5)
    assert datetime.fromisoformat(found[failing]["nextAttempt"]) > datetime.now(timezone.utc) + timedelta(minutes=50), "while it is held"
    assert found[overdue]["oldestDueAt"] and (found[unreliable]["success"], found[unreliable]["failure"]) == (4, 10)


def test_what_is_well_is_not_told_of(tenant, db):
    app = tenant.new_app()
    make(db, tenant, app)
    make(db, tenant, app, "disabled = true")
    make(db, tenant, app, "failing_since = now() - interval '10 seconds'")
    late = make(db, tenant, app)
    owe(db, late, "now() - interval '1 minute'")
    paused = make(db, tenant, app, paused=True)
    owe(db, paused, "now() - interval '1 hour'")
    for success, failure, hours in ((10, 10, 1), (0, 9, 1), (0, 100, 25)):
        endpoint = make(db, tenant, app)
        owe(db, endpoint, "now() + interval '1 hour'")
        count(db, endpoint, success, failure, hours)
    assert told(tenant) == {}


def test_an_endpoint_that_really_fails(tenant, db):
    app = tenant.new_app()
    endpoint = tenant.new_endpoint(app, AWAY, retrySchedule=[3600])["id"]
    tenant.wait_attempts(app, tenant.send(app), 1)
    changed = "UPDATE endpoints SET failing_since = now() - interval '2 minutes' WHERE id = %s AND failing_since IS NOT NULL RETURNING 1"
    wait_for(lambda: db.execute(changed, (to_uuid(endpoint),)).fetchone(), 10, "it is noted as failing")
    one = wait_for(lambda: told(tenant).get(endpoint), 10, "it is told of")
    assert one["reasons"] == ["failing"] and one["failure"] == 1


def test_there_are_no_more_than_fifty(tenant, db):
    app = tenant.new_app()
    first = to_uuid(make(db, tenant, app, "failing_since = now() - interval '1 day'"))
    db.execute("INSERT INTO endpoints (id, tenant_id, application_id, url, failing_since)"
               " SELECT gen_random_uuid(), tenant_id, application_id, url, now() - n * interval '1 hour'"
               " FROM endpoints, generate_series(2, 61) n WHERE id = %s", (first,))
    answer = tenant.expect(200, "GET", "/stats/attention")
    assert len(answer["data"]) == 50 and answer["capped"]
    since = [one["failingSince"] for one in answer["data"]]
    assert since == sorted(since), "the longest first"


def test_others_see_nothing_of_it(tenant, other, db):
    app = tenant.new_app()
    make(db, tenant, app, "failing_since = now() - interval '2 hours'")
    assert told(tenant) and not {one for one in told(other).values() if one["appId"] == app["id"]}
    assert other.expect(200, "GET", f"/stats/app?app_ids={app['id']}") == {"data": []}


def test_applications_of_a_list(tenant, db, receiver):
    busy, idle = tenant.new_app(), tenant.new_app()
    tenant.new_endpoint(busy, receiver.url("/hook"))
    make(db, tenant, busy, "failing_since = now() - interval '2 hours'", eventTypes=["other"])
    make(db, tenant, busy, "disabled = true, disabled_reason = 'x'")
    tenant.send(busy)
    expected = {"appId": busy["id"], "messages": 1, "success": 1, "failure": 0, "endpoints": 3, "failing": 1, "disabled": 1}
    path = f"/stats/app?app_ids={busy['id']},{idle['id']}"

    def found():
        return {one["appId"]: one for one in tenant.expect(200, "GET", path)["data"]}

    wait_for(lambda: found()[busy["id"]] == expected, 10, "it is counted")
    assert found()[idle["id"]] == {"appId": idle["id"], "messages": 0, "success": 0, "failure": 0, "endpoints": 0, "failing": 0, "disabled": 0}


@pytest.mark.parametrize("query", ["", "?app_ids=", "?app_ids=x", "?app_ids=ep_0123456789abcdefghijkl",
                                   "?app_ids=" + ",".join(["app_0123456789abcdefghijkl"] * 65)])
def test_bad_ids_are_named(tenant, query):
    answer = tenant.get("/stats/app" + query)
    assert answer.status_code == 422 and {fault["loc"][-1] for fault in answer.json()["detail"]} == {"app_ids"}


def test_event_types_of_a_tenant(tenant, receiver):
    apps = [tenant.new_app() for _ in range(2)]
    for app in apps:
        tenant.new_endpoint(app, receiver.url("/hook"))
        tenant.send(app, event_type="a.b")
    tenant.send(apps[0], event_type="c.d")
    now = time.time()
    query = {"since": datetime.fromtimestamp(now - 3600, timezone.utc).isoformat(), "until": datetime.fromtimestamp(now + 60, timezone.utc).isoformat()}

    def types():
        return tenant.expect(200, "GET", "/stats/attempts", params=query)["by_event_type"]

    wait_for(lambda: types() == {"a.b": {"success": 2, "failure": 0, "canceled": 0}, "c.d": {"success": 1, "failure": 0, "canceled": 0}},
             10, "they are counted")
    assert tenant.get("/stats/attempts").status_code == 422


class TestSearch:
    @pytest.fixture(scope="class")
    def api(self, server):
        with Api(server.url, server.new_tenant(unique("search"))[1]) as api:
            for i in range(7):
                api.new_app(name=f"ACME {i} Inc", uid=f"customer-{i}")
            api.new_app(name="100% Größe_x")
            yield api

    @pytest.mark.parametrize("text, found", [("acme", 7), ("ME 3", 1), ("inc", 7), ("customer-4", 1), ("CUSTOMER", 7), ("nobody", 0), ("%", 1),
                                             ("_", 1), ("größe", 1), ("GRÖSSE", 0), ("'", 0), ("\\", 0), ("", 8)])
    def test_a_part_of_name_or_uid(self, api, text, found):
        for order in ("ascending", "descending"):
            apps = api.pages("/app", search=text, order=order, limit=3)
            assert len(apps) == found
            assert [a["id"] for a in apps] == sorted((a["id"] for a in apps), reverse=order == "descending")

    def test_back_and_forth(self, api):
        first = api.expect(200, "GET", "/app", params={"search": "acme", "limit": 3})
        second = api.expect(200, "GET", "/app", params={"search": "acme", "limit": 3, "iterator": first["iterator"]})
        back = api.expect(200, "GET", "/app", params={"search": "acme", "limit": 3, "iterator": second["prevIterator"]})
        assert back["data"] == first["data"] and not first["done"]

    def test_a_page_walks_no_further_than_so_far(self, server):
        tenant, key = server.new_tenant(unique("walk"))
        with Api(server.url, key) as api, server.database() as db:
            db.execute("INSERT INTO applications (id, tenant_id, name) SELECT uuid_floor(now() - n * interval '1 second'), %s,"
                       " CASE WHEN n IN (1, 10500) THEN 'wanted' ELSE 'other' END FROM generate_series(1, 10500) n", (to_uuid(tenant),))
            page = api.expect(200, "GET", "/app", params={"search": "wanted"})
            assert len(page["data"]) == 1 and not page["done"] and page["iterator"] != page["data"][0]["id"]
            assert len(api.pages("/app", search="wanted")) == len(api.pages("/app", search="wanted", order="descending")) == 2

    def test_a_long_text_is_refused(self, api):
        answer = api.get("/app", params={"search": "x" * 257})
        assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", "search"]
