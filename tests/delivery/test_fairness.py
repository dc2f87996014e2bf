"""Who waits for whom: what a slow, dead, throttled or overloaded endpoint may take from the others. Latencies are printed, and
asserted only where no busy machine could make a good server fail."""
import itertools
import json
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from invariants import check, check_drained, owed, uuid_of, wait_drained
from receiver import Answer, delay, hang
from wait import SLOWNESS, wait_for


def percentiles(seconds):
    ordered = sorted(seconds)
    return {p: 1000 * ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 99)}


def shown(seconds):
    return ", ".join(f"p{p} {ms:.0f} ms" for p, ms in percentiles(seconds).items())


def send_many(node, app, count, key=None, threads=4, start=0):
    """{"n": start}, {"n": start + 1}, …; the wire ids by number."""
    def send(numbers):
        with node.api(key) as api:
            return {n: api.send(app, {"n": n})["id"] for n in numbers}

    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(send, [range(start + t, start + count, threads) for t in range(threads)])
        return {n: m for part in parts for n, m in part.items()}


def send_paced(api, app, count, per_second):
    """When each of them was sent (before its request), by number."""
    sent, begin = {}, time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, begin + n / per_second - time.monotonic()))
        sent[n] = time.monotonic()
        api.send(app, {"n": n})
    return sent


def number_of(request):
    return json.loads(request.body)["n"]


def latencies(sent, requests):
    """From the request of each message to its arrival."""
    arrived = {number_of(r): r.at for r in requests}
    assert set(sent) <= set(arrived)
    return [arrived[n] - at for n, at in sent.items()]


def test_backlog_of_a_slow_endpoint_delays_no_other_tenant(start_node, new_receiver):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=200)
    slow, healthy = new_receiver(), new_receiver()
    slow.default = delay(4.0)
    with node.api() as api, node.api(node.database.new_tenant("other")[1]) as other:
        app, other_app = api.new_app(), other.new_app()
        api.new_endpoint(app, slow.url())
        other.new_endpoint(other_app, healthy.url())
        alone = latencies(send_paced(other, other_app, 100, 20), healthy.wait(100))
        send_many(node, app, 1000)
        before = len(healthy.got())
        sent = send_paced(other, other_app, 100, 20)
        beside = latencies(sent, healthy.wait(before + 100)[before:])
        answered = len(slow.got())
    print(f"healthy endpoint alone: {shown(alone)}; beside 1,000 messages to one that takes 4 s: {shown(beside)}")
    assert answered < 500, "the slow backlog is not half done"
    assert max(beside) < 4.0, "nobody has waited for the slow endpoint's answers"


def test_dead_endpoints_among_a_hundred_delay_no_other(start_node, new_receiver):
    """One hangs until the deadline and one refuses; all belong to one application."""
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=200)
    receiver, gone = new_receiver(), new_receiver()
    hanging = new_receiver()
    hanging.default = hang()
    gone.stop_listening()
    with node.api() as api:
        whole = api.new_app()
        both = api.new_app()
        paths = [f"/{n}" for n in range(98)]
        for path in paths:
            api.new_endpoint(whole, receiver.url("/whole" + path))
            api.new_endpoint(both, receiver.url("/both" + path))
        api.new_endpoint(both, hanging.url())
        api.new_endpoint(both, gone.url())

        def run(app, prefix, count=20):
            before = len(receiver.got())
            sent = send_paced(api, app, count, 4)
            receiver.wait(before + 98 * count, timeout=30)
            came = [r for r in receiver.got()[before:] if r.path.startswith(prefix)]
            assert Counter(r.path for r in came) == {prefix + path: count for path in paths}
            return [r.at - sent[number_of(r)] for r in came]

        run(whole, "/whole", 3)  # connections, caches
        without, with_them = run(whole, "/whole"), run(both, "/both")
    print(f"98 endpoints without the two: {shown(without)}; with them: {shown(with_them)}")
    assert max(with_them) < 15, "nobody has waited for the deadline of the one that hangs"
    assert len(hanging.got()) > 0
    check(node)


def store_backlog(node, app, endpoint, count):
    """So many deliveries of one message each, waiting in the database since an hour ago."""
    with node.database.database() as rows:
        rows.execute("""
            WITH made AS (
                INSERT INTO messages (application_id, id, tenant_id, event_type, payload)
                SELECT %(app)s, uuid_now(), %(tenant)s, 'test.happened', convert_to('{"n":' || n || '}', 'UTF8')
                FROM generate_series(1, %(count)s) n
                RETURNING id
            ), owed AS (
                INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)
                SELECT %(endpoint)s, id, %(tenant)s, %(app)s, now() - interval '1 hour' FROM made
            )
            INSERT INTO endpoint_schedule (endpoint_id, tenant_id, next_due_at)
            VALUES (%(endpoint)s, %(tenant)s, now() - interval '1 hour')
            """, {"app": uuid_of(app["id"]), "endpoint": uuid_of(endpoint["id"]), "tenant": uuid_of(node.tenant_id), "count": count})
        rows.execute("RESET ROLE")
        rows.execute("ANALYZE messages, deliveries")


def store_one(rows, app, endpoint):
    rows.execute("""
        WITH made AS (
            INSERT INTO messages (application_id, id, tenant_id, event_type, payload)
            SELECT %(app)s, uuid_now(), tenant_id, 'test.happened', '{}' FROM applications WHERE id = %(app)s
            RETURNING id, tenant_id
        ), owed AS (
            INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, next_at)
            SELECT %(endpoint)s, id, tenant_id, %(app)s, now() FROM made
        )
        INSERT INTO endpoint_schedule AS s (endpoint_id, tenant_id, next_due_at)
        SELECT %(endpoint)s, tenant_id, now() FROM made
        ON CONFLICT (endpoint_id) DO UPDATE SET changes = s.changes + 1, next_due_at = least(s.next_due_at, excluded.next_due_at)
        """, {"app": uuid_of(app["id"]), "endpoint": uuid_of(endpoint["id"])})


@pytest.mark.parametrize("waits", [False, True], ids=["sent at once", "due in the database"])
def test_backlog_of_one_tenant_delays_no_other(start_node, new_receiver, waits):
    """200,000 deliveries wait for one endpoint, whose tenant's memory they would fill a hundred times."""
    count, limit = 200_000 // SLOWNESS, 2000
    node = start_node(POSTHORN_MEMORY_DELIVERIES=limit, POSTHORN_STOP_TIMEOUT_MS=200, POSTHORN_HTTP_THREADS=1)
    big, small = new_receiver(), new_receiver()
    big.default = delay(0.05)
    with node.api() as api, node.api(node.database.new_tenant("other")[1]) as other:
        app, other_app = api.new_app(), other.new_app()
        endpoint = api.new_endpoint(app, big.url())
        small_endpoint = other.new_endpoint(other_app, small.url())
        alone = latencies(send_paced(other, other_app, 40, 20), small.wait(40))
        store_backlog(node, app, endpoint, count)
        big.wait(50)
        most = memory = 0
        beside = []
        for n in range(40):
            begin = time.monotonic()
            if waits:  # the dispatcher has to find it among the others
                with node.database.database() as rows:
                    store_one(rows, other_app, small_endpoint)
            else:
                other.send(other_app, {"n": 1000 + n})
            beside.append(small.wait(41 + n)[40 + n].at - begin)
            metrics = node.metrics()
            most = max(most, metrics["posthorn_deliveries_in_memory"])
            memory = max(memory, metrics["posthorn_payload_bytes_in_memory"])
    print(f"small tenant alone: {shown(alone)}; beside {count} deliveries of another: {shown(beside)}; "
          f"at most {most:.0f} deliveries and {memory:.0f} payload bytes in memory")
    assert owed(node, app["id"]) > count / 2, "the backlog is not half done"
    assert max(beside) < 5 * SLOWNESS
    assert most <= limit and memory < 64 << 20


@pytest.mark.parametrize("whose", ["endpoint", "application"])
def test_what_is_throttled_keeps_its_rate_over_two_nodes(start_node, new_receiver, whose):
    """The endpoints of an application share its rate."""
    rate, count = 10, 60
    paths = ["/only"] if whose == "endpoint" else ["/red", "/blue"]
    first, second = start_node(), start_node()
    receiver = new_receiver()
    with first.api() as api:
        app = api.new_app(throttleRate=rate if whose == "application" else None)
        for path in paths:
            api.new_endpoint(app, receiver.url(path), throttleRate=rate if whose == "endpoint" else None)
    half = count // len(paths) // 2
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: send_many((first, second)[n], app, half, threads=2, start=n * half), range(2)))
    receiver.wait(count, timeout=30)
    wait_drained(first)
    at = sorted(r.at for r in receiver.got())
    for path in paths:
        assert Counter(number_of(r) for r in receiver.got(path)) == Counter(range(2 * half))
    # The bucket holds a second's worth: in any time t no more than rate * t and one burst of that. What the requests
    # take on their way makes some of them look closer together.
    most = 0
    for (i, begin), (j, end) in itertools.combinations(enumerate(at), 2):
        most = max(most, j - i + 1 - rate * (end - begin))
    seconds = at[-1] - at[0]
    nodes = [int(n.metrics()["posthorn_attempts_success_total"]) for n in (first, second)]
    print(f"{count} messages at {rate}/s over two nodes ({nodes}) in {seconds:.2f} s; at most {most:.1f} over the rate")
    assert most <= rate + 2
    check_drained(first)


class InOrder:
    """Answers every third first attempt with an error, and notes the order in which messages succeed."""

    def __init__(self, slow=0.003):
        self.tries = defaultdict(int)
        self.slow = slow

    def __call__(self, request):
        n = number_of(request)
        self.tries[n] += 1
        return Answer(status=500 if n % 3 == 0 and self.tries[n] == 1 else 200, delay=self.slow)


def assert_in_order(requests, count):
    """No message goes out before the one in front of it has succeeded: ids never fall, and each has come. One that was
    under way at a kill may come again."""
    ids = [r.header("webhook-id") for r in requests]
    assert ids == sorted(ids), [(a, b) for a, b in zip(ids, ids[1:]) if b < a][:5]
    came = Counter(map(number_of, requests))
    assert set(came) == set(range(count))
    return came


def busy_node(nodes, endpoint):
    """The node that has the ordered endpoint's messages at this moment."""
    def find():
        with nodes[0].database.database() as rows:
            row = rows.execute("SELECT n.name FROM endpoint_schedule s JOIN nodes n ON n.id = s.busy_node WHERE s.endpoint_id = %s",
                               [uuid_of(endpoint["id"])]).fetchone()
        return [n for n in nodes if row and row[0].endswith(f":{n.pid}")]

    return wait_for(find, 10, "a node is busy with the endpoint")[0]


@pytest.mark.parametrize("killed", [False, True], ids=["both live", "one is killed"])
def test_ordered_endpoint_is_never_out_of_order_over_two_nodes(start_node, new_receiver, killed):
    settings = {"POSTHORN_RETRY_SCHEDULE": "0,0,0,0,0", "POSTHORN_RETRY_JITTER_PERCENT": 0}
    nodes = [start_node(**settings), start_node(**settings)]
    receiver = new_receiver()
    receiver.default = InOrder(0.02 if killed else 0.003)
    count = 200
    with nodes[0].api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url(), ordering="fifo")
    with nodes[0].api() as one, nodes[1].api() as two:
        for n in range(count):
            (one, two)[n % 2].send(app, {"n": n})
    if killed:
        victim = busy_node(nodes, endpoint)
        victim.kill()
        nodes.remove(victim)
        left = count - len({number_of(r) for r in receiver.got()})
        assert left > count // 4, "it has to die in the middle"
    wait_drained(nodes[0], timeout=60)
    came = assert_in_order(receiver.got(), count)
    surplus = {n: c - (2 if n % 3 == 0 else 1) for n, c in came.items()}
    print(f"{count} messages in order, {sum(surplus.values())} came once more than they had to")
    assert min(surplus.values()) >= 0 and sum(surplus.values()) <= (10 if killed else 0)
    check_drained(nodes[0])
