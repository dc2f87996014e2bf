"""What an endpoint gets: the request, its signature, and the payload byte for byte."""
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import unique
from invariants import wait_drained
from receiver import ok, status

KEPT = [
    b'{"z":1,"a":2,"m":3}',
    b'{ "a" :\t1 ,\n  "b":[ ],"c":{ } \r\n}',
    b'{"one":1.0,"exp":1e400,"small":-1E-400,"neg":-0,"zero":0.000}',
    b'{"big":123456789012345678901234567890123456789,"neg":-98765432109876543210,"long":0.1000000000000000055511151231257827}',
    '{"raw":"Zoë 日本語 😀","nfd":"e\u0301"}'.encode(),
    b'{"escaped":"Zo\\u00eb \\u65E5 \\ud83d\\uDE00 \\u0000 \\u001f \\u007F"}',
    b'{"slashes":"http:\\/\\/x\\/ http://x/","rest":"\\"\\\\\\b\\f\\n\\r\\t"}',
    b'{"a":1,"a":2,"b":{"c":1,"c":{"d":1,"d":2}},"a":3}',
    b'{"":{"":[[[[[]]]]]},"payload":{"payload":{}},"eventType":"not.this.one"}',
    b"{}",
]
LIMIT = 1 << 20  # POSTHORN_BODY_BYTES


@pytest.mark.parametrize("payload", KEPT, ids=range(len(KEPT)))
def test_payload_is_kept_byte_for_byte(api, app, receiver, payload):
    json.loads(payload)
    api.new_endpoint(app, receiver.url())
    sent = api.send_bytes(app, payload)
    assert receiver.wait()[0].body == payload
    got = api.get(f"/app/{app['id']}/msg/{sent['id']}")
    assert b'"payload":' + payload + b"," in got.content
    listed = api.get(f"/app/{app['id']}/msg")
    assert b'"payload":' + payload + b"," in listed.content


def test_payload_up_to_the_limit_is_kept_and_more_refused(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    envelope = len(b'{"eventType":"test.happened","payload":}')
    frame = len(b'{"t":""}')
    # No bytes that compress or repeat: a piece that is lost or swapped shows.
    text = "".join(f"{i:07x}é" for i in range(LIMIT)).encode()
    payload = b'{"t":"' + text[:LIMIT - envelope - frame].decode(errors="ignore").encode() + b'"}'
    payload = payload[:-1] + b" " * (LIMIT - envelope - len(payload)) + b"}"
    assert len(payload) + envelope == LIMIT
    sent = api.send_bytes(app, payload)
    assert receiver.wait(timeout=20)[0].body == payload
    assert b'"payload":' + payload + b"," in api.get(f"/app/{app['id']}/msg/{sent['id']}").content
    body = b'{"eventType":"test.happened","payload":%s}' % (payload[:-1] + b" }")
    refused = api.post(f"/app/{app['id']}/msg", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413 and refused.json()["code"] == "payload_too_large"


def test_many_large_payloads_at_once_are_not_mixed_up(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    payloads = [b'{"n":%d,"t":"%s"}' % (n, bytes([97 + n]) * (n * 40_000)) for n in range(20)]

    def send(payload):
        with server.api() as client:
            client.send_bytes(app, payload)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, payloads))
    assert sorted(r.body for r in receiver.wait(len(payloads), timeout=20)) == sorted(payloads)


def test_request_is_exactly_this(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url("/a%20b/c;d?x=1&y=%2F&&z=~'"))
    headers = {"X-Tenant": "one, two;  three", "authorization": "Bearer abc=", "x-empty": ""}
    api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/headers", json={"headers": headers})
    payload = '{"ü": "\\u00fc"}'.encode()
    before = time.time()
    sent = api.send_bytes(app, payload)
    request = receiver.wait()[0]
    assert (request.method, request.target, request.version) == ("POST", "/a%20b/c;d?x=1&y=%2F&&z=~'", "HTTP/1.1")
    assert len({name.lower() for name, _ in request.headers}) == len(request.headers), "a header came twice"
    got = {name.lower(): value for name, value in request.headers}
    assert got.pop("webhook-id") == sent["id"]
    assert got.pop("webhook-timestamp") in [str(t) for t in range(int(before) - 1, int(time.time()) + 2)]
    assert got.pop("webhook-signature").startswith("v1,")
    assert got.pop("user-agent").startswith("Posthorn/")
    assert got == {"host": f"127.0.0.1:{receiver.port}", "accept": "*/*", "content-type": "application/json",
                   "content-length": str(len(payload)), "x-tenant": "one, two;  three", "authorization": "Bearer abc=",
                   "x-empty": ""}


@pytest.mark.parametrize("given, target", [
    ("", "/"), ("/", "/"), ("?q=1", "/?q=1"), ("/p#fragment", "/p"), ("/p?q#fragment?x", "/p?q"), ("/?", "/?"), ("//p", "//p")])
def test_request_target_is_path_and_query_of_the_url(api, app, receiver, given, target):
    api.new_endpoint(app, receiver.base + given)
    api.send(app)
    assert receiver.wait()[0].target == target


def test_custom_header_that_the_server_sends_too_comes_once(api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    answer = api.put(f"/app/{app['id']}/endpoint/{endpoint['id']}/headers", {"headers": {"Accept": "application/json"}})
    assert answer.status_code in (204, 422), answer.text
    api.send(app)
    assert receiver.wait()[0].all("accept") == (["application/json"] if answer.status_code == 204 else ["*/*"])


def test_host_names_and_ipv6_addresses(api, app, receiver, new_receiver):
    named = f"localhost:{receiver.port}"
    api.new_endpoint(app, f"http://{named}/named")
    addresses = {"/named": named}
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        other = new_receiver(host="::1")
        addresses["/v6"] = f"[::1]:{other.port}"
        api.new_endpoint(app, f"http://[::1]:{other.port}/v6")
    except OSError:
        other = None  # a machine without IPv6
    api.send(app)
    got = receiver.wait() + (other.wait() if other else [])
    assert {r.path: r.header("host") for r in got} == addresses


def test_signature_verifies_and_covers_every_byte(api, app, receiver, signature):
    endpoint = api.new_endpoint(app, receiver.url())
    secret = api.secret(app, endpoint)
    sent = [api.send_bytes(app, payload)["id"] for payload in KEPT]
    requests = receiver.wait(len(sent))
    assert sorted(r.header("webhook-id") for r in requests) == sorted(sent)
    for request in requests:
        assert request.header("webhook-signature") == signature(secret, request)


def test_own_secret_signs(api, app, receiver, signature):
    secret = "whsec_" + "A" * 32
    endpoint = api.new_endpoint(app, receiver.url(), secret=secret)
    assert api.secret(app, endpoint) == secret
    api.send(app)
    request = receiver.wait()[0]
    assert request.header("webhook-signature") == signature(secret, request)


def test_every_attempt_is_signed_anew(quick, receiver, signature):
    with quick.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        receiver.default = status(500)
        sent = api.send(app)
        requests = receiver.wait(3)
        secret = api.secret(app, endpoint)
    assert {r.header("webhook-id") for r in requests} == {sent["id"]}
    assert len({r.body for r in requests}) == 1
    times = [int(r.header("webhook-timestamp")) for r in requests]
    assert times == sorted(set(times)), "attempts are a second apart, so their times differ"
    for request, at in zip(requests, times):
        assert abs(request.wall - at) <= 2
        assert request.header("webhook-signature") == signature(secret, request)


def test_connection_is_kept_for_the_next_delivery(api, app, receiver):
    api.new_endpoint(app, receiver.url())
    for n in range(1, 31):
        api.send(app)
        receiver.wait(n)
    assert receiver.connections == 1


@pytest.mark.parametrize("endpoints", [1, 4])
def test_a_burst_takes_no_more_connections_than_attempts_at_once(server, api, app, receiver, endpoints):
    """Also when several endpoints are at one origin and share its connections."""
    for n in range(endpoints):
        api.new_endpoint(app, receiver.url(f"/{n}"))

    def send(_):
        with server.api() as client:
            for _ in range(25):
                client.send(app)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    receiver.wait(100 * endpoints, timeout=20)
    assert receiver.connections <= endpoints * 10


def test_connection_that_the_receiver_closed_meanwhile_is_no_failure(api, app, receiver):
    """An idle connection is closed by the other end just as the next delivery wants to use it."""
    api.new_endpoint(app, receiver.url())
    receiver.default = ok(silent_close=True)
    sent = []
    for n in range(1, 31):
        sent.append(api.send(app, eventId=unique("event")))
        receiver.wait(n)
    for message in sent:
        assert [a["statusText"] for a in api.wait_attempts(app, message, 1)] == ["success"]


def test_deliveries_leave_nothing_behind(server, api, app, receiver):
    api.new_endpoint(app, receiver.url())
    for _ in range(20):
        api.send(app)
    receiver.wait(20)
    wait_drained(server, app["id"])
    assert len(receiver.got()) == 20
