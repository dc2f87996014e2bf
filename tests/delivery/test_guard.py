"""Addresses that nobody may make the server talk to."""
import re

import pytest
from invariants import wait_drained
from server import Node


@pytest.fixture(scope="module")
def guarded(postgres):
    one = Node(postgres.new_database(), POSTHORN_GUARD_ALLOW=None, POSTHORN_RETRY_SCHEDULE="", POSTHORN_CONNECT_TIMEOUT_MS=1000,
               POSTHORN_ATTEMPT_TIMEOUT_MS=2000)
    try:
        yield one.start()
        one.stop()
    finally:
        one.remove()


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.255.255.254", "localhost", "localhost.", "[::1]", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
    "0.1.2.3", "100.127.255.255", "169.254.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "239.1.1.1", "240.0.0.1", "[::]", "[::8.8.8.8]", "[::ffff:8.8.8.8]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b:1::7f00:1]", "[100::1]", "[2001::7f00:1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[fdff::1]", "[febf::1]", "[fec0::1]",
    "[ff02::1]", "LOCALHOST", "127.0.0.1.", "127.0.0.0x1", "0x7f.0.0.1", "0x7f.1", "017700000001", "0", "127.0.1", "127.000.000.001",
    "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "example.com@127.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1",
    "[::1%25lo]", "[0:0:0:0:0:0:0:1]", "[127.0.0.1]",
])
def test_private_address_is_refused_and_named_in_the_log_only(guarded, receiver, host):
    """Either the URL is refused, or its deliveries fail without a word about where they would have gone."""
    log = len(guarded.log())
    with guarded.api() as api:
        app = api.new_app()
        made = api.post(f"/app/{app['id']}/endpoint", {"url": f"http://{host}:{receiver.port}/hook"})
        if made.status_code == 422:
            assert {fault["loc"][-1] for fault in made.json()["detail"]} == {"url"}
            return
        assert made.status_code == 201, made.text
        message = api.send(app)
        wait_drained(guarded, app["id"])
        (one,) = api.attempts(app, message)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, "address not allowed")
    written = guarded.log()[log:]
    assert re.search(r'"level":"warn","msg":"address not allowed".*"address":"[0-9a-f.:]+"', written)
    assert receiver.connections == 0


def test_loopback_is_refused_until_the_operator_allows_it(database, start_node, receiver):
    """The delivery that was refused is tried again by a node that may."""
    settings = {"POSTHORN_RETRY_SCHEDULE": "1,1,1,1,1,1,1,1", "POSTHORN_RETRY_JITTER_PERCENT": 0}
    node = start_node(POSTHORN_GUARD_ALLOW=None, **settings)
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        api.wait_attempts(app, message, 1)
    node.stop()
    assert receiver.connections == 0
    node = start_node(POSTHORN_GUARD_ALLOW="127.0.0.0/8", **settings)
    receiver.wait(1)
    wait_drained(node, app["id"])
    with node.api() as api:
        attempts = api.attempts(app, message)[::-1]
    assert {a["response"] for a in attempts[:-1]} == {"address not allowed"}
    assert (attempts[-1]["status"], attempts[-1]["responseStatusCode"]) == (0, 200)


def test_allowing_one_range_allows_no_other(start_node, receiver):
    node = start_node(POSTHORN_GUARD_ALLOW="127.0.0.2/32,10.0.0.0/8", POSTHORN_RETRY_SCHEDULE="")
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
    assert one["response"] == "address not allowed"
    assert receiver.connections == 0
