"""Manual work while nodes deliver: what is sent again comes, once, whoever dies meanwhile, and keeps nobody else waiting."""
import itertools
import threading
from collections import Counter

from history import to_uuid, to_wire
from invariants import check, wait_drained
from receiver import delay, ok, status
from wait import SLOWNESS, wait_for

MANY = 5000  # the task is at most 1,500 ahead of what has arrived
LONG_AGO = "2020-01-01T00:00:00Z"
_place = itertools.count(1)


def fail_many(database, app, endpoint, count):
    """So many messages of the last minute with one failed attempt each; their wire ids, oldest first."""
    with database.database() as rows:
        found = rows.execute(
            "WITH made AS (INSERT INTO messages (application_id, id, tenant_id, event_type, payload)"
            " SELECT %(app)s, (left(uuid_floor(now() - interval '1 minute')::text, 14) || '0000-' || lpad(to_hex(%(place)s::integer), 4, '0')"
            "                  || '-' || lpad(to_hex(i), 12, '0'))::uuid, %(tenant)s, 'test.happened', '{}'"
            " FROM generate_series(1, %(count)s) i RETURNING id),"
            " tried AS (INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, status_code,"
            "                                 duration_ms, url, response)"
            " SELECT id, id, %(endpoint)s, %(tenant)s, 1, 2, 0, 500, 1, '', '' FROM made),"
            " counted AS (INSERT INTO delivery_stats (endpoint_id, bucket, tenant_id, success, failure, exhausted, duration_counts)"
            " SELECT %(endpoint)s, date_trunc('hour', now()) - interval '1 hour', %(tenant)s, 0, %(count)s, %(count)s,"
            "        '{0,0,0,0,0,0,0,0}')"
            " SELECT id FROM made ORDER BY id",
            {"app": to_uuid(app["id"]), "tenant": to_uuid(database.tenant_id), "endpoint": to_uuid(endpoint["id"]),
             "count": count, "place": next(_place)}).fetchall()
    return [to_wire("msg", row[0]) for row in found]


def at(app, endpoint, action):
    return f"/app/{app['id']}/endpoint/{endpoint['id']}/{action}"


def start(api, app, endpoint, action="recover", **more):
    return api.expect(202, "POST", at(app, endpoint, action), json={"since": LONG_AGO, **more})["id"]


def task(api, task_id):
    return api.expect(200, "GET", f"/background-task/{task_id}")


def wait_task(api, task_id, timeout=60):
    return wait_for(lambda: [t for t in [task(api, task_id)] if t["status"] != "running"], timeout, "the task ends")[0]


def stats(api, app, endpoint):
    """What is not zero of its deliveries."""
    return {name: n for name, n in api.expect(200, "GET", at(app, endpoint, "stats")).items() if n}


def ids(receiver, path):
    return Counter(r.header("webhook-id") for r in receiver.got(path))


def test_a_replay_survives_kill_9_and_makes_each_delivery_once(database, start_node, receiver):
    first = start_node()
    with first.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        messages = fail_many(database, app, endpoint, MANY)
        made = start(api, app, endpoint)
        receiver.wait(MANY // 4, timeout=60)
        first.kill()
        with database.database() as rows:
            (state, queued) = rows.execute("SELECT status, queued FROM background_tasks").fetchone()
        assert (state, queued < MANY) == ("running", True), "it has to die in the middle"
    second = start_node()
    with second.api() as api:
        ended = wait_task(api, made, 120)
        wait_for(lambda: len(ids(receiver, "/hook")) == MANY, 60, "every message arrives")
    wait_drained(second)
    check(second)
    assert ended["status"] == "finished"
    assert [ended["data"][k] for k in ("done", "total", "queued")] == [MANY, MANY, MANY]
    came = ids(receiver, "/hook")
    assert set(came) == set(messages)
    # attempts under way at the kill, and outcomes of a few milliseconds that were not recorded
    twice = sum(came.values()) - MANY
    print(f"{twice} of {MANY} came twice")
    assert twice <= MANY // 20


def test_two_nodes_share_a_replay_and_do_nothing_twice(database, start_node, receiver):
    first, second = start_node(), start_node()
    with first.api() as api:
        app = api.new_app()
        endpoints = [api.new_endpoint(app, receiver.url(f"/{n}"), eventTypes=["nothing"]) for n in range(3)]
        messages = [fail_many(database, app, endpoint, 1200 // SLOWNESS) for endpoint in endpoints]
        tasks = [start(api, app, endpoint) for endpoint in endpoints]
        for made, wanted in zip(tasks, messages):
            assert wait_task(api, made)["data"]["queued"] == len(wanted)
    wait_drained(first)
    for n, wanted in enumerate(messages):
        assert ids(receiver, f"/{n}") == Counter(wanted)
    claimed = [node.metrics()["posthorn_deliveries_claimed_total"] for node in (first, second)]
    assert sum(claimed) == sum(map(len, messages)), "each by one of them, once"
    check(first)


def test_live_messages_arrive_while_a_replay_goes_on(database, start_node, receiver, new_receiver):
    node, slow = start_node(), new_receiver()
    slow.default = delay(0.1)
    with node.api() as api:
        app = api.new_app()
        replayed = api.new_endpoint(app, slow.url("/replayed"), eventTypes=["none"])
        live = api.new_endpoint(app, receiver.url("/live"))
        fail_many(database, app, replayed, 8000)  # a hundred a second at most
        made = start(api, app, replayed)
        slow.wait(100, timeout=30)
        for n in range(1, 21):
            api.send(app)
            receiver.wait(n, "/live")
        assert task(api, made)["status"] == "running"
        # and those of the very endpoint come before its replay is over
        api.expect(200, "PATCH", at(app, replayed, "").rstrip("/"), json={"eventTypes": None})
        message = api.send(app)
        wait_for(lambda: ids(slow, "/replayed")[message["id"]], 60, "the live message arrives")
        assert task(api, made)["status"] == "running"
        ended = api.expect(200, "POST", f"/background-task/{made}/cancel")
        assert (ended["status"], ended["data"]["error"]) == ("failed", "cancelled")
        assert ended["data"]["queued"] < 8000
        api.expect(204, "POST", at(app, replayed, "cancel-msgs"), json={"createdBefore": "2099-01-01T00:00:00Z"})
        assert task(api, made)["data"]["queued"] == ended["data"]["queued"]
    wait_drained(node)
    check(node)


def test_a_replay_to_an_ordered_endpoint_is_in_order(database, start_node, receiver):
    node = start_node()
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url(), ordering="fifo")
        messages = fail_many(database, app, endpoint, 600 // SLOWNESS)
        wait_task(api, start(api, app, endpoint))
        receiver.wait(len(messages), timeout=60)
    wait_drained(node)
    assert [r.header("webhook-id") for r in receiver.got()] == messages


def test_messages_of_a_disabled_endpoint_come_by_replay_missing(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), disabled=True)
    skipped = [api.send(app)["id"] for _ in range(5)]
    assert stats(api, app, endpoint) == {"skipped": 5}
    assert [e["state"] for e in api.pages(f"/app/{app['id']}/msg/{skipped[0]}/endpoint")] == ["skipped"]
    api.expect(200, "PATCH", at(app, endpoint, "").rstrip("/"), json={"disabled": False})
    ended = wait_task(api, start(api, app, endpoint, "replay-missing"))
    assert ended["data"]["queued"] == 5
    receiver.wait(5)
    assert set(ids(receiver, "/hook")) == set(skipped)
    wait_for(lambda: stats(api, app, endpoint) == {"success": 5}, 20, "none is skipped any more")


def test_a_skipped_message_comes_when_it_is_resent(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), disabled=True, eventTypes=["a.b"])
    message = api.send(app, event_type="a.b")
    api.send(app, event_type="a.c")  # not for this one
    assert stats(api, app, endpoint) == {"skipped": 1}
    api.expect(200, "PATCH", at(app, endpoint, "").rstrip("/"), json={"disabled": False})
    api.expect(202, "POST", f"/app/{app['id']}/msg/{message['id']}/endpoint/{endpoint['id']}/resend")
    receiver.wait(1)
    wait_for(lambda: stats(api, app, endpoint) == {"success": 1}, 20, "it is not skipped any more")
    assert [e["state"] for e in api.pages(f"/app/{app['id']}/msg/{message['id']}/endpoint")] == ["success"]


def test_canceled_messages_come_again_by_a_replay_only(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), retrySchedule=[3600])
    receiver.default = status(500)
    failed = api.send(app)
    api.wait_attempts(app, failed, 1)
    api.expect(200, "PATCH", at(app, endpoint, "").rstrip("/"), json={"paused": True})
    waiting = api.send(app)
    api.expect(204, "POST", at(app, endpoint, "cancel-msgs"), json={"createdBefore": "2099-01-01T00:00:00Z"})
    assert stats(api, app, endpoint) == {"canceled": 2}
    for message in (failed, waiting):
        assert [(e["state"], e["status"]) for e in api.pages(f"/app/{app['id']}/msg/{message['id']}/endpoint")] == [("canceled", 2)]
    receiver.default = ok()
    api.expect(200, "PATCH", at(app, endpoint, "").rstrip("/"), json={"paused": False})
    for action in ("recover", "replay-missing"):
        assert wait_task(api, start(api, app, endpoint, action))["data"]["queued"] == 0
    assert wait_task(api, start(api, app, endpoint, "bulk-replay"))["data"]["queued"] == 1
    receiver.wait(2)
    wait_for(lambda: stats(api, app, endpoint) == {"success": 1, "canceled": 1}, 20, "the other one stays canceled")


def test_a_resent_message_does_not_wait_for_its_next_attempt(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), retrySchedule=[3600, 3600])
    receiver.script("/hook", status(500))
    message = api.send(app)
    api.wait_attempts(app, message, 1)
    api.expect(202, "POST", f"/app/{app['id']}/msg/{message['id']}/endpoint/{endpoint['id']}/resend")
    receiver.wait(2)
    assert [a["status"] for a in api.wait_attempts(app, message, 2)] == [0, 2]


def test_cancelling_leaves_nothing_owed(api, server, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/slow"), retrySchedule=[60])
    receiver.default = status(500, delay=0.7 * SLOWNESS)
    for _ in range(60):
        api.send(app)
    receiver.wait(10, "/slow")
    api.expect(204, "POST", at(app, endpoint, "cancel-msgs"), json={"createdBefore": "2099-01-01T00:00:00Z"})

    def rows_of(table):
        return rows.execute(f"SELECT count(*) FROM {table} WHERE endpoint_id = %s", (to_uuid(endpoint["id"]),)).fetchone()[0]

    with server.database.database() as rows:
        assert rows_of("deliveries") == 0
        later = api.send(app)
        wait_for(lambda: ids(receiver, "/slow")[later["id"]] == 1, 20, "a later one comes, and behind it nothing that was cancelled")
        wait_for(lambda: rows_of("attempts") == len(receiver.got("/slow")), 20, "what was under way is recorded")
        assert rows_of("deliveries") == 1
    came = ids(receiver, "/slow")
    assert len(came) < 61, "it has to be cancelled in the middle"
    assert set(came.values()) == {1}


def test_what_was_accepted_a_moment_ago_is_cancelled_too(api, server, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url(), paused=True)
    for _ in range(50):  # some of them within one millisecond
        api.send(app)
        api.expect(204, "POST", at(app, endpoint, "cancel-msgs"), json={"createdBefore": "2099-01-01T00:00:00Z"})
    assert stats(api, app, endpoint) == {"canceled": 50}


def test_a_test_attempt_is_signed_and_waits_for_no_hold(api, app, receiver, signature):
    endpoint = api.new_endpoint(app, receiver.url("/hook"), paused=True)
    receiver.default = status(503, headers={"Retry-After": "3600"})
    outcome = api.expect(201, "POST", at(app, endpoint, "msg/test-attempt"), json={"eventType": "a.b", "payload": {"n": 1}})
    assert outcome["responseStatusCode"] == 503
    request = receiver.wait(1)[0]
    assert request.header("webhook-signature") == signature(api.secret(app, endpoint), request)
    receiver.default = ok()
    assert api.expect(201, "POST", at(app, endpoint, "msg/test-attempt"),
                      json={"eventType": "a.b", "payload": {}})["responseStatusCode"] == 200
    # what it was answered holds nobody
    api.expect(200, "PATCH", at(app, endpoint, "").rstrip("/"), json={"paused": False})
    api.send(app)
    receiver.wait(3)


def test_a_test_attempt_does_not_outlive_its_node(start_node, receiver):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=1000)
    receiver.default = delay(60)
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        answers = []

        def attempt():
            try:
                with node.api() as mine:
                    answers.append(mine.post(at(app, endpoint, "msg/test-attempt"), {"eventType": "a.b", "payload": {}}).status_code)
            except Exception as e:  # the connection may be cut
                answers.append(type(e).__name__)

        thread = threading.Thread(target=attempt)
        thread.start()
        receiver.wait(1)
        node.stop()
        thread.join(30)
    assert len(answers) == 1 and answers[0] != 201
