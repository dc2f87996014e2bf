"""What the operator sees of the instance: its nodes, and what it owes."""
from datetime import datetime, timezone

import pytest
from operators import TOKEN, Operator
from receiver import delay, status
from wait import wait_for

SETTINGS = {"POSTHORN_OPERATOR_TOKEN": TOKEN, "POSTHORN_RETRY_SCHEDULE": "600,600,600"}


@pytest.fixture
def node(start_node):
    return start_node(**SETTINGS)


@pytest.fixture
def operator(node):
    with Operator(node.url, TOKEN) as one:
        yield one


@pytest.fixture
def user(node):
    with node.api() as one:
        yield one


def nodes(operator):
    return {n["id"]: n for n in operator.expect(200, "GET", "/node")["data"]}


def queue(operator):
    return operator.expect(200, "GET", "/queue")


def wait_queue(operator, **expected):
    def as_expected():
        found = queue(operator)
        return {k: found[k] for k in expected} == expected
    wait_for(as_expected, 20, f"{expected}: {queue(operator)}")


def test_nodes_are_seen_alive_and_dead(operator, start_node):
    (first,) = nodes(operator)
    second = start_node(**SETTINGS)
    wait_for(lambda: len(nodes(operator)) == 2, 20, "the second node is there")
    (other,) = nodes(operator).keys() - {first}
    assert nodes(operator)[other]["name"].endswith(f":{second.pid}") and all(n["alive"] for n in nodes(operator).values())
    wait_for(lambda: all(n["reportedAt"] for n in nodes(operator).values()), 20, "both have told what they hold")
    second.kill()
    wait_for(lambda: not nodes(operator)[other]["alive"], 20, "the second is dead")
    assert nodes(operator)[first]["alive"]


def test_a_node_tells_what_it_holds(operator, user, receiver):
    (node,) = nodes(operator)
    receiver.default = delay(6)
    app = user.new_app()
    user.new_endpoint(app, receiver.url())
    for n in range(3):
        user.send(app, {"n": n})
    wait_for(lambda: nodes(operator)[node]["deliveriesInMemory"] == 3 and nodes(operator)[node]["payloadBytesInMemory"] > 0, 20, "it holds three")
    wait_for(lambda: nodes(operator)[node]["deliveriesInMemory"] == 0, 20, "it holds none")


def test_an_instance_without_anything_owes_nothing(operator):
    found = queue(operator)
    assert found["countedTo"] == 10000 and found["oldestDueAt"] is None
    assert not {k: v for k, v in found.items() if k not in ("countedTo", "deliveriesEstimate", "oldestDueAt") and v}


def test_what_waits_is_counted_by_why_it_waits(operator, user, receiver):
    receiver.default = status(500)
    app = user.new_app()
    user.new_endpoint(app, receiver.url())
    user.wait_attempts(app, user.send(app), 1)
    wait_queue(operator, deliveriesWaiting=1, deliveriesDue=0, endpointsDue=0, endpointsHeld=0, endpointsFailing=1)
    quiet = user.new_app()
    paused = user.new_endpoint(quiet, receiver.url(), paused=True)
    user.send(quiet)
    user.send(quiet)
    wait_queue(operator, deliveriesWaiting=3, endpointsHeld=1, endpointsPaused=1, endpointsBroken=0)
    user.send(app, deliverInSeconds=600)
    wait_queue(operator, messagesPlanned=1, messagesUnmatched=0)
    user.expect(200, "PATCH", f"/app/{quiet['id']}/endpoint/{paused['id']}", json={"paused": False})
    wait_queue(operator, endpointsHeld=0, endpointsPaused=0)


def test_an_open_breaker_is_seen(operator, node, user, receiver):
    receiver.default = status(500)
    app = user.new_app()
    user.new_endpoint(app, receiver.url())
    for _ in range(20):
        user.send(app)
    wait_for(lambda: queue(operator)["endpointsBroken"] == 1, 30, "it is held, because it fails")


def test_what_is_due_is_dated_when_no_node_takes_it(operator, node, user, receiver):
    app = user.new_app()
    user.new_endpoint(app, receiver.url(), paused=True)
    user.send(app)
    wait_queue(operator, endpointsPaused=1)
    with node.database.database() as rows:
        rows.execute("UPDATE deliveries SET next_at = now() - interval '1 hour'")
        rows.execute("UPDATE endpoint_schedule SET held_until = '-infinity', next_due_at = now() + interval '3 seconds'")
        with rows.transaction():
            rows.execute("SELECT FROM endpoint_schedule FOR UPDATE")  # claims pass it over
            wait_queue(operator, endpointsDue=1, deliveriesDue=1, endpointsHeld=0)
            age = datetime.now(timezone.utc) - datetime.fromisoformat(queue(operator)["oldestDueAt"])
            assert 3600 <= age.total_seconds() < 3700
    wait_queue(operator, endpointsDue=0, endpointsPaused=1)
    assert queue(operator)["oldestDueAt"] is None
