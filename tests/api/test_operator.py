"""The operator's interface: tenants, their quotas, their suspension and their end."""
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import contract
import pytest
from client import Api, unique
from history import to_uuid as uuid_of
from operators import TOKEN, Operator
from receiver import status
from server import Node
from wait import wait_for

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def node(postgres):
    one = Node(postgres.new_database(), POSTHORN_OPERATOR_TOKEN=TOKEN, POSTHORN_RETRY_SCHEDULE="1,1,1,1,1,1,1,1")
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.remove()


@pytest.fixture(scope="module")
def operator(node):
    with Operator(node.url, TOKEN) as one:
        yield one


@pytest.fixture
def tenant(operator):
    return operator.new_tenant()


@pytest.fixture
def user(node, operator, tenant):
    with node.api(operator.new_key(tenant)) as one:
        one.expect(200, "GET", "/app")
        yield one


def to_uuid(tenant):

    return uuid_of(tenant["id"])


def test_nobody_else_gets_in(node, operator):
    routes = [(m, re.sub(r"{\w+}", "org_0000000000000000000001", p.removeprefix("/admin/v1")))
              for m, p in contract.load().operations if p.startswith("/admin/v1")]
    assert len(routes) >= 8
    for key in (None, node.api_key, "nonsense", TOKEN[:-1], TOKEN + "x", ""):
        with Operator(node.url, key) as other:
            for method, path in routes:
                other.expect(401, method, path)
    with Api(node.url, TOKEN) as mistaken:
        mistaken.expect(401, "GET", "/app")


def test_without_a_token_the_interface_is_closed(server):
    for key in ("", "x", TOKEN):
        with Operator(server.url, key or None) as other:
            other.expect(401, "GET", "/tenant")


def test_the_life_of_a_tenant(operator, node):
    made = operator.new_tenant(plan="free", quotas={"messagesPerDay": 7})
    assert made["quotas"] == {"messagesPerDay": 7} and made["plan"] == "free" and made["suspendedAt"] is None
    assert made["effectiveQuotas"]["messagesPerDay"] == 7 and made["effectiveQuotas"]["applications"] == 100
    assert operator.expect(200, "GET", f"/tenant/{made['id']}") == made
    assert made in operator.pages("/tenant", limit=2)
    changed = operator.expect(200, "PATCH", f"/tenant/{made['id']}", json={"name": "New", "plan": "standard", "quotas": {}})
    assert (changed["name"], changed["plan"], changed["quotas"]) == ("New", "standard", {})
    with node.api(operator.new_key(made)) as user:
        assert user.expect(200, "GET", "/auth/whoami")["envId"] == made["id"]
        assert user.expect(200, "GET", "/tenant")["name"] == "New"
        assert user.pages("/api-key")[0]["createdBy"] is None
    names = {p["name"]: p["quotas"] for p in operator.expect(200, "GET", "/plan")["data"]}
    assert names["free"]["messagesPerDay"] > 0 and names["standard"]["messagesPerDay"] > 0
    assert operator.expect(200, "PATCH", f"/tenant/{made['id']}", json={"plan": None})["effectiveQuotas"] == {}


def test_a_repeated_request_makes_one(operator):
    headers, body = {"Idempotency-Key": unique("key")}, {"name": unique("once")}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: operator.expect(201, "POST", "/tenant", json=body, headers=headers), range(8)))
    assert len({t["id"] for t in made}) == 1
    assert sum(t["name"] == body["name"] for t in operator.pages("/tenant")) == 1


def test_what_is_wrong_is_named(operator, tenant):
    path = f"/tenant/{tenant['id']}"
    for body, field in (({"name": ""}, "name"), ({"name": "x" * 257}, "name"), ({"plan": "gold"}, "plan"), ({"plan": 1}, "plan"),
                        ({"quotas": []}, "quotas"), ({"quotas": {"apps": 1}}, "quotas"), ({"quotas": {"endpoints": -1}}, "quotas"),
                        ({"quotas": {"endpoints": "1"}}, "quotas"), ({"suspended": 1}, "suspended")):
        faults = operator.expect(422, "PATCH", path, json=body)["detail"]
        assert [f["loc"] for f in faults] == [["body", field]], body
    operator.expect(422, "POST", "/tenant", json={})
    operator.expect(422, "GET", f"{path}/usage", params={"days": "0"})
    for gone in ("org_0000000000000000000001", "x"):
        operator.expect(404, "GET", f"/tenant/{gone}")
        operator.expect(404, "PATCH", f"/tenant/{gone}", json={})
        operator.expect(404, "DELETE", f"/tenant/{gone}")
        operator.expect(404, "POST", f"/tenant/{gone}/api-key", json={"name": "x"})
        operator.expect(404, "GET", f"/tenant/{gone}/usage")


def test_a_suspended_tenant_waits(operator, tenant, user, receiver):
    app = user.new_app()
    endpoint = user.new_endpoint(app, receiver.url())
    receiver.default = status(500)
    message = user.send(app)
    user.wait_attempts(app, message, 1)
    assert operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"suspended": True})["suspendedAt"]
    wait_for(lambda: {user.get("/app", headers={"Connection": "close"}).status_code for _ in range(6)} == {403}, 10, "it may do nothing")
    refused = user.expect(403, "POST", f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})
    assert refused == {"code": "tenant_suspended", "detail": "The tenant is suspended."}
    seen = wait_until_quiet(receiver)
    receiver.default = status(200)
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"suspended": False})
    wait_for(lambda: len(receiver.got()) > seen, 20, "it goes on")
    wait_for(lambda: user.get("/app").status_code == 200, 10, "it may ask again")
    wait_for(lambda: user.attempts(app, message)[0]["status"] == 0, 10, "the message has arrived")
    user.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}")


def wait_until_quiet(receiver):
    """How many requests have come, when none has for longer than the pause between two attempts."""
    import time
    seen, since = -1, 0.0
    while True:
        if len(receiver.got()) != seen:
            seen, since = len(receiver.got()), time.monotonic()
        if time.monotonic() - since > 2.5:
            return seen
        time.sleep(0.05)


def test_rates(operator, tenant, user, node):
    def ask(method="GET", path="/app", **more):
        return user.request(method, path, **more)

    assert "ratelimit-limit" not in ask().headers
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"readsPerSecond": 5, "sendsPerSecond": 0}})
    wait_for(lambda: all("ratelimit-limit" in ask(headers={"Connection": "close"}).headers for _ in range(6)), 10, "the limit counts")

    def over():
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: ask(), range(20)))
        refused = [a for a in answers if a.status_code == 429]
        return refused or None

    refused = wait_for(over, 20, "more than the rate")
    for answer in refused:
        assert answer.json()["code"] == "rate_limited" and answer.headers["ratelimit-limit"] == "5"
        assert answer.headers["ratelimit-remaining"] == "0" and 1 <= int(answer.headers["retry-after"]) <= 2
        assert 0 <= int(answer.headers["ratelimit-reset"]) <= 2
    assert "ratelimit-limit" not in ask("POST", "/app", json={"name": "x"}).headers, "another class"
    with node.api() as other:
        assert "ratelimit-limit" not in other.get("/app").headers, "another tenant"


def test_the_instance_has_a_rate_of_its_own(database):
    node = Node(database, POSTHORN_RATE_WRITE="2", POSTHORN_OPERATOR_TOKEN=TOKEN)
    try:
        node.start()
        with node.api() as api, Operator(node.url, TOKEN) as operator:
            limited = [api.post("/app", json={"name": "x"}) for _ in range(10)]
            assert {a.headers["ratelimit-limit"] for a in limited} == {"2"}
            assert "ratelimit-limit" not in api.get("/app").headers
            operator.expect(200, "PATCH", f"/tenant/{database.tenant_id}", json={"quotas": {"writesPerSecond": 0}})
            wait_for(lambda: all("ratelimit-limit" not in api.post("/app", json={"name": "x"}, headers={"Connection": "close"}).headers
                                 for _ in range(6)), 10, "its own quota goes before")
        node.stop()
    finally:
        node.remove()


def test_no_more_applications_and_endpoints_than_the_quota(operator, tenant, user):
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"applications": 3, "endpoints": 2}})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: user.post("/app", json={"name": "x"}, headers={"Idempotency-Key": str(n)} if n % 2 else {}),
                                range(12)))
    assert sorted(a.status_code for a in answers) == [201] * 3 + [403] * 9
    assert {a.json()["code"] for a in answers if a.status_code == 403} == {"quota_exceeded"}
    app, second = user.pages("/app")[:2]
    user.expect(403, "PUT", f"/app/{unique('new')}", json={"name": "x"})
    user.expect(200, "PUT", f"/app/{app['id']}", json={"name": "changed"})
    user.new_endpoint(app, NOWHERE)
    user.new_endpoint(second, NOWHERE)
    user.expect(403, "POST", f"/app/{app['id']}/endpoint", json={"url": NOWHERE})
    user.expect(204, "DELETE", f"/app/{second['id']}")
    user.new_endpoint(app, NOWHERE)
    user.new_app()


def test_payloads_are_no_larger_and_kept_no_longer(operator, tenant, user, node):
    app = user.new_app()
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"payloadBytes": 20, "retentionDays": 2}})
    large = {"eventType": "a", "payload": {"x": "y" * 20}}
    wait_for(lambda: user.post(f"/app/{app['id']}/msg", json=large).status_code == 422, 10, "the quota counts")
    faults = user.expect(422, "POST", f"/app/{app['id']}/msg", json=large)["detail"]
    assert faults[0]["loc"] == ["body", "payload"]
    message = user.send(app, payloadRetentionPeriod=90)
    with node.database.database() as rows:
        left = rows.execute("SELECT max(expires_at) FROM messages WHERE tenant_id = %s AND expires_at IS NOT NULL",
                            [to_uuid(tenant)]).fetchone()[0] - datetime.now(timezone.utc)
    assert message and 1.9 < left.total_seconds() / 86400 <= 2


def test_messages_of_a_day_are_counted_and_limited(operator, tenant, user):
    app = user.new_app()
    for n in range(5):
        user.send(app, {"n": n})

    def today():
        return operator.expect(200, "GET", f"/tenant/{tenant['id']}/usage", params={"days": 3})["data"]

    wait_for(lambda: today()[0]["messages"] == 5, 20, "they are counted")
    assert [d["messages"] for d in today()[1:]] == [0, 0] and today()[0]["day"] == datetime.now(timezone.utc).strftime("%Y-%m-%d")
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"messagesPerDay": 5}})
    refused = wait_for(lambda: (lambda a: a if a.status_code == 429 else None)(
        user.post(f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})), 20, "no more today")
    assert refused.json()["code"] == "quota_exceeded" and 0 < int(refused.headers["retry-after"]) <= 86400
    user.expect(200, "GET", f"/app/{app['id']}/msg")


def rows_of(node, tenant):
    """{table: rows of this tenant} over all tables that have a tenant, and the tenants themselves."""
    with node.database.database() as rows:
        rows.execute("RESET ROLE")
        rows.execute("SET row_security = off")
        tables = [t for (t,) in rows.execute(
            "SELECT c.oid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND a.attname = 'tenant_id'")]
        assert len(tables) > 12
        found = {t: rows.execute(f"SELECT count(*) FROM {t} WHERE tenant_id = %s", [to_uuid(tenant)]).fetchone()[0] for t in tables}
        found["tenants"] = rows.execute("SELECT count(*) FROM tenants WHERE id = %s", [to_uuid(tenant)]).fetchone()[0]
        return {t: n for t, n in found.items() if n}


def test_nothing_is_left_of_a_deleted_tenant(operator, tenant, user, node, receiver):
    app = user.new_app()
    good, bad = user.new_endpoint(app, receiver.url()), user.new_endpoint(app, NOWHERE)
    message = user.send(app, eventId="first")
    user.wait_attempts(app, message, 2)
    user.new_event_type()
    user.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={}, headers={"Idempotency-Key": "x"})
    user.expect(201, "POST", "/operational-webhook/endpoint", json={"url": NOWHERE})
    user.expect(202, "POST", f"/app/{app['id']}/endpoint/{good['id']}/recover", json={"since": "2026-01-01T00:00:00Z"})
    gone = user.new_app()
    user.new_endpoint(gone, receiver.url())
    user.wait_attempts(gone, user.send(gone), 1)
    user.expect(204, "DELETE", f"/app/{gone['id']}")
    other = operator.new_tenant()
    operator.new_key(other)
    before, untouched = rows_of(node, tenant), rows_of(node, other)
    assert {"messages", "attempts", "deliveries", "applications", "endpoints", "api_keys", "portal_tokens", "kept_answers"} <= before.keys()
    operator.expect(202, "DELETE", f"/tenant/{tenant['id']}")
    wait_for(lambda: {user.get("/app", headers={"Connection": "close"}).status_code for _ in range(6)} == {401}, 10, "its key has ended")
    operator.expect(404, "GET", f"/tenant/{tenant['id']}")
    operator.expect(404, "DELETE", f"/tenant/{tenant['id']}")
    assert tenant["id"] not in {t["id"] for t in operator.pages("/tenant")}
    wait_for(lambda: rows_of(node, tenant).keys() <= {"tenants"}, 30, "its data are gone")
    with node.database.database() as rows:
        rows.execute("UPDATE tenants SET deleted_at = deleted_at - interval '1 minute' WHERE id = %s", [to_uuid(tenant)])
    wait_for(lambda: not rows_of(node, tenant), 30, "it is gone itself")
    assert rows_of(node, other) == untouched and bad
    assert rows_of(node, {"id": node.tenant_id})


def test_the_command_line_does_the_same(node, operator):
    database = node.database
    tenant, key = database.new_tenant("command line")
    with node.api(key) as user:
        user.expect(200, "GET", "/app")
        database.command_line("tenant", "suspend", "--tenant", tenant)
        wait_for(lambda: user.get("/app").status_code == 403, 10, "it is suspended")
        assert [t["suspendedAt"] is not None for t in json.loads(database.command_line("tenant", "list", "--json")) if t["id"] == tenant] == [True]
        database.command_line("tenant", "resume", "--tenant", tenant)
        wait_for(lambda: user.get("/app").status_code == 200, 10, "it goes on")
        database.command_line("tenant", "delete", "--tenant", tenant)
        wait_for(lambda: user.get("/app").status_code == 401, 10, "it is deleted")
    operator.expect(404, "GET", f"/tenant/{tenant}")
    for action in ("suspend", "resume", "delete"):
        with pytest.raises(AssertionError, match="there is no org_"):
            database.command_line("tenant", action, "--tenant", tenant)


def test_a_tenant_sees_its_own_usage_plan_and_quotas(operator, node):
    tenant = operator.new_tenant(plan="free", quotas={"endpoints": 3, "readsPerSecond": 0})
    other = operator.new_tenant()
    with node.api(operator.new_key(tenant)) as user, node.api(operator.new_key(other)) as stranger:
        app = user.new_app()
        user.send(app)
        today = datetime.now(timezone.utc).date().isoformat()
        wait_for(lambda: sum(day["messages"] for day in user.expect(200, "GET", "/tenant/usage", params={"days": 2})["data"]) == 1,
                 10, "the message is counted")
        seen = user.expect(200, "GET", "/tenant/usage")
        assert len(seen["data"]) == 30 and seen["data"][0]["day"] >= today
        assert seen["plan"] == "free" and seen["quotas"] == tenant["effectiveQuotas"] and seen["quotas"]["endpoints"] == 3
        assert seen["data"] == operator.expect(200, "GET", f"/tenant/{tenant['id']}/usage")["data"]
        mine = stranger.expect(200, "GET", "/tenant/usage", params={"days": 3})
        assert mine["plan"] is None and mine["quotas"] == {} and not any(day["messages"] for day in mine["data"])
        for days in ("0", "367", "x", ""):
            user.expect(422, "GET", "/tenant/usage", params={"days": days})


def test_a_short_token_is_no_token(database):
    node = Node(database, POSTHORN_OPERATOR_TOKEN="short")
    try:
        with pytest.raises(AssertionError, match="POSTHORN_OPERATOR_TOKEN is shorter"):
            node.start()
    finally:
        node.remove()
