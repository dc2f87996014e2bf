"""The live tail: server-sent events of what happens to messages, on whichever node."""
import json
import queue
import socket
import threading

import pytest
from client import unique
from server import Node
from wait import SLOWNESS, wait_for


class Tail:
    """Reads a stream on a thread of its own; begun when the constructor returns."""

    def __init__(self, api, path="/tail"):
        self.events, self.comments, self.ended = queue.Queue(), [], threading.Event()
        self._context = api.http.stream("GET", api.url + "/api/v1" + path, timeout=60 * SLOWNESS)
        self._response = self._context.__enter__()
        self.status = self._response.status_code
        if self.status != 200:
            self._response.read()
            self._context.__exit__(None, None, None)
            return
        assert self._response.headers["content-type"] == "text/event-stream"
        self._lines = self._response.iter_lines()
        assert next(self._lines) == ": listening"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for line in self._lines:
                if line.startswith("data: "):
                    self.events.put(json.loads(line.removeprefix("data: ")))
                elif line:
                    self.comments.append(line)
        except Exception:
            pass
        self.ended.set()

    def next(self, **wanted):
        """The next event that has these members."""
        while True:
            event = self.events.get(timeout=10 * SLOWNESS)
            if wanted.items() <= event.items():
                return event

    def close(self):
        """As a client that goes without a word."""
        self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.ended.wait(10)


def test_a_message_and_its_attempts_are_told(server, api, app, receiver):
    endpoint = api.new_endpoint(app, receiver.url())
    tail = Tail(api)
    message = api.send(app, eventId="e", channels=["a", "b"], tags=["t"])
    told = tail.next(type="message")
    assert told == {"type": "message", "appId": app["id"], "id": message["id"], "eventId": "e", "eventType": "test.happened",
                    "channels": ["a", "b"], "tags": ["t"], "deliverAt": None, "timestamp": message["timestamp"]}
    attempt = tail.next(type="attempt")
    assert attempt["statusText"] == "success" and attempt["responseStatusCode"] == 200
    assert (attempt["appId"], attempt["endpointId"], attempt["msgId"]) == (app["id"], endpoint["id"], message["id"])
    stored = api.expect(200, "GET", f"/app/{app['id']}/msg/{message['id']}/attempt/{attempt['id']}")
    assert stored["timestamp"] == attempt["timestamp"], "an attempt that is told of is stored"
    tail.close()


def test_failures_say_when_it_is_tried_again(api, app):
    api.new_endpoint(app, "http://127.0.0.1:9/nothing")
    tail = Tail(api, f"/app/{app['id']}/tail")
    api.send(app)
    attempt = tail.next(type="attempt")
    assert (attempt["statusText"], attempt["responseStatusCode"], attempt["attemptNumber"]) == ("fail", 0, 1)
    assert attempt["nextAttempt"] > attempt["timestamp"]
    tail.close()


def test_an_application_s_tail_has_no_other_s_events(api, app, other, receiver):
    elsewhere = api.new_app()
    theirs = other.new_app()
    one, everything, foreign = Tail(api, f"/app/{app['id']}/tail"), Tail(api), Tail(other)
    api.send(elsewhere)
    other.send(theirs)
    mine = api.send(app)
    assert one.next()["id"] == mine["id"]
    assert [everything.next()["appId"] for _ in range(2)] == [elsewhere["id"], app["id"]]
    assert foreign.next()["appId"] == theirs["id"]
    other.send(theirs)
    assert foreign.next()["appId"] == theirs["id"]
    assert one.events.empty() and everything.events.empty() and foreign.events.empty()
    for tail in (one, everything, foreign):
        tail.close()


def test_only_who_may_read_listens(server, api, other, app):
    assert Tail(other, f"/app/{app['id']}/tail").status == 404
    assert Tail(api, "/app/nowhere/tail").status == 404
    with server.api("phk_" + 43 * "x") as stranger:
        assert Tail(stranger).status == 401


def test_a_stream_ends_with_its_key(server, api):
    key = api.expect(201, "POST", "/api-key", json={"name": "for a while"})
    with server.api(key["token"] if "token" in key else key["key"]) as reader:
        tail = Tail(reader)
        assert not tail.ended.wait(1.5), "a key that is one stays one"
        api.expect(204, "DELETE", f"/api-key/{key['id']}")
        assert tail.ended.wait(10 * SLOWNESS)


def test_what_was_sent_from_sql_is_told_too(server, api, app):
    with server.database.database() as database:
        database.execute("INSERT INTO messages (application_id, id, tenant_id, event_type, event_id, channels, tags, payload)"
                         " SELECT a.id, uuid_now(), a.tenant_id, 'x', 'e', '{c}', '{t,u}', '{}' FROM applications a"
                         " WHERE wire_id('app_', a.id) = %s", [app["id"]])
        tail = Tail(api, f"/app/{app['id']}/tail")
        database.execute("INSERT INTO unmatched_messages SELECT m.id, m.tenant_id, m.application_id, now() FROM messages m"
                         " WHERE wire_id('app_', m.application_id) = %s", [app["id"]])
    told = tail.next(type="message")
    assert (told["eventId"], told["eventType"], told["channels"], told["tags"]) == ("e", "x", ["c"], ["t", "u"])
    tail.close()


def test_there_are_not_too_many_streams_of_a_tenant(server):
    _, key = server.database.new_tenant(unique("tenant"))
    with server.api(key) as api:
        tails = [Tail(api) for _ in range(40)]
        assert 200 == tails[0].status
        assert 429 in {tail.status for tail in tails}
        tails[0].close()
        open_ones = [tail for tail in tails[1:] if tail.status == 200]
        for tail in open_ones:
            tail.close()


def test_another_node_s_events_come_too(start_node):
    first, second = start_node(), start_node()
    with first.api() as here, second.api() as there:
        app = here.new_app()
        tail = Tail(here)

        def heard():
            sent = there.send(app)["id"]
            try:
                while tail.events.get(timeout=0.5)["id"] != sent:
                    pass
                return True
            except queue.Empty:
                return False
        wait_for(heard, 10, "the other node knows that somebody listens")
        tail.close()


def test_who_reads_nothing_loses_events_and_is_told(server, api, app):
    """And holds up nobody: others get all of it."""
    host, port = server.url.removeprefix("http://").split(":")
    slow = socket.create_connection((host, int(port)))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(f"GET /api/v1/app/{app['id']}/tail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.api_key}\r\n\r\n".encode())
    assert b"listening" in slow.recv(4096)
    quick = Tail(api, f"/app/{app['id']}/tail")
    count, batch = 8000, 1000
    tags = [c * 100 for c in "abcdefgh"]
    body = {"messages": [{"eventType": "x" * 200, "payload": {}, "tags": tags} for _ in range(batch)]}
    sent, told = 0, 0
    for _ in range(count // batch // SLOWNESS):
        api.expect(202, "POST", f"/app/{app['id']}/msg/batch", json=body)
        sent += batch
        while told < sent:
            event = quick.next()
            told += event["count"] if event["type"] == "dropped" else 1
    assert told == sent, "each is told of or counted"
    slow.settimeout(20 * SLOWNESS)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # what is on its way comes faster now
    got = bytearray()
    while b'"type":"dropped"' not in got[-8192:]:
        part = slow.recv(1 << 20)
        assert part, "it is told how much it missed"
        got += part
    slow.close()
    quick.close()


def test_a_stop_ends_streams_at_once(start_node):
    node = start_node(POSTHORN_STOP_TIMEOUT_MS=60000)
    with node.api() as api:
        tail = Tail(api)
        node.stop(timeout=10)
        assert tail.ended.wait(5)


def test_nothing_is_announced_when_nobody_listens(start_node, database, receiver):
    node = start_node()
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        api.send(app)
        receiver.wait(1)
        connections = node.metrics()["posthorn_database_connections"]
        tail = Tail(api)
        api.send(app)
        tail.next(type="attempt")
        assert node.metrics()["posthorn_database_connections"] == connections + 1, "one more from the first listener on"
        tail.close()
