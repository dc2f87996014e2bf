"""Environments of a tenant: keys and data of their own; plan, quotas, suspension and end in common."""
import json

import pytest
from client import unique
from concurrent.futures import ThreadPoolExecutor
from operators import TOKEN, Operator
from server import Node
from test_operator import rows_of, to_uuid
from wait import wait_for

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def node(postgres):
    one = Node(postgres.new_database(), POSTHORN_OPERATOR_TOKEN=TOKEN)
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
def root(node, operator, tenant):
    """A client with a key of the first environment."""
    with node.api(operator.new_key(tenant)) as one:
        yield one


def new_environment(user, name="test", **fields):
    return user.expect(201, "POST", "/environment", json={"name": name, **fields})


@pytest.fixture
def test_environment(root):
    return new_environment(root)


@pytest.fixture
def test(node, test_environment):
    """A client with the key that came with the environment."""
    with node.api(test_environment["apiKey"]) as one:
        yield one


def statuses(user, path="/app", **more):
    return {user.get(path, headers={"Connection": "close"}, **more).status_code for _ in range(6)}


def without_key(environment):
    return {k: v for k, v in environment.items() if k != "apiKey"}


def test_the_life_of_an_environment(node, operator, tenant, root):
    (first,) = root.pages("/environment")
    assert first["isRoot"] and first["id"] == tenant["id"] and first["name"] == tenant["name"]
    made = new_environment(root)
    assert made["name"] == "test" and not made["isRoot"]
    assert root.pages("/environment", limit=1) == [first, without_key(made)] == root.pages("/environment", order="descending")[::-1]
    assert root.expect(200, "GET", f"/environment/{made['id']}") == without_key(made)
    renamed = root.expect(200, "PATCH", f"/environment/{made['id']}", json={"name": "staging"})
    assert renamed["name"] == "staging" and renamed["updatedAt"] > made["updatedAt"]
    with node.api(made["apiKey"]) as test:
        assert test.expect(200, "GET", "/auth/whoami")["envId"] == made["id"]
        assert test.pages("/environment") == [first, renamed]
        assert test.expect(200, "GET", "/tenant")["name"] == "staging"
        for name in ("test", "stagin", "STAGING"):
            faults = root.expect(422, "DELETE", f"/environment/{made['id']}", params={"name": name})["detail"]
            assert [f["loc"] for f in faults] == [["query", "name"]]
        root.expect(422, "DELETE", f"/environment/{made['id']}")
        test.expect(200, "GET", "/app")
        root.expect(202, "DELETE", f"/environment/{made['id']}", params={"name": "staging"})
        wait_for(lambda: statuses(test) == {401}, 10, "its key has ended")
    assert root.pages("/environment") == [first]
    for method in ("GET", "PATCH", "DELETE"):
        root.expect(404, method, f"/environment/{made['id']}", params={"name": "staging"}, json={"name": "x"})
    assert root.expect(409, "DELETE", f"/environment/{first['id']}", params={"name": first["name"]})["code"] == "conflict"
    root.expect(200, "GET", "/app")


def test_data_and_keys_are_separate(root, test):
    app = root.new_app(uid="acme")
    root.new_event_type("only.in.root")
    test.expect(404, "GET", "/app/acme")
    test.expect(404, "GET", f"/app/{app['id']}")
    assert test.pages("/app") == test.pages("/event-type") == []
    assert {k["name"] for k in test.pages("/api-key")} == {"first"}
    test.new_app(uid="acme")
    assert len(root.pages("/app")) == len(test.pages("/app")) == 1


def test_event_types_and_settings_are_copied_when_asked_for(node, root, tenant):
    root.expect(200, "PATCH", "/tenant", json={"headerPrefix": "acme", "retrySchedule": [1, 2], "signatureProfile": "stripe",
                                               "portalOrigins": ["https://app.example.com"], "portalBranding": {"name": "Acme"},
                                               "publicCatalog": True, "catalogSlug": unique("slug")})
    for n in range(3):
        root.new_event_type(f"type.{n}", schemas={"1": {"type": "object"}}, schemaValidation="warn", retrySchedule=[n])
    root.new_event_type("old", archived=True)
    made = new_environment(root, copyFrom=tenant["id"])
    with node.api(made["apiKey"]) as test:
        def types(user):
            return [{k: v for k, v in t.items() if k not in ("createdAt", "updatedAt")}
                    for t in user.pages("/event-type", with_content="true", include_archived="true")]
        assert types(test) == types(root) and len(types(test)) == 4
        settings = test.expect(200, "GET", "/tenant")
        assert (settings["headerPrefix"], settings["retrySchedule"], settings["signatureProfile"]) == ("acme", [1, 2], "stripe")
        assert (settings["portalOrigins"], settings["portalBranding"]["name"]) == (["https://app.example.com"], "Acme")
        assert settings["catalogSlug"] is None and not settings["publicCatalog"], "there is one of a name only"
        again = new_environment(root, "third", copyFrom=made["id"])
    with node.api(again["apiKey"]) as third:
        assert len(types(third)) == 4
    with node.api(new_environment(root, "empty")["apiKey"]) as empty:
        assert empty.pages("/event-type") == [] and empty.expect(200, "GET", "/tenant")["headerPrefix"] == "webhook"


def test_what_is_wrong_is_named(root, operator):
    stranger = operator.new_tenant()
    for body, field in (({}, "name"), ({"name": ""}, "name"), ({"name": 1}, "name"), ({"name": "x" * 257}, "name"), ({"name": None}, "name"),
                        ({"name": "x", "copyFrom": "x"}, "copyFrom"), ({"name": "x", "copyFrom": 1}, "copyFrom"),
                        ({"name": "x", "copyFrom": stranger["id"]}, "copyFrom"),
                        ({"name": "x", "copyFrom": "org_0000000000000000000001"}, "copyFrom")):
        faults = root.expect(422, "POST", "/environment", json=body)["detail"]
        assert [f["loc"] for f in faults] == [["body", field]], body
    assert len(root.pages("/environment")) == 1
    for other in (stranger["id"], "x", "org_0000000000000000000001"):
        root.expect(404, "GET", f"/environment/{other}")
        root.expect(404, "PATCH", f"/environment/{other}", json={"name": "x"})
        root.expect(404, "DELETE", f"/environment/{other}", params={"name": stranger["name"]})
    assert operator.expect(200, "GET", f"/tenant/{stranger['id']}")["name"] == stranger["name"]


def test_a_key_of_another_environment_changes_none(root, test, test_environment, tenant):
    for target in (tenant["id"], test_environment["id"]):
        test.expect(403, "PATCH", f"/environment/{target}", json={"name": "x"})
        test.expect(403, "DELETE", f"/environment/{target}", params={"name": "test"})
    test.expect(403, "POST", "/environment", json={"name": "x"})
    assert len(test.pages("/environment")) == 2
    for scope, may_read in (("read", 200), ("send", 403)):
        key = root.expect(201, "POST", "/api-key", json={"name": scope, "scope": scope})["key"]
        root.expect(may_read, "GET", "/environment", headers={"Authorization": f"Bearer {key}"})
        root.expect(403, "POST", "/environment", json={"name": "x"}, headers={"Authorization": f"Bearer {key}"})
    root.expect(200, "PATCH", f"/environment/{test_environment['id']}", json={"name": "same"})


def test_a_portal_token_sees_none(root):
    app = root.new_app()
    token = root.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={})["token"]
    for method, path in (("GET", "/environment"), ("POST", "/environment"), ("DELETE", f"/environment/{root.pages('/environment')[0]['id']}")):
        root.expect(403, method, path, headers={"Authorization": f"Bearer {token}"}, params={"name": "x"}, json={"name": "x"})


def test_a_repeated_request_makes_one(root):
    headers = {"Idempotency-Key": unique("key")}
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: root.expect(201, "POST", "/environment", json={"name": "once"}, headers=headers), range(6)))
    assert len({e["id"] for e in made}) == 1 and len({e["apiKey"] for e in made}) == 1
    assert len(root.pages("/environment")) == 2


def test_no_more_than_the_quota_at_once_and_one_after_the_other(operator, tenant, root):
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"environments": 3}})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: root.post("/environment", json={"name": f"e{n}"}), range(8)))
    assert sorted(a.status_code for a in answers) == [201] * 2 + [403] * 6
    assert {a.json()["code"] for a in answers if a.status_code == 403} == {"quota_exceeded"}
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {}})
    new_environment(root)


def test_applications_and_endpoints_are_counted_together(operator, tenant, root, test):
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"applications": 2, "endpoints": 2}})
    mine, theirs = root.new_app(), test.new_app()
    for user in (root, test):
        assert user.expect(403, "POST", "/app", json={"name": "x"})["code"] == "quota_exceeded"
    root.new_endpoint(mine, NOWHERE)
    test.new_endpoint(theirs, NOWHERE)
    for user, app in ((root, mine), (test, theirs)):
        assert user.expect(403, "POST", f"/app/{app['id']}/endpoint", json={"url": NOWHERE})["code"] == "quota_exceeded"
    root.expect(204, "DELETE", f"/app/{mine['id']}")
    test.new_app()


def test_messages_of_a_day_are_counted_together_and_stay_counted(node, operator, tenant, root, test, test_environment):
    """Deleting an environment does not give back what it has sent."""
    for user, n in ((root, 2), (test, 3)):
        app = user.new_app()
        for _ in range(n):
            user.send(app)

    def today(of=tenant):
        return operator.expect(200, "GET", f"/tenant/{of['id']}")["messagesToday"]

    def usage(of):
        return operator.expect(200, "GET", f"/tenant/{of['id']}/usage", params={"days": 1})["data"][0]["messages"]

    wait_for(lambda: today() == 5, 20, "both are counted")
    assert usage(tenant) == 5 and usage(test_environment) == 3 and today(test_environment) == 5
    assert [t["messagesToday"] for t in operator.pages("/tenant", search=tenant["id"])] == [5]
    assert root.expect(200, "GET", "/tenant/usage", params={"days": 1})["data"][0]["messages"] == 5
    root.expect(202, "DELETE", f"/environment/{test_environment['id']}", params={"name": "test"})
    assert today() == 5
    wait_for(lambda: "hourly_stats" not in rows_of(node, test_environment), 30, "its counts are gone")
    assert today() == 5
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"messagesPerDay": 5}})
    again = new_environment(root)
    with node.api(again["apiKey"]) as new:
        app = new.new_app()
        refused = wait_for(lambda: (lambda a: a if a.status_code == 429 else None)(
            new.post(f"/app/{app['id']}/msg", json={"eventType": "a", "payload": {}})), 20, "no more today")
        assert refused.json()["code"] == "quota_exceeded"


def test_rates_are_those_of_all_environments_together(operator, tenant, root, test):
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"writesPerSecond": 1000}})

    def remaining(user):
        return int(user.post("/app", json={}, headers={"Connection": "close"}).headers.get("ratelimit-remaining", -1))

    wait_for(lambda: remaining(root) >= 0 and remaining(test) >= 0, 10, "the rate counts for both")
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"quotas": {"writesPerSecond": 3}})

    def both_take_of_the_same():
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: (root if n % 2 else test).post("/app", json={}), range(16)))
        return sum(a.status_code == 422 for a in answers) <= 6 and {a.status_code for a in answers} == {422, 429}

    wait_for(both_take_of_the_same, 30, "one rate for both")


def test_suspending_and_resuming_a_tenant_covers_its_environments(operator, tenant, root, test, test_environment, receiver):
    app = test.new_app()
    test.new_endpoint(app, receiver.url())
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"suspended": True})
    for user in (root, test):
        wait_for(lambda: statuses(user) == {403}, 10, "it may do nothing")
    assert operator.expect(200, "GET", f"/tenant/{test_environment['id']}")["state"] == "suspended"
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"suspended": False})
    for user in (root, test):
        wait_for(lambda: statuses(user) == {200}, 10, "it goes on")
    test.send(app)
    receiver.wait(1)
    for body in ({"suspended": True}, {"plan": "free"}, {"quotas": {}}):
        operator.expect(404, "PATCH", f"/tenant/{test_environment['id']}", json=body)
    assert operator.expect(200, "PATCH", f"/tenant/{test_environment['id']}", json={"name": "other"})["name"] == "other"
    operator.expect(404, "DELETE", f"/tenant/{test_environment['id']}")


def test_deleting_a_tenant_leaves_nothing_of_its_environments(node, operator, tenant, root, test, test_environment, receiver):
    for user in (root, test):
        app = user.new_app()
        user.new_endpoint(app, receiver.url())
        user.wait_attempts(app, user.send(app), 1)
        user.new_event_type()
    assert {"messages", "attempts", "applications", "endpoints", "event_types"} <= rows_of(node, test_environment).keys()
    operator.expect(202, "DELETE", f"/tenant/{tenant['id']}")
    for user in (root, test):
        wait_for(lambda: statuses(user) == {401}, 10, "its keys have ended")
    assert [t["state"] for t in operator.pages("/tenant", state="leaving", search=tenant["id"])] == ["leaving"]
    for one in (test_environment, tenant):
        with node.database.database() as rows:
            rows.execute("UPDATE tenants SET deleted_at = deleted_at - interval '1 minute' WHERE deleted_at IS NOT NULL")
        wait_for(lambda: not rows_of(node, one), 60, "it is gone")


def test_the_first_goes_last(node, operator, tenant, test_environment):
    """So that what still belongs to an environment always has a root."""
    operator.expect(202, "DELETE", f"/tenant/{tenant['id']}")
    with node.database.database() as rows:
        rows.execute("UPDATE tenants SET deleted_at = now() - interval '1 hour' WHERE id = %s", [to_uuid(tenant)])
        rows.execute("UPDATE tenants SET deleted_at = now() + interval '1 hour' WHERE id = %s", [to_uuid(test_environment)])
        rows.execute("SELECT purge_tenant(1000), purge_tenant(1000), purge_tenant(1000)")
        assert rows.execute("SELECT count(*) FROM tenants WHERE root_id = %s", [to_uuid(tenant)]).fetchone() == (2,)
        rows.execute("UPDATE tenants SET deleted_at = now() - interval '1 hour' WHERE id = %s", [to_uuid(test_environment)])
    wait_for(lambda: not rows_of(node, tenant) and not rows_of(node, test_environment), 60, "both are gone")


def test_the_operator_finds_tenants(operator):
    mark = unique("Find-Me")
    active, suspended = operator.new_tenant(name=f"A {mark} b"), operator.new_tenant(name=mark.upper())
    operator.expect(200, "PATCH", f"/tenant/{suspended['id']}", json={"suspended": True})

    def found(**more):
        return [t["id"] for t in operator.pages("/tenant", limit=1, **more)]

    assert found(search=mark.lower()) == [active["id"], suspended["id"]] == found(search=mark, order="descending")[::-1]
    assert found(search=mark, state="active") == [active["id"]]
    assert found(search=mark, state="suspended") == [suspended["id"]]
    assert found(search=mark, state="leaving") == [] == found(search=mark + "%") == found(search="_" * 3 + mark)
    assert found(search=active["id"]) == [active["id"]]
    operator.expect(202, "DELETE", f"/tenant/{active['id']}")
    assert found(search=mark) == [suspended["id"]] and found(search=mark, state="leaving") == [active["id"]]
    faults = operator.expect(422, "GET", "/tenant", params={"state": "gone"})["detail"]
    assert [f["loc"] for f in faults] == [["query", "state"]]


def test_environments_are_listed_under_their_root(node, operator, tenant, root, test_environment):
    (listed,) = operator.pages("/tenant", search=test_environment["id"])
    assert listed["id"] == listed["rootId"] == tenant["id"]
    assert listed["environments"] == [{"id": test_environment["id"], "name": "test"}]
    assert test_environment["id"] not in {t["id"] for t in operator.pages("/tenant")}
    environment = operator.expect(200, "GET", f"/tenant/{test_environment['id']}")
    assert environment["rootId"] == tenant["id"] and environment["environments"] == []
    line, = (t for t in json.loads(node.database.command_line("tenant", "list", "--json")) if t["id"] == tenant["id"])
    assert line["environments"] == listed["environments"]
    text = node.database.command_line("tenant", "list").splitlines()
    at = text.index(f"{tenant['id']}  {tenant['name']}")
    assert text[at + 1] == f"  {test_environment['id']}  test"
    key = json.loads(node.database.command_line("key", "create", "--tenant", test_environment["id"], "--json"))["key"]
    with node.api(key) as user:
        assert user.expect(200, "GET", "/auth/whoami")["envId"] == test_environment["id"]
