"""Plans: quotas by name, as the operator makes them."""
import json

import pytest
from client import unique
from operators import TOKEN, Operator
from server import Node
from wait import wait_for


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


def plans(operator):
    return {p["name"]: p for p in operator.expect(200, "GET", "/plan")["data"]}


def test_the_life_of_a_plan(operator):
    name = unique("plan")
    made = operator.expect(201, "PUT", f"/plan/{name}", json={"quotas": {"messagesPerDay": 5}})
    assert made == {"name": name, "quotas": {"messagesPerDay": 5}, "tenants": 0}
    assert plans(operator)[name] == made == operator.expect(200, "GET", f"/plan/{name}")
    tenant = operator.new_tenant(plan=name)
    assert tenant["effectiveQuotas"] == {"messagesPerDay": 5}
    changed = operator.expect(200, "PUT", f"/plan/{name}", json={"quotas": {"endpoints": 7}})
    assert changed == {"name": name, "quotas": {"endpoints": 7}, "tenants": 1}
    assert operator.expect(200, "GET", f"/tenant/{tenant['id']}")["effectiveQuotas"] == {"endpoints": 7}
    assert operator.expect(409, "DELETE", f"/plan/{name}")["detail"] == "There are tenants of this plan."
    operator.expect(200, "PATCH", f"/tenant/{tenant['id']}", json={"plan": None})
    operator.expect(204, "DELETE", f"/plan/{name}")
    assert name not in plans(operator)
    for method in ("GET", "DELETE"):
        operator.expect(404, method, f"/plan/{name}")


def test_a_change_counts_at_once_for_all_tenants_of_the_plan(operator, node):
    """On a node that remembers their keys for half a minute."""
    name = unique("plan")
    operator.expect(201, "PUT", f"/plan/{name}", json={"quotas": {}})
    users = [node.api(operator.new_key(operator.new_tenant(plan=name))) for _ in range(3)]
    assert {user.get("/app").headers.get("ratelimit-limit") for user in users} == {None}
    operator.expect(200, "PUT", f"/plan/{name}", json={"quotas": {"readsPerSecond": 77}})
    for user in users:
        wait_for(lambda: user.get("/app").headers.get("ratelimit-limit") == "77", 10, "the plan's new quota counts")
        user.close()


def test_a_plan_can_go_when_its_last_tenant_is_deleted(operator):
    name = unique("plan")
    operator.expect(201, "PUT", f"/plan/{name}", json={"quotas": {}})
    operator.expect(202, "DELETE", f"/tenant/{operator.new_tenant(plan=name)['id']}")
    operator.expect(204, "DELETE", f"/plan/{name}")


@pytest.mark.parametrize("quotas", [None, [], "x", {"apps": 1}, {"endpoints": -1}, {"endpoints": "1"}, {"endpoints": 1.5}, {"endpoints": 10**12 + 1},
                                    {"endpoints": None}, {"x" * 100000: 1}])
def test_quotas_are_held_against_the_same_table_as_those_of_a_tenant(operator, quotas):
    of_plan = operator.expect(422, "PUT", f"/plan/{unique('plan')}", json={"quotas": quotas})["detail"]
    of_tenant = operator.expect(422, "POST", "/tenant", json={"name": "x", "quotas": quotas})["detail"]
    assert of_plan == of_tenant and [f["loc"] for f in of_plan] == [["body", "quotas"]]


@pytest.mark.parametrize("name", ["a b", "x" * 65, "ü", "a/b", "%20"])
def test_a_name_that_is_none_is_refused(operator, name):
    from urllib.parse import quote
    faults = operator.expect(422, "PUT", f"/plan/{quote(name, safe='')}", json={"quotas": {}})["detail"]
    assert [f["loc"] for f in faults] == [["path", "plan_name"]]
    operator.expect(404, "GET", f"/plan/{quote(name, safe='')}")


def test_by_the_command_line(operator, node):
    run, name = node.database.command_line, unique("plan")
    run("plan", "put", "--name", name, "--quotas", '{"applications": 3}')
    listed = {p["name"]: p for p in json.loads(run("plan", "list", "--json"))}
    assert listed[name] == plans(operator)[name] and f'{name}  {{"applications": 3}}' in run("plan", "list")
    tenant = json.loads(run("tenant", "create", "--name", "x", "--plan", name, "--json"))["id"]
    assert operator.expect(200, "GET", f"/tenant/{tenant}")["plan"] == name
    with pytest.raises(AssertionError, match="there are tenants of this plan"):
        run("plan", "delete", "--name", name)
    run("tenant", "plan", "--tenant", tenant, "--plan", "free")
    assert operator.expect(200, "GET", f"/tenant/{tenant}")["plan"] == "free"
    run("tenant", "plan", "--tenant", tenant, "--plan", "none")
    assert operator.expect(200, "GET", f"/tenant/{tenant}")["plan"] is None
    run("plan", "delete", "--name", name)
    for wrong, message in ((("plan", "put", "--name", "a b", "--quotas", "{}"), "a name is 1 to 64"),
                           (("plan", "put", "--name", name, "--quotas", "[]"), "--quotas is a JSON object"),
                           (("plan", "put", "--name", name, "--quotas", '{"apps": 1}'), "apps is no quota"),
                           (("plan", "delete", "--name", name), "there is no such plan"),
                           (("tenant", "create", "--name", "x", "--plan", name), "there is no such plan"),
                           (("tenant", "plan", "--tenant", tenant, "--plan", name), "there is no such plan")):
        with pytest.raises(AssertionError, match=message):
            run(*wrong)
