"""What one tenant may take of a node's memory."""
import time

from invariants import uuid_of
from receiver import delay
from wait import SLOWNESS, wait_for

LIMIT = 2000


def store_backlog(node, app, count):
    """So many messages for every endpoint of the application, waiting in the database."""
    with node.database.database() as rows:
        rows.execute("""
            WITH made AS (
                INSERT INTO messages (application_id, id, tenant_id, event_type, payload)
                SELECT %(app)s, uuid_now(), %(tenant)s, 'test.happened', '{}' FROM generate_series(1, %(count)s)
                RETURNING id
            ), owed AS (
                INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)
                SELECT e.id, made.id, %(tenant)s, %(app)s, now() FROM made, endpoints e WHERE e.application_id = %(app)s
            )
            INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at)
            SELECT id, %(tenant)s, now() FROM endpoints WHERE application_id = %(app)s
            """, {"app": uuid_of(app["id"]), "tenant": uuid_of(node.tenant_id), "count": count})


def in_memory(node):
    return node.metrics()["posthorn_deliveries_in_memory"]


def test_many_slow_endpoints_of_one_tenant_leave_half_the_memory_to_others(start_node, new_receiver):
    node = start_node(POSTHORN_MEMORY_DELIVERIES=LIMIT, POSTHORN_STOP_TIMEOUT_MS=200)
    slow, healthy = new_receiver(), new_receiver()
    slow.default = delay(0.5)
    with node.api() as api, node.api(node.database.new_tenant("other")[1]) as other:
        app, other_app = api.new_app(), other.new_app()
        other.new_endpoint(other_app, healthy.url())
        for i in range(200):  # each may have far less than the tenant
            api.new_endpoint(app, slow.url(f"/{i}"))
        store_backlog(node, app, 100)
        wait_for(lambda: in_memory(node) > LIMIT / 3, 10 * SLOWNESS, "the tenant takes its share")
        most, end = 0, time.monotonic() + 2
        sent = 0
        while time.monotonic() < end:
            other.send(other_app)
            sent += 1
            healthy.wait(sent)
            most = max(most, in_memory(node))
    assert most < LIMIT * 0.6
