"""What the tables of a healthy installation always say, and how a test waits until nothing is owed any more.

    check(node)                       at any moment
    check_drained(node, accepted)     when every delivery is done; accepted: wire ids of messages answered 202
    wait_drained(node)                until then

`node` is a Dev, a Node, or a Database.
"""
import uuid

from wait import wait_for

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Rows of these are faults, whatever the moment: each statement sees one snapshot.
ALWAYS = {
    "an attempt without its message":
        "SELECT a.message_id, a.id FROM attempts a WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = a.message_id)",
    "a delivery without its message":
        "SELECT d.endpoint_id, d.message_id FROM deliveries d"
        " WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = d.message_id AND m.application_id = d.application_id)",
    "a delivery that neither waits nor is a node's":
        "SELECT endpoint_id, message_id FROM deliveries WHERE (node_id IS NULL) <> (next_at IS NOT NULL)",
    "a delivery of a node that is not there":
        "SELECT d.endpoint_id, d.message_id, d.node_id FROM deliveries d"
        " WHERE d.node_id IS NOT NULL AND NOT EXISTS (SELECT FROM nodes n WHERE n.id = d.node_id)",
    "a waiting delivery that no schedule row will serve in time":
        "SELECT d.endpoint_id, d.message_id, d.next_at, s.next_due_at FROM deliveries d"
        " LEFT JOIN endpoint_schedule s ON s.endpoint_id = d.endpoint_id"
        " WHERE d.node_id IS NULL AND (s.endpoint_id IS NULL OR s.next_due_at > greatest(d.next_at, clock_timestamp()))"
        " AND NOT EXISTS (SELECT FROM schedule_arrivals a WHERE a.endpoint_id = d.endpoint_id)",
    "an endpoint that is enabled and held for ever":
        "SELECT s.endpoint_id FROM endpoint_schedule s JOIN endpoints e ON e.id = s.endpoint_id"
        " WHERE s.held_until = 'infinity' AND s.busy_node IS NULL AND NOT e.disabled",
    "an endpoint that is busy at a node that is not there":
        "SELECT s.endpoint_id FROM endpoint_schedule s WHERE s.busy_node IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM nodes n WHERE n.id = s.busy_node)",
    "a row under another tenant than its message":
        "SELECT m.id FROM messages m JOIN attempts a ON a.message_id = m.id WHERE a.tenant_id <> m.tenant_id"
        " UNION ALL SELECT m.id FROM messages m JOIN deliveries d ON d.message_id = m.id WHERE d.tenant_id <> m.tenant_id"
        " UNION ALL SELECT m.id FROM messages m JOIN applications a ON a.id = m.application_id"
        " WHERE a.tenant_id <> m.tenant_id",
    "a message at an endpoint of another application":
        "SELECT a.id FROM attempts a JOIN messages m ON m.id = a.message_id JOIN endpoints e ON e.id = a.endpoint_id"
        " WHERE e.application_id <> m.application_id",
    "an event id or idempotency key without its message":
        "SELECT u.message_id FROM message_uids u WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = u.message_id)"
        " UNION ALL SELECT k.message_id FROM idempotency_keys k"
        " WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = k.message_id)",
    "an endpoint whose counts are not those of its attempts":
        "SELECT endpoint_id, s.success, a.success, s.failure, a.failure FROM"
        " (SELECT endpoint_id, sum(success) AS success, sum(failure) AS failure FROM delivery_stats GROUP BY 1) s"
        " FULL JOIN (SELECT endpoint_id, count(*) FILTER (WHERE status = 0) AS success,"
        "                   count(*) FILTER (WHERE status = 2) AS failure FROM attempts GROUP BY 1) a USING (endpoint_id)"
        " WHERE (s.success, s.failure) IS DISTINCT FROM (a.success::numeric, a.failure::numeric)",
    "an attempt that is no success by its code, or the other way round":
        "SELECT id, status, status_code FROM attempts WHERE (status = 0) <> (status_code BETWEEN 200 AND 299)",
}

# And of these when nothing is owed.
DRAINED = {
    "a message whose endpoints are not decided, though it is due":
        "SELECT message_id, due_at FROM unmatched_messages WHERE due_at < clock_timestamp()",
    "a delivery": "SELECT endpoint_id, message_id, node_id, next_at, attempts FROM deliveries",
    "a schedule row of an endpoint that waits for nothing": # that of a throttled one stays for a while, for what its bucket holds
        "SELECT endpoint_id, next_due_at::text FROM endpoint_schedule"
        " WHERE next_due_at < 'infinity' OR busy_node IS NOT NULL OR refilled_at IS NULL",
}


def uuid_of(wire_id):
    """The key of a row by its id on the wire."""
    number = 0
    for character in wire_id.rpartition("_")[2]:
        number = number * 62 + BASE62.index(character)
    return uuid.UUID(int=number)


def _open(node):
    where = node.database
    return where() if callable(where) else where.database()


def _faults(database, statements):
    found = []
    for what, statement in statements.items():
        # Partitions and RLS make the planner's row counts wild guesses; ten examples are enough.
        rows = database.execute(f"SELECT * FROM ({statement}) q LIMIT 10").fetchall()
        if rows:
            found.append(f"{what}: {rows}")
    return found


def check(node):
    with _open(node) as database:
        found = _faults(database, ALWAYS)
    assert not found, "\n".join(found)


def owed(node, app=None):
    """How many deliveries are not done (of an application)."""
    with _open(node) as database:
        return _owed(database, app)


def _owed(database, app):
    return database.execute("SELECT count(*) FROM deliveries WHERE %s::uuid IS NULL OR application_id = %s",
                            [app and uuid_of(app)] * 2).fetchone()[0]


def wait_drained(node, app=None, timeout=30.0):
    with _open(node) as database:
        wait_for(lambda: _owed(database, app) == 0, timeout, "no delivery is owed any more")


def check_drained(node, accepted=()):
    """Every accepted message is there and each of its endpoints has taken it or has been given up."""
    # A schedule row may outlive its last delivery until the dispatcher looks at it again.
    with _open(node) as database:
        wait_for(lambda: not _faults(database, DRAINED), 10.0, "nothing is owed and no schedule row is left")
    check(node)
    with _open(node) as database:
        stored = {row[0] for row in database.execute("SELECT id FROM messages")}
        missing = {uuid_of(wire_id) for wire_id in accepted} - stored
        assert not missing, f"{len(missing)} messages were answered 202 and are not stored, e.g. {sorted(missing)[:3]}"
