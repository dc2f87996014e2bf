"""An endpoint that changes between one message and the next, and while deliveries wait for it."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from invariants import check_drained, owed, wait_drained
from receiver import delay, ok, status
from wait import SLOWNESS, wait_for


@pytest.fixture
def q(quick):
    with quick.api() as client:
        yield client


@pytest.fixture
def hook(q):
    """A fresh application of `quick`."""
    return q.new_app()


def path_of(app, endpoint):
    return f"/app/{app['id']}/endpoint/{endpoint['id']}"


def test_next_message_goes_to_the_new_url(q, hook, receiver):
    """Every time, on whichever thread the request is: an acknowledged change is obeyed."""
    endpoint = q.new_endpoint(hook, receiver.url("/0"))
    for n in range(40):
        q.expect(200, "PATCH", path_of(hook, endpoint), json={"url": receiver.url(f"/{n}")})
        message = q.send(hook)
        assert [r.header("webhook-id") for r in receiver.wait(1, f"/{n}")] == [message["id"]]
    assert len(receiver.got()) == 40


def test_waiting_retry_goes_to_the_new_url(quick, q, hook, receiver):
    receiver.script("/old", status(500))
    endpoint = q.new_endpoint(hook, receiver.url("/old"))
    message = q.send(hook)
    q.wait_attempts(hook, message, 1)
    q.expect(200, "PATCH", path_of(hook, endpoint), json={"url": receiver.url("/new")})
    wait_drained(quick, hook["id"])
    assert [r.path for r in receiver.got()] == ["/old", "/new"]
    assert [a["url"] for a in q.attempts(hook, message)] == [receiver.url("/new"), receiver.url("/old")]


def test_new_headers_are_sent_with_the_next_message(q, hook, receiver):
    endpoint = q.new_endpoint(hook, receiver.url())
    for n in range(10):
        q.expect(204, "PUT", path_of(hook, endpoint) + "/headers", json={"headers": {"X-Number": str(n)}})
        q.send(hook)
        assert receiver.wait(n + 1)[n].header("x-number") == str(n)


def test_new_filter_is_obeyed_by_the_next_message(quick, q, hook, receiver):
    for name in ("change.a", "change.b"):
        q.new_event_type(name)
    endpoint = q.new_endpoint(hook, receiver.url(), eventTypes=["change.a"])
    for n in range(10):
        wanted, other = ("change.a", "change.b") if n % 2 == 0 else ("change.b", "change.a")
        q.expect(200, "PATCH", path_of(hook, endpoint), json={"eventTypes": [wanted]})
        q.send(hook, {"n": n}, other)
        q.send(hook, {"n": n}, wanted)
    wait_drained(quick, hook["id"])
    assert sorted(r.body for r in receiver.got()) == sorted(b'{"n":%d}' % n for n in range(10))


def test_new_payload_filter_is_obeyed_by_the_next_message(quick, q, hook, receiver):
    endpoint = q.new_endpoint(hook, receiver.url())
    for n in range(10):
        q.expect(200, "PATCH", path_of(hook, endpoint), json={"filter": {"path": "n", "op": "eq", "value": n}})
        q.send(hook, {"n": n - 1})
        q.send(hook, {"n": n})
    wait_drained(quick, hook["id"])
    assert sorted(r.body for r in receiver.got()) == sorted(b'{"n":%d}' % n for n in range(10))


def test_rotated_secret_signs_first_and_the_old_one_along(quick, q, hook, receiver, signature):
    endpoint = q.new_endpoint(hook, receiver.url())
    receiver.script("/hook", status(500))
    secrets = [q.secret(hook, endpoint)]
    waiting = q.send(hook)
    q.wait_attempts(hook, waiting, 1)
    for _ in range(2):
        q.expect(200, "POST", path_of(hook, endpoint) + "/secret/rotate", json={})
        secrets.insert(0, q.secret(hook, endpoint))
    assert len(set(secrets)) == 3
    message = q.send(hook)
    wait_drained(quick, hook["id"])
    first, *others = receiver.got()
    assert first.header("webhook-signature").split(" ") == [signature(secrets[-1], first)]
    assert {r.header("webhook-id") for r in others} == {waiting["id"], message["id"]}
    for request in others:
        assert request.header("webhook-signature").split(" ") == [signature(s, request) for s in secrets]


def test_old_secret_ends_with_its_grace_period(q, hook, receiver, signature):
    endpoint = q.new_endpoint(hook, receiver.url())
    old = q.secret(hook, endpoint)
    q.expect(200, "POST", path_of(hook, endpoint) + "/secret/rotate", json={"gracePeriodSeconds": 1})
    middle = q.secret(hook, endpoint)
    q.send(hook)
    request = receiver.wait()[0]
    assert request.header("webhook-signature").split(" ") == [signature(middle, request), signature(old, request)]
    time.sleep(1.1)
    q.send(hook)
    request = receiver.wait(2)[1]
    assert request.header("webhook-signature") == signature(middle, request)
    q.expect(200, "POST", path_of(hook, endpoint) + "/secret/rotate", json={"gracePeriodSeconds": 0})
    q.send(hook)
    request = receiver.wait(3)[2]
    assert request.header("webhook-signature") == signature(q.secret(hook, endpoint), request)


def test_disabled_endpoint_gets_no_new_message(quick, q, hook, receiver):
    endpoint = q.new_endpoint(hook, receiver.url())
    for n in range(10):
        q.expect(200, "PATCH", path_of(hook, endpoint), json={"disabled": True})
        q.send(hook, {"n": "not this"})
        q.expect(200, "PATCH", path_of(hook, endpoint), json={"disabled": False})
        q.send(hook, {"n": n})
    wait_drained(quick, hook["id"])
    assert sorted(r.body for r in receiver.got()) == [b'{"n":%d}' % n for n in range(10)]


def test_disabling_holds_what_waits_and_enabling_releases_it(quick, q, hook, receiver):
    """PUT, as a dashboard does it. Nothing is sent meanwhile, whatever was due."""
    receiver.default = status(500)
    endpoint = q.new_endpoint(hook, receiver.url())
    messages = {q.send(hook, {"n": n})["id"] for n in range(20)}
    receiver.wait(20)
    fields = {"url": receiver.url(), "description": "", "disabled": True}
    q.expect(200, "PUT", path_of(hook, endpoint), json=fields)
    receiver.default = ok()
    wait_for(lambda: quick.metrics()["posthorn_deliveries_in_memory"] == 0)
    sent = len(receiver.got())
    time.sleep(1.5)
    assert len(receiver.got()) == sent
    assert owed(quick, hook["id"]) == 20
    q.expect(200, "PUT", path_of(hook, endpoint), json={**fields, "disabled": False})
    wait_drained(quick, hook["id"])
    assert {r.header("webhook-id") for r in receiver.got()[20:]} == messages
    assert len(receiver.got()) == 40


def test_disabling_holds_what_is_queued_in_memory(start_node, receiver):
    node = start_node(POSTHORN_ENDPOINT_CONCURRENCY=1)
    receiver.default = delay(0.2)
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        messages = [api.send(app, {"n": n})["id"] for n in range(30)]
        receiver.wait(1)
        api.expect(200, "PATCH", path_of(app, endpoint), json={"disabled": True})
        wait_for(lambda: node.metrics()["posthorn_deliveries_in_memory"] == 0)
        done = len(receiver.got())
        assert done <= 5 * SLOWNESS and owed(node) == 30 - done
        receiver.default = ok()
        api.expect(200, "PATCH", path_of(app, endpoint), json={"disabled": False})
        wait_drained(node)
    assert sorted(r.header("webhook-id") for r in receiver.got()) == sorted(messages)
    check_drained(node, messages)


def test_release_that_overtakes_the_hold_strands_nothing(start_node, receiver):
    """The hold of a disabled endpoint is still on its way to the database when the endpoint is enabled again."""
    node = start_node(POSTHORN_ENDPOINT_CONCURRENCY=1)
    receiver.default = delay(0.3)
    with node.api() as api, node.database.database() as database, ThreadPoolExecutor(1) as pool:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        messages = [api.send(app, {"n": n})["id"] for n in range(5)]
        receiver.wait(1)
        with database.transaction():
            database.execute("SELECT FROM deliveries FOR UPDATE")
            api.expect(200, "PATCH", path_of(app, endpoint), json={"disabled": True})
            wait_for(lambda: database.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall(), what="the hold waits")
            enabling = pool.submit(api.expect, 200, "PATCH", path_of(app, endpoint), json={"disabled": False})
            time.sleep(0.5)  # time for the release, unless the hold keeps the change waiting
        enabling.result(10)
        wait_drained(node, timeout=10)
    assert sorted(r.header("webhook-id") for r in receiver.got()) == sorted(messages)
    check_drained(node, messages)


@pytest.mark.parametrize("what", ["endpoint", "application"])
def test_what_waits_for_a_disabled_endpoint_ends_with_it(quick, q, hook, receiver, what):
    receiver.default = status(500)
    endpoint = q.new_endpoint(hook, receiver.url())
    for n in range(5):
        q.send(hook, {"n": n})
    receiver.wait(5)
    q.expect(200, "PATCH", path_of(hook, endpoint), json={"disabled": True})
    time.sleep(1.5)
    assert owed(quick, hook["id"]) == 5
    q.expect(204, "DELETE", path_of(hook, endpoint) if what == "endpoint" else f"/app/{hook['id']}")
    wait_drained(quick, hook["id"], timeout=10)
    assert len(receiver.got()) == 5


def test_deleted_endpoint_gets_nothing_more(quick, q, hook, receiver):
    receiver.default = status(500)
    endpoint, kept = q.new_endpoint(hook, receiver.url("/gone")), q.new_endpoint(hook, receiver.url("/kept"))
    waiting = [q.send(hook, {"n": n}) for n in range(10)]
    receiver.wait(20)
    q.expect(204, "DELETE", path_of(hook, endpoint))
    receiver.default = ok()
    q.send(hook)
    wait_drained(quick, hook["id"])
    assert len(receiver.got("/gone")) == 10, "one attempt each, before it went"
    assert len(receiver.got("/kept")) == 21
    for message in waiting:
        assert {a["endpointId"] for a in q.attempts(hook, message)} >= {kept["id"]}


def test_deleted_application_gets_nothing_more(quick, q, hook, receiver):
    receiver.default = status(500)
    q.new_endpoint(hook, receiver.url())
    for n in range(10):
        q.send(hook, {"n": n})
    receiver.wait(10)
    q.expect(204, "DELETE", f"/app/{hook['id']}")
    q.expect(404, "POST", f"/app/{hook['id']}/msg", json={"eventType": "a", "payload": {}})
    wait_drained(quick, hook["id"])
    assert len(receiver.got()) == 10


def test_a_new_endpoint_gets_the_next_message(q, hook, receiver):
    for n in range(15):
        q.new_endpoint(hook, receiver.url(f"/{n}"))
        message = q.send(hook)
        assert message["id"] in [r.header("webhook-id") for r in receiver.wait(1, f"/{n}")]


def test_everything_of_these_tests_left_the_tables_in_order(quick):
    wait_drained(quick)
    check_drained(quick)


def test_changes_are_obeyed_although_nobody_hears_of_them(database, start_node, receiver):
    """What counts is the version that the ingest statement looks at. News only make it cheaper."""
    node = start_node()
    with database.database() as rows, node.api() as api:
        rows.execute("RESET ROLE")
        rows.execute("UPDATE channel SET name = 'nobody_listens'")
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        kind = api.new_event_type(schemas={"1": {"required": ["n"]}})["name"]
        message = {"eventType": kind, "payload": {"x": 1}}
        for n in range(4):
            api.expect(200, "PATCH", f"/event-type/{kind}", json={"schemaValidation": "off"})
            api.expect(202, "POST", f"/app/{app['id']}/msg", json=message)
            api.expect(200, "PATCH", f"/event-type/{kind}", json={"schemaValidation": "enforce"})
            api.expect(422, "POST", f"/app/{app['id']}/msg", json=message)
            api.expect(200, "PATCH", path_of(app, endpoint), json={"filter": {"path": "n", "op": "eq", "value": n}})
            api.send(app, {"n": n - 1}, kind)
            api.send(app, {"n": n}, kind)
            api.expect(200, "PATCH", path_of(app, endpoint), json={"filter": None})
    wait_drained(node)
    assert sorted(r.body for r in receiver.got()) == sorted([b'{"x":1}'] * 4 + [b'{"n":%d}' % n for n in range(4)])
