"""The walk of an instance with several tenants, over two nodes: what each credential may do, until when, and what is left of a tenant
at its end."""
import re
import time

import contract
import pytest
from client import unique
from history import to_uuid
from operators import TOKEN, Operator
from things import Things
from wait import SLOWNESS, wait_for

DOCUMENT = contract.load()
# All that a key which only sends may do, but for what is about the credential that asks.
SENDING = {("POST", "/api/v1/app/{app_id}/msg"), ("POST", "/api/v1/app/{app_id}/msg/batch"), ("POST", "/api/v1/msg/broadcast"),
           ("POST", "/api/v1/app/{app_id}/msg/precheck/active"), ("DELETE", "/api/v1/app/{app_id}/msg/{msg_id}/schedule")}
ABOUT_ITSELF = set(re.findall(r'^PH_ROUTE\((\w+), *"([^"]+)", *\w+, *SELF,', (contract.ROOT / "server/api/routes.def").read_text(), re.M))


def needs_a_tenant(operation):
    return DOCUMENT.operations[operation].get("security") not in ([], [{"operator": []}])


OPERATIONS = sorted(filter(needs_a_tenant, DOCUMENT.operations))


@pytest.fixture
def nodes(start_node):
    return [start_node(POSTHORN_OPERATOR_TOKEN=TOKEN, POSTHORN_RETRY_SCHEDULE="600") for _ in range(2)]


@pytest.fixture
def operator(nodes):
    with Operator(nodes[0].url, TOKEN) as one:
        yield one


class Tenant:
    def __init__(self, operator, node, name):
        self.mark = unique(name)
        self.made = operator.new_tenant(name=self.mark)
        self.id = self.made["id"]
        self.api = node.api(operator.new_key(self.made))


@pytest.fixture
def tenants(operator, nodes):
    made = [Tenant(operator, nodes[0], "first"), Tenant(operator, nodes[1], "second")]
    yield made
    for one in made:
        one.api.close()


def fresh(api, method, path, **more):
    """The status of a request on a connection of its own, which may come to any thread of the node."""
    return api.status(method, path, headers={"Connection": "close"}, **more)


def test_a_key_that_sends_can_do_nothing_else(tenants, nodes, receiver):
    tenant = tenants[0]
    things = Things(tenant.api, receiver.url(), tenant.mark)
    key = tenant.api.expect(201, "POST", "/api-key", json={"name": "sender", "scope": "send"})["key"]
    for node in nodes:
        with node.api(key) as sender:
            sender.send(things.of_kind("app_id"))
            for method, path in OPERATIONS:
                if (method, path) not in SENDING | ABOUT_ITSELF:
                    url = path.removeprefix("/api/v1").format(**things.parameters(path))
                    assert sender.status(method, url, json={}) == 403, (method, path)
    assert SENDING | ABOUT_ITSELF <= DOCUMENT.operations.keys()


def test_a_portal_link_ends_by_itself_and_within_a_second_on_all_nodes(tenants, nodes):
    tenant = tenants[0]
    app = tenant.api.new_app()

    def portals(**fields):
        token = tenant.api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json=fields)["token"]
        return [node.api(token) for node in nodes]

    path = f"/app/{app['id']}"
    brief = portals(expiry=2)
    assert {fresh(portal, "GET", path) for portal in brief} == {200}
    for portal in brief:
        wait_for(lambda: {fresh(portal, "GET", path) for _ in range(4)} == {401}, 10, "it is over")
    took = []
    for _ in range(3):
        open_ones = portals()
        assert {fresh(portal, "GET", path) for portal in open_ones for _ in range(4)} == {200}
        tenant.api.expect(204, "POST", f"/auth/app/{app['id']}/expire-all", json={})
        since = time.monotonic()
        for portal in open_ones:
            wait_for(lambda: {fresh(portal, "GET", path) for _ in range(4)} == {401}, 10, "it is revoked")
        took.append(time.monotonic() - since)
    assert min(took) < SLOWNESS, took


def everything(database):
    """{table: its rows as text} of the whole schema."""
    with database.database() as rows:
        rows.execute("RESET ROLE")
        rows.execute("SET row_security = off")
        tables = [t for (t,) in rows.execute("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'posthorn'::regnamespace"
                                             " AND c.relkind IN ('r', 'p') AND NOT c.relispartition")]
        assert len(tables) > 20
        return {t: [row for (row,) in rows.execute(f"SELECT x::text FROM {t} x")] for t in tables}


def mentions(database, tenants, marks):
    """{table: rows} that have an id of these tenants or one of the texts, in whatever column."""
    needles = [str(to_uuid(t)) for t in tenants] + [form for mark in marks for form in (mark, mark.encode().hex())]
    found = {t: [row for row in rows if any(n in row for n in needles)] for t, rows in everything(database).items()}
    return {t: rows for t, rows in found.items() if rows}


def add_people(database, mark, *tenants):
    """Somebody who is a member of these tenants, with all that a person can have."""
    with database.database() as rows:
        (user,) = rows.execute("INSERT INTO users (id, email, name) VALUES (uuid_now(), %s, %s) RETURNING id",
                               [f"{mark}@example.com", mark]).fetchone()
        rows.execute("INSERT INTO sessions (id, user_id, token_hash, pending, user_agent, expires_at)"
                     " VALUES (uuid_now(), %s, %s, false, %s, now() + interval '1 day')", [user, user.bytes, mark])
        rows.execute("INSERT INTO user_tokens (id, user_id, purpose, token_hash, email, expires_at)"
                     " VALUES (uuid_now(), %s, 'password-reset', %s, %s, now() + interval '1 day')", [user, user.bytes, mark])
        rows.execute("INSERT INTO user_identities (issuer, subject, user_id) VALUES ('https://idp.example', %s, %s)", [mark, user])
        for tenant in tenants:
            rows.execute("INSERT INTO members (tenant_id, user_id, role) VALUES (%s, %s, 'owner')", [to_uuid(tenant), user])
            rows.execute("INSERT INTO invitations (id, tenant_id, email, role, token_hash, expires_at)"
                         " VALUES (uuid_now(), %s, %s, 'viewer', %s, now() + interval '1 day')",
                         [to_uuid(tenant), f"{mark}@invited.example", unique("hash").encode()])


def test_nothing_is_left_of_a_deleted_tenant_in_any_table(tenants, operator, nodes, database, receiver):
    """Nor of its environments, nor of people who belong to no other tenant; and nothing of anybody else is missing."""
    gone, stays = tenants
    test = gone.api.expect(201, "POST", "/environment", json={"name": unique(gone.mark)})
    key = test.pop("apiKey")
    marks = [gone.mark, unique("alone"), unique("both")]
    with nodes[1].api(key) as environment:
        for api in (gone.api, environment):
            things = Things(api, receiver.url("/" + gone.mark), gone.mark)
            things.all()
            app = things.of_kind("app_id")
            api.send(app, {"of": gone.mark}, deliverInSeconds=3600)
            api.expect(200, "POST", f"/auth/app-portal-access/{app}", json={}, headers={"Idempotency-Key": unique(gone.mark)})
    add_people(database, marks[1], gone.id)
    add_people(database, marks[2], gone.id, stays.id)
    Things(stays.api, receiver.url("/" + stays.mark), stays.mark).all()
    ids = [e["id"] for e in gone.api.pages("/environment")]
    there = mentions(database, ids, marks)
    assert {"tenants", "messages", "attempts", "applications", "endpoints", "api_keys", "users", "sessions", "members", "invitations",
            "unmatched_messages", "kept_answers", "audit_log"} <= there.keys()
    untouched = mentions(database, [stays.id], [stays.mark])
    operator.expect(202, "DELETE", f"/tenant/{gone.id}")
    for node in nodes:
        for used in (gone.api.key, key):
            with node.api(used) as api:
                wait_for(lambda: {fresh(api, "GET", "/app") for _ in range(4)} == {401}, 10, "its keys have ended")

    def left():
        return mentions(database, ids, marks[:2])

    # What was under way is still stored, counts by the second; when that is over, the minute that is kept for it is made shorter.
    seen, since = None, time.monotonic()
    while seen is None or time.monotonic() < since + 5 * SLOWNESS:
        found = left()
        if found != seen:
            seen, since = found, time.monotonic()
        time.sleep(0.2)
    with database.database() as rows:
        rows.execute("UPDATE tenants SET deleted_at = deleted_at - interval '1 minute' WHERE deleted_at IS NOT NULL")
    wait_for(lambda: not left(), 60, "nothing is left")
    both = mentions(database, [], marks[2:])
    assert both.keys() == {"users", "sessions", "user_tokens", "user_identities", "invitations"}, "who belongs to another tenant stays"
    assert all(str(to_uuid(gone.id)) not in row for rows in both.values() for row in rows)
    # What waits comes and goes, and counts grow: of the rest no table has fewer rows.
    now = mentions(database, [stays.id], [stays.mark])
    fewer = {t: (len(rows), len(now.get(t, []))) for t, rows in untouched.items() if len(rows) > len(now.get(t, []))}
    assert not fewer.keys() - {"deliveries", "background_tasks", "endpoint_schedule", "schedule_arrivals", "unmatched_messages"}, fewer
    stays.api.expect(200, "GET", "/app")
