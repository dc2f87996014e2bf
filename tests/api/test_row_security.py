"""Row-level security holds when a statement does not say whose rows it means.

Every statement that the interface's role may run is robbed of its conditions on the tenant. Then its plan still has the policy
on every table of a tenant; and run by a stranger, with what belongs to the victim in place of its parameters, it shows and
changes nothing of the victim. That the same statements do show it to a role which may see everything is the control."""
import re

import psycopg
import pytest
from client import unique
from statements import statements
from things import Things

CONDITION = re.compile(r"(?:\b\w+\.)?\btenant_id = (?:(\$\d+)(?:::uuid)?|current_tenant\(\)|\w+\.tenant_id)")
POLICY = "current_setting('posthorn.tenant_id'"
NIL, LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


def without_tenant():
    for _, name, text in statements():
        text = re.sub(r"^\s*--.*$", "", text, flags=re.M)
        yield name, CONDITION.sub(lambda m: f"({m[1]}::uuid IS NULL OR true)" if m[1] else "true", text)


class Case:
    def __init__(self, connection, name, text):
        self.name, self.text = name, text
        done = connection.pgconn.prepare(name.encode(), text.encode())
        assert done.status == psycopg.pq.ExecStatus.COMMAND_OK, f"{name}: {done.error_message.decode()}\n{text}"
        (self.types,) = connection.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [name]).fetchone()

    def call(self, values):
        return f"EXECUTE {self.name}" + (f"({', '.join(values)})" if values else "")


@pytest.fixture(scope="module")
def stage(server):
    """A connection, the ids of the victim and of the stranger, and the statements that the interface's role may run."""
    sides = []
    for name in ("victim", "stranger"):
        mark = unique(name)
        _, key = server.new_tenant(mark)
        with server.api(key) as api:
            things = Things(api, "http://127.0.0.1:9/", mark)
            for kind in ("app_id", "endpoint_id", "event_type_name", "key_id", "sink_id", "operational_endpoint_id"):
                things.of_kind(kind)
            api.expect(202, "POST", f"/app/{things.of_kind('app_id')}/msg", json={"eventType": "a", "payload": {"of": mark}})
        sides.append(mark)
    with server.database() as connection:
        connection.prepare_threshold = None  # else psycopg drops what was prepared after an error
        connection.execute("SET search_path = posthorn; SET plan_cache_mode = force_generic_plan")
        victim, stranger = (connection.execute("SELECT id::text FROM tenants WHERE name = %s", [mark]).fetchone()[0] for mark in sides)
        cases = []
        for name, text in without_tenant():
            case = Case(connection, name, text)
            if may(connection, case):
                cases.append(case)
        yield connection, victim, stranger, sides[0], cases


def may(connection, case):
    connection.execute("SET ROLE posthorn_api")
    try:
        connection.execute("EXPLAIN " + case.call(["NULL"] * len(case.types)))
        return True
    except psycopg.Error:
        return False
    finally:
        connection.execute("SET ROLE posthorn_engine")


def scans(node, checked=False):
    """(scan, whether the policy is a condition of it, or of what it is only run for)"""
    checked = checked or POLICY in node.get("One-Time Filter", "")
    if "Relation Name" in node:
        yield node, checked or any(POLICY in value for value in node.values() if isinstance(value, str))
    for child in node.get("Plans", []):
        yield from scans(child, checked)


def test_the_policy_is_in_every_plan(stage):
    connection, _, stranger, _, cases = stage
    owned = {row[0] for row in connection.execute(
        "SELECT c.relname FROM pg_class c WHERE relnamespace = 'posthorn'::regnamespace AND (c.relname = 'tenants' OR EXISTS"
        " (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))")}
    assert len(cases) > 60, len(cases)
    connection.execute("SET ROLE posthorn_api")
    connection.execute("SELECT set_config('posthorn.tenant_id', %s, false)", [stranger])
    seen, unchecked = 0, []
    for case in cases:
        plan = connection.execute("EXPLAIN (FORMAT JSON, VERBOSE) " + case.call(["NULL"] * len(case.types))).fetchone()[0][0]["Plan"]
        for scan, checked in scans(plan):
            if scan["Relation Name"] in owned and scan["Node Type"] != "ModifyTable":
                seen += 1
                unchecked += [] if checked else [(case.name, scan)]
    connection.execute("SET ROLE posthorn_engine")
    assert not unchecked, unchecked
    assert seen > 100, seen


def victims(connection, victim):
    """Values of the victim: {kind: (uuid, text)}."""
    one = lambda query: connection.execute(query, [victim]).fetchone()  # noqa: E731
    app = one("SELECT id::text, uid FROM applications WHERE tenant_id = %s AND NOT internal ORDER BY id LIMIT 1")
    endpoint = one("SELECT id::text, uid FROM endpoints WHERE tenant_id = %s ORDER BY id LIMIT 1")
    return {
        "application": app, "endpoint": endpoint, "tenant": (victim, app[1]),
        "message": one("SELECT id::text, 'a' FROM messages WHERE tenant_id = %s"),
        "key": one("SELECT id::text, name FROM api_keys WHERE tenant_id = %s LIMIT 1"),
        "event type": one("SELECT id::text, name FROM event_types WHERE tenant_id = %s LIMIT 1"),
        "from the start": (NIL, endpoint[1]), "from the end": (LAST, None),
    }


def literals(types, victim, app, own, text):
    """Arguments: the victim's tenant, its application, then values of one kind."""
    values, uuids = [], 0
    for kind in types:
        if kind == "uuid":
            values.append(f"'{(victim, app, own)[min(uuids, 2)]}'")
            uuids += 1
        elif kind == "text":
            values.append(f"'{text}'" if text else "NULL")
        elif kind in ("integer", "bigint", "smallint"):
            values.append("100")
        elif kind == "boolean":
            values.append("true")
        elif kind == "timestamp with time zone":
            values.append("now()")
        else:
            values.append("NULL")
    return values


def ways(connection, victim):
    known = victims(connection, victim)
    app = known["application"][0]
    for own, text in known.values():
        for first in {app, own}:
            yield first, own, text
    yield NIL, LAST, None
    yield app, NIL, None


def answers(connection, case, arguments, role, tenant, victim):
    """What it says, and the sum of the victim's rows behind it unless it only reads; undone at once. Nothing when it is refused."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL ROLE {role}")
            connection.execute("SELECT set_config('posthorn.tenant_id', %s, true)", [tenant])
            result = connection.execute(case.call(arguments))
            rows = str(result.fetchall()) if result.description else ""
            connection.execute("SET ROLE posthorn_engine")
            return rows, checksum(connection, victim) if CHANGES.search(case.text) else None
    except psycopg.Error:
        return "", None


CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
TABLES = "applications", "endpoints", "event_types", "api_keys", "portal_tokens", "background_tasks", "endpoint_secrets", "poller_tokens"


def checksum(connection, tenant):
    """Of the tenant's rows. When a key was used last is noted behind the test's back."""
    rows = " UNION ALL ".join(f"SELECT md5((to_jsonb(x) - 'last_used_at')::text) AS m FROM {table} x WHERE tenant_id = %(tenant)s" for table in TABLES)
    rows += " UNION ALL SELECT md5(to_jsonb(x)::text) FROM tenants x WHERE id = %(tenant)s"
    return connection.execute(f"SELECT md5(string_agg(m, '' ORDER BY m)) FROM ({rows}) a", {"tenant": tenant}).fetchone()[0]


def test_a_stranger_gets_and_changes_nothing(stage):
    connection, victim, stranger, mark, cases = stage
    connection.autocommit = True
    secrets = {mark, *(value for value, _ in victims(connection, victim).values())} - {NIL, LAST}
    before, shown = checksum(connection, victim), set()
    for case in cases:
        for app, own, text in ways(connection, victim):
            arguments = literals(case.types, victim, app, own, text)
            given = " ".join(arguments)
            found, after = answers(connection, case, arguments, "posthorn_api", stranger, victim)
            leaked = [secret for secret in secrets if secret in found and secret not in given]
            assert not leaked, (case.name, arguments, found[:500])
            assert after is None or after == before, (case.name, arguments)
            if case.name not in shown:
                found, after = answers(connection, case, arguments, "posthorn_engine", stranger, victim)
                if any(secret in found and secret not in given for secret in secrets) or (after and after != before):
                    shown.add(case.name)
    assert len(shown) > 15, sorted(shown)


# What runs with more rights than whoever calls it, and may be called by the interface's role. None shows anything: events are
# of the caller's own tenant, announce() names ids, and queue_mail() puts a mail that the caller has made into the queue.
CALLABLE = {"announce", "emit_attempt_event", "emit_endpoint_event", "emit_operational", "queue_mail"}


def test_functions_with_more_rights_are_few_and_closed(server):
    with server.database() as connection:
        functions = connection.execute(
            "SELECT proname, proconfig, has_function_privilege('posthorn_api', oid, 'EXECUTE'), EXISTS (SELECT FROM"
            " aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE a.grantee = 0) FROM pg_proc"
            " WHERE pronamespace = 'posthorn'::regnamespace AND prosecdef").fetchall()
        views = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'posthorn'::regnamespace AND relkind IN ('v', 'm')").fetchall()
    assert len(functions) > 10 and views == []
    for name, settings, _, public in functions:
        assert "search_path=posthorn, pg_temp" in settings, f"{name}: a caller's search_path would choose what it calls"
        assert not public, f"{name}: everybody may call it"
    assert {name for name, _, callable_, _ in functions if callable_} == CALLABLE


def test_no_event_is_sent_in_the_name_of_another_tenant(stage):
    connection, victim, stranger, _, _ = stage
    for call in ("emit_operational(%s, 'endpoint.created', '{}')", "emit_endpoint_event(%s, gen_random_uuid(), gen_random_uuid(), 'x', 'endpoint.created')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SET LOCAL ROLE posthorn_api")
            connection.execute("SELECT set_config('posthorn.tenant_id', %s, true)", [stranger])
            connection.execute(f"SELECT {call}", [victim])
