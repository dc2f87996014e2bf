"""SIGTERM: what is under way is finished, and the rest is left to the next node."""
import signal
import time

import pytest
from invariants import check
from receiver import delay, hang, ok
from wait import SLOWNESS

COUNT = 6000 // SLOWNESS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_stop_under_load_finishes_what_is_under_way(start_server, traffic, number):
    dev = start_server()
    traffic.sink.delay = 0.05
    with dev.api() as api:
        traffic.prepare(api)
    sending = traffic.send(dev, count=COUNT)
    traffic.wait_accepted(COUNT // 3)
    process = dev.process
    process.send_signal(number)
    assert process.wait(20 * SLOWNESS) == 0
    assert not traffic.sink.under_way, "attempts were left behind"
    assert len(traffic.accepted) < COUNT, "it has to be stopped in the middle"
    assert dev.wait_end() == 0
    traffic.sink.delay = 0
    dev.start()
    check(dev)
    traffic.goes_on_at(dev.url)
    sending.wait()
    # Every attempt was waited for and recorded, so that nothing comes twice.
    traffic.check_all_arrived(dev, few=0)


def test_requests_under_way_are_answered(start_node, traffic):
    """What has been read is answered. A request that crosses with the end of its connection is not, and is not stored."""
    node, other = start_node(), start_node()
    with node.api() as api:
        traffic.prepare(api)
    sending = traffic.send(node, count=COUNT, connections=16)
    traffic.wait_accepted(COUNT // 3)
    traffic.goes_on_at(other.url)
    node.stop()
    sending.wait()
    assert len(traffic.unknown) <= 16, "one a connection"
    traffic.check_all_arrived(other, few=0)
    assert not traffic.unknown & {n for _, n in traffic.sink.counts}, "stored without an answer"


def test_next_version_on_the_same_port_loses_no_request(start_node, traffic):
    """It starts before the old one stops: every request gets its answer from one of them."""
    old = start_node()
    with old.api() as api:
        traffic.prepare(api)
    sending = traffic.send(old, count=COUNT, connections=16)
    traffic.wait_accepted(COUNT // 3)
    new = start_node(listen=old.url.removeprefix("http://"))
    assert new.url == old.url
    old.stop()
    sending.wait()
    assert len(traffic.accepted) == COUNT and not traffic.unknown and not traffic.refused
    assert new.metrics()["posthorn_ingest_messages_total"] > 0
    traffic.check_all_arrived(new, few=0)


def test_attempts_that_outlast_the_stop_timeout_are_given_back(start_node, database, receiver):
    """The delivery is not lost, and the node does not wait for ever."""
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=500)
    receiver.default = hang()
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        receiver.wait(1)
    before = time.monotonic()
    node.stop()
    assert 0.4 <= time.monotonic() - before < 5 * SLOWNESS
    assert "work was still under way at the end of the stop timeout" in node.log()
    check(database)
    receiver.default = ok()
    node.start()
    receiver.wait(2)
    with node.api() as api:
        (one,) = api.wait_attempts(app, message, 1)
    assert one["status"] == 0


def test_second_stop_signal_changes_nothing(start_node, receiver):
    node = start_node()
    receiver.default = delay(0.5)
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        api.send(app)
        receiver.wait(1)
    node.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert node.running
    node.stop()
    node.start()
    with node.api() as api:
        (message,) = api.pages(f"/app/{app['id']}/msg")
        assert [a["status"] for a in api.attempts(app, message)] == [0]
    assert len(receiver.got()) == 1
