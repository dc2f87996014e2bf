"""What happens after an attempt that failed: when the next one comes, what is listed, and when it is given up."""
import email.utils
import time
from dataclasses import dataclass

import pytest
from invariants import wait_drained
from receiver import Receiver, close, delay, hang, ok, reset, status
from wait import SLOWNESS

# Of one second, of what must not be earlier and of what may be later.
EARLY, LATE = 0.99, 1.9 * SLOWNESS


@dataclass
class Case:
    """What an endpoint answers (then ok), and what its attempts have to be, oldest first: (code, response)."""
    answers: list
    attempts: list
    wait: tuple = (EARLY, LATE)  # seconds between the first request and the second
    message: str = ""
    endpoint: dict = None
    receiver: Receiver = None


def in_three_seconds():
    return email.utils.formatdate(time.time() + 3, usegmt=True)


NO_ANSWER = "no answer within {ms} ms"
LONG = (2.9, 4.0 * SLOWNESS)
CASES = {
    "500": Case([status(500, b"broken")], [(500, "broken")]),
    "500 twice": Case([status(500, b"one"), status(500, b"two")], [(500, "one"), (500, "two")]),
    "404": Case([status(404, b"who?")], [(404, "who?")]),
    "400": Case([status(400)], [(400, "")]),
    "redirect": Case([status(302, b"over there", {"Location": "/elsewhere"})], [(302, "over there")]),
    "permanent redirect": Case([status(308, b"", {"Location": "/elsewhere"})], [(308, "")]),
    "304": Case([status(304)], [(304, "")]),
    "timeout": Case([hang()], [(0, NO_ANSWER)]),
    "late answer": Case([delay(1.5 * SLOWNESS)], [(0, NO_ANSWER)]),
    "reset": Case([reset()], [(0, "connection reset")]),
    "reset within": Case([reset(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")], [(0, "connection reset")]),
    "closed": Case([close()], [(0, "connection closed without an answer")]),
    "closed within": Case([close(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")],
                          [(0, "connection closed before the answer was complete")]),
    "all different": Case([status(503, close=True), reset()], [(503, ""), (0, "connection reset")]),
    "429 asks to wait": Case([status(429, b"", {"Retry-After": "3"})], [(429, "")], LONG),
    "503 asks to wait": Case([status(503, b"", {"Retry-After": "3"})], [(503, "")], LONG),
    "503 asks by a date": Case([lambda _: status(503, b"", {"Retry-After": in_three_seconds()})], [(503, "")],
                               (1.9, LONG[1])),
    "asks for less": Case([status(429, b"", {"Retry-After": "0"})], [(429, "")]),
    "asks for nonsense": Case([status(429, b"", {"Retry-After": "soon"})], [(429, "")]),
    "500 may not ask": Case([status(500, b"", {"Retry-After": "3"})], [(500, "")]),
}
REFUSED = "refused"


@pytest.fixture(scope="module")
def sent(quick):
    """All cases at once, for each takes seconds: a receiver, an endpoint and a message for every one."""
    cases = {**CASES, REFUSED: Case([], [(0, "connection refused")])}
    with quick.api() as api:
        try:
            app = api.new_app()
            for n, (name, case) in enumerate(cases.items()):
                # Of its own, for a request on a kept connection is sent again when that breaks.
                case.receiver = Receiver()
                case.receiver.script("/hook", *case.answers)
                if name == REFUSED:
                    case.receiver.stop_listening()
                case.endpoint = api.new_endpoint(app, case.receiver.url(), channels=[str(n)])
                case.message = api.send(app, {"case": name}, channels=[str(n)])["id"]
            api.wait_attempts(app, cases[REFUSED].message, 1)
            cases[REFUSED].receiver.listen_again()
            wait_drained(quick, app["id"], timeout=15)
            yield api, app, cases
        finally:
            for case in cases.values():
                if case.receiver:
                    case.receiver.close()
    assert not [case.receiver.faults for case in cases.values() if case.receiver.faults]


@pytest.mark.parametrize("name", [*CASES, REFUSED])
def test_failure_is_retried_until_it_succeeds(sent, timeout_ms, name):
    api, app, cases = sent
    case = cases[name]
    text = f"{timeout_ms // 1000} s" if timeout_ms % 1000 == 0 else f"{timeout_ms} ms"
    attempts = api.attempts(app, case.message)[::-1]
    wanted = [(2, "fail", code, response.replace("{ms} ms", text)) for code, response in case.attempts]
    assert [(a["status"], a["statusText"], a["responseStatusCode"], a["response"]) for a in attempts] == [
        *wanted, (0, "success", 200, "ok")]
    for attempt in attempts:
        assert (attempt["msgId"], attempt["endpointId"], attempt["triggerType"]) == (case.message, case.endpoint["id"], 0)
        assert attempt["url"] == case.receiver.url()
        assert 0 <= attempt["responseDurationMs"] < 10_000 * SLOWNESS
    if name != REFUSED:
        requests = case.receiver.got()
        assert len(requests) == len(attempts)
        assert case.wait[0] <= requests[1].at - requests[0].at <= case.wait[1] + timeout_ms / 1000
        assert {(r.body, r.header("webhook-id")) for r in requests} == {(requests[0].body, case.message)}


def test_redirect_is_not_followed(sent):
    for name in ("redirect", "permanent redirect"):
        assert [r.path for r in sent[2][name].receiver.got()] == ["/hook", "/hook"]


@pytest.mark.parametrize("code", [200, 201, 202, 204, 226, 299])
def test_every_2xx_is_a_success(quick, receiver, code):
    receiver.default = status(code)
    with quick.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        wait_drained(quick, app["id"])
        assert [(a["status"], a["responseStatusCode"]) for a in api.attempts(app, message)] == [(0, code)]
    assert len(receiver.got()) == 1


def test_given_up_after_the_schedule(quick, receiver):
    receiver.default = status(500, b"never")
    with quick.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        message = api.send(app)
        before = quick.metrics()["posthorn_deliveries_exhausted_total"]
        api.wait_attempts(app, message, 1)
        waiting, = api.pages(f"/app/{app['id']}/msg/{message['id']}/endpoint")
        assert (waiting["attemptsMade"] > 0) == (waiting["statusText"] == "sending")
        assert waiting["statusText"] in ("sending", "pending") and waiting["nextAttempt"]
        wait_drained(quick, app["id"])
        assert quick.metrics()["posthorn_deliveries_exhausted_total"] == before + 1
        attempts = api.attempts(app, message)
        assert [(a["status"], a["responseStatusCode"], a["response"]) for a in attempts] == [(2, 500, "never")] * 3
        given_up, = api.pages(f"/app/{app['id']}/msg/{message['id']}/endpoint")
        assert given_up["id"] == endpoint["id"]
        assert (given_up["statusText"], given_up["nextAttempt"], given_up["attemptsMade"]) == ("fail", None, None)
    times = [r.at for r in receiver.got()]
    assert len(times) == 3
    assert all(EARLY <= b - a <= LATE for a, b in zip(times, times[1:]))


def test_nothing_is_retried_without_a_schedule(once, receiver):
    receiver.default = status(500)
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        wait_drained(once, app["id"])
        assert len(api.attempts(app, message)) == 1


def test_one_endpoint_fails_and_the_others_are_not_sent_to_again(quick, receiver):
    receiver.script("/broken", status(500), status(500))
    with quick.api() as api:
        app = api.new_app()
        for path in ("/good", "/broken", "/fine"):
            api.new_endpoint(app, receiver.url(path))
        api.send(app)
        wait_drained(quick, app["id"])
    assert sorted(r.path for r in receiver.got()) == ["/broken"] * 3 + ["/fine", "/good"]


def test_jitter_makes_waits_longer_but_never_shorter(start_node, receiver):
    node = start_node(POSTHORN_RETRY_SCHEDULE="1", POSTHORN_RETRY_JITTER_PERCENT=100, POSTHORN_BREAKER_FAILURES=0)
    receiver.default = status(500)
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        for n in range(30):
            api.send(app, {"n": n})
        wait_drained(node, app["id"])
    first, waits = {}, []
    for request in receiver.got():
        if request.body in first:
            waits.append(request.at - first[request.body])
        first[request.body] = request.at
    assert len(waits) == 30
    assert min(waits) >= EARLY and max(waits) <= 2.0 + (LATE - 1.0)
    assert max(waits) - min(waits) > 0.3, "30 waits from 1 to 2 s are not all alike"


def test_many_failures_do_not_lose_anything(quick, receiver):
    """Hundreds of deliveries of one endpoint wait and come back at once."""
    seen = set()

    def fail_first(request):
        first = request.body not in seen
        seen.add(request.body)
        return status(500) if first else ok()

    receiver.default = fail_first
    with quick.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        messages = [api.send(app, {"n": n})["id"] for n in range(150)]
        wait_drained(quick, app["id"])
    assert sorted(r.header("webhook-id") for r in receiver.got()) == sorted(messages * 2)
