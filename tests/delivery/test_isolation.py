"""One endpoint and another: what a slow one may take, and what it must leave."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from invariants import check_drained, wait_drained
from receiver import delay, hang
from wait import SLOWNESS


def most_at_once(requests, seconds):
    """The most of these requests that were under way together, each for at least so long."""
    events = sorted([(r.at, 1) for r in requests] + [(r.at + seconds, -1) for r in requests])
    most = now = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def send_many(node, app, count, threads=4):
    def send(share):
        with node.api() as api:
            return [api.send(app, {"n": n})["id"] for n in share]

    with ThreadPoolExecutor(threads) as pool:
        return [m for part in pool.map(send, [range(t, count, threads) for t in range(threads)]) for m in part]


@pytest.mark.parametrize("limit", [1, 3])
def test_attempts_at_once_for_one_endpoint_are_bounded(start_node, receiver, limit):
    node = start_node(POSTHORN_ENDPOINT_CONCURRENCY=limit)
    seconds = 0.1
    receiver.default = delay(seconds)
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url("/one"))
        api.new_endpoint(app, receiver.url("/two"))
    messages = send_many(node, app, 8 * limit)
    wait_drained(node)
    for path in ("/one", "/two"):
        requests = receiver.got(path)
        assert {r.header("webhook-id") for r in requests} == set(messages) and len(requests) == len(messages)
        # What the loop's clock rounds away must not make two that follow each other look like two at once.
        assert most_at_once(requests, seconds - 0.005) == limit


def test_attempts_at_once_stay_bounded_when_attempts_fail(start_node, receiver):
    node = start_node(POSTHORN_ENDPOINT_CONCURRENCY=2, POSTHORN_ATTEMPT_TIMEOUT_MS=300, POSTHORN_RETRY_SCHEDULE="0",
                      POSTHORN_RETRY_JITTER_PERCENT=0)
    receiver.default = hang()
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
    send_many(node, app, 6)
    wait_drained(node)
    assert len(receiver.got()) == 12
    # They are under way for a little less than the deadline, for it begins before they are here.
    assert most_at_once(receiver.got(), 0.2) == 2


def test_hanging_endpoint_delays_nobody_else(start_node, new_receiver):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=200)
    slow, fast = new_receiver(), new_receiver()
    slow.default = hang()
    with node.api() as api:
        hanging, quick = api.new_app(), api.new_app()
        for n in range(4):  # on both delivery threads, with next to certainty
            api.new_endpoint(hanging, slow.url(f"/{n}"))
            api.new_endpoint(quick, fast.url(f"/{n}"))
        send_many(node, hanging, 300)
        slow.wait(40)
        for n in range(20):
            start = time.monotonic()
            api.send(quick, {"n": n})
            last = max(r.at for r in fast.wait(4 * (n + 1)))
            assert last - start < 0.5 * SLOWNESS
    assert len(slow.got()) == 40, "four endpoints with ten attempts each"


def test_hanging_endpoint_of_the_same_application_delays_nobody_else(start_node, new_receiver):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=200)
    slow, fast = new_receiver(), new_receiver()
    slow.default = hang()
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, slow.url())
        for n in range(4):
            api.new_endpoint(app, fast.url(f"/{n}"))
        send_many(node, app, 200)
        fast.wait(800, timeout=10)
    assert len(slow.got()) == 10


@pytest.mark.parametrize("setting", [
    {"POSTHORN_MEMORY_DELIVERIES": 100}, {"POSTHORN_ENDPOINT_DELIVERIES": 100}, {"POSTHORN_MEMORY_BYTES": "1M"}],
    ids=["deliveries", "of one endpoint", "bytes"])
def test_what_memory_has_no_room_for_arrives_once_all_the_same(start_node, receiver, setting):
    node = start_node(**setting)
    receiver.default = delay(0.5)
    payload = {"filling": "x" * 4000} if "POSTHORN_MEMORY_BYTES" in setting else {}
    count = 1000 if "POSTHORN_MEMORY_DELIVERIES" in setting else 320
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())

    def send(_):
        with node.api() as api:
            return [api.send(app, payload)["id"] for _ in range(count // 4)]

    with ThreadPoolExecutor(4) as pool:
        messages = [m for part in pool.map(send, range(4)) for m in part]
    receiver.default = delay(0.002)
    receiver.wait(count, timeout=30)
    wait_drained(node)
    ids = [r.header("webhook-id") for r in receiver.got()]
    assert len(ids) == len(set(ids)), "some came twice"
    assert set(ids) == set(messages)
    metrics = node.metrics()
    assert metrics["posthorn_deliveries_overflow_total"] > 0, "the test has to overflow the memory to say anything"
    assert metrics["posthorn_deliveries_claimed_total"] >= metrics["posthorn_deliveries_overflow_total"]
    assert metrics["posthorn_deliveries_in_memory"] == metrics["posthorn_payload_bytes_in_memory"] == 0
    check_drained(node, messages)
