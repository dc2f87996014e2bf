"""Receivers that answer slowly, without end, or with what is no answer."""
import gzip
import json
import resource
import socket
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from invariants import wait_drained
from receiver import Answer, chunked, close, delay, drip, hang, ok, raw, reset, status
from wait import SLOWNESS

KEPT = 16 * 1024


@dataclass(frozen=True)
class Endless(Answer):
    """These first bytes, and then the same piece for ever."""
    head: bytes = b""
    piece: bytes = b"x" * 65536

    def wire(self):
        yield self.head
        while True:
            yield self.piece


OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def megabyte_of_headers():
    return raw(OK_HEAD + b"".join(b"X-Header-%d: %s\r\n" % (i, b"v" * 1000) for i in range(1024)) + b"\r\n")


@pytest.fixture
def attempt(once, receiver):
    """A function that lets a message be answered so, and returns its one attempt."""
    def make(answer):
        receiver.script("/hook", answer)
        with once.api() as api:
            app = api.new_app()
            api.new_endpoint(app, receiver.url())
            message = api.send(app)
            wait_drained(once, app["id"])
            (one,) = api.attempts(app, message)
            return one
    return make


def waited(timeout_ms):
    return f"{timeout_ms // 1000} s" if timeout_ms % 1000 == 0 else f"{timeout_ms} ms"


def test_hanging_endpoint_ends_at_the_deadline(attempt, timeout_ms):
    one = attempt(hang())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"] == f"no answer within {waited(timeout_ms)}"
    assert timeout_ms - 20 <= one["responseDurationMs"] <= timeout_ms + 200 * SLOWNESS


@pytest.mark.parametrize("answer", [
    drip(0.02, ok(b"y" * 1000)),
    drip(0.02, status(200, b"", {"X-Long": "y" * 1000})),
    chunked(b"a", b"b", b"c", b"d", b"e", pause=0.2 * SLOWNESS),
    raw(OK_HEAD + b"Content-Length: 1000\r\n\r\nhalf"),
    raw(OK_HEAD + b"X-Half: he"),
], ids=["body", "head", "chunks", "cut body", "cut head"])
def test_dripping_does_not_extend_the_deadline(attempt, timeout_ms, answer):
    one = attempt(answer)
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"] == f"no complete answer within {waited(timeout_ms)}"
    assert timeout_ms - 20 <= one["responseDurationMs"] <= timeout_ms + 200 * SLOWNESS


@pytest.mark.parametrize("head, piece", [
    (OK_HEAD + b"\r\n", b"x" * 65536),
    (OK_HEAD + b"Content-Length: 999999999999\r\n\r\n", b"x" * 65536),
    (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10000),
], ids=["until the end", "length", "chunks", "small chunks"])
def test_endless_body_is_cut_and_the_status_counts(attempt, head, piece):
    one = attempt(Endless(head=head, piece=piece))
    assert (one["status"], one["responseStatusCode"]) == (0, 200)
    assert one["response"] == "x" * KEPT


@pytest.mark.parametrize("head, piece", [
    (b"1;", b"x" * 65536),
    (b"0\r\n", b"X-Trailer: y\r\n" * 5000),
], ids=["extension", "trailers"])
def test_endless_chunk_is_cut_and_the_status_counts(attempt, timeout_ms, head, piece):
    one = attempt(Endless(head=OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + head, piece=piece))
    assert (one["status"], one["responseStatusCode"], one["response"]) == (0, 200, "")
    assert one["responseDurationMs"] < timeout_ms


@pytest.mark.parametrize("answer, reason", [
    (megabyte_of_headers(), "the answer is not valid HTTP: its headers are too long"),
    (Endless(head=OK_HEAD, piece=b"X-More: and more\r\n" * 1000), "the answer is not valid HTTP: its headers are too long"),
    (Endless(piece=b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "the answer is not valid HTTP: its headers are too long"),
    (raw(OK_HEAD + b"X-A: b\r\n" * 101 + b"\r\n"), "the answer is not valid HTTP: its headers are malformed or too many"),
    (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not valid HTTP: it does not begin with HTTP/1.0 or HTTP/1.1"),
    (raw(b"\xff\x00\x16\x03" * 5000), "the answer is not valid HTTP: it does not begin with HTTP/1.0 or HTTP/1.1"),
    (raw(b"HTTP/1.1 2000 OK\r\n\r\n"), "the answer is not valid HTTP: its status line is malformed"),
    (raw(b"HTTP/1.1 099 OK\r\n\r\n"), "the answer is not valid HTTP: its status line is malformed"),
    (raw(OK_HEAD + b"no colon\r\n\r\n"), "the answer is not valid HTTP: its headers are malformed or too many"),
    (raw(OK_HEAD + b"Content-Length: abc\r\n\r\n"), "the answer is not valid HTTP: Content-Length is not a number"),
    (raw(OK_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
     "the answer is not valid HTTP: Content-Length is given twice with different values"),
    (raw(OK_HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     "the answer is not valid HTTP: Content-Length and Transfer-Encoding are both given"),
    (raw(OK_HEAD + b"Transfer-Encoding: gzip\r\n\r\n"), "the answer is not valid HTTP: its Transfer-Encoding is not chunked"),
    (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
     "the answer is not valid HTTP: it switches to another protocol"),
], ids=["1 MB of headers", "endless headers", "endless interim answers", "101 headers", "ssh", "noise", "code of four digits",
        "code below 100", "no colon", "length abc", "two lengths", "length and chunked", "other coding", "switching"])
def test_what_is_no_answer_fails_with_a_plain_reason(attempt, answer, reason):
    one = attempt(answer)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, reason)


@pytest.mark.parametrize("chunks", [
    b"zz\r\n", b"-1\r\n\r\n", b"1\r\nabc\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n",
], ids=["no number", "negative", "too much data", "huge"])
def test_broken_chunks_fail(attempt, chunks):
    one = attempt(raw(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"].startswith("the answer is not valid HTTP: ")


@pytest.mark.parametrize("after, reason", [
    (b"", "connection reset"),
    (b"HTT", "connection reset"),
    (OK_HEAD + b"Content-Le", "connection reset"),
    (OK_HEAD + b"Content-Length: 10\r\n\r\n", "connection reset"),
    (OK_HEAD + b"Content-Length: 10\r\n\r\nhalf", "connection reset"),
    (OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nha", "connection reset"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", "connection reset"),
], ids=["nothing", "status line", "headers", "length", "body", "chunk", "interim"])
@pytest.mark.parametrize("how", [reset, close])
def test_end_at_each_stage_fails(attempt, after, reason, how):
    one = attempt(how(after))
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    if how is close:
        reason = "connection closed before the answer was complete" if after else "connection closed without an answer"
    assert one["response"] == reason


@pytest.mark.parametrize("when", ["accept", "half of the request"])
def test_reset_before_the_request_is_there_fails(once, when):
    listener = socket.create_server(("127.0.0.1", 0))

    def break_off():
        connection, _ = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if when != "accept":
            connection.recv(1000)
        connection.close()

    thread = threading.Thread(target=break_off, daemon=True)
    thread.start()
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        message = api.send(app, {"t": "x" * 900_000})
        wait_drained(once, app["id"])
        (one,) = api.attempts(app, message)
    thread.join(10)
    listener.close()
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, "connection reset")


def resident(node):
    """Bytes of memory of the server."""
    pages = int(Path(f"/proc/{node.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_hundred_megabytes_are_bounded_in_time_and_memory(once, attempt):
    """Twenty at once would be 2 GB; they are cut, and what is kept is 16 KiB of each."""
    attempt(ok())
    before = resident(once)
    for _ in range(20):
        one = attempt(Endless(head=OK_HEAD + b"Content-Length: 104857600\r\n\r\n", piece=b"m" * 65536))
        assert (one["status"], one["responseStatusCode"], one["response"]) == (0, 200, "m" * KEPT)
        assert one["responseDurationMs"] < 2000 * SLOWNESS
    if SLOWNESS == 1:  # a sanitizer keeps what was freed
        assert resident(once) - before < 16 << 20


@pytest.mark.parametrize("answer, code, response", [
    (chunked(b"on", b"e ", b"two"), 200, "one two"),
    (raw(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"), 200, "abc"),
    (raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK_HEAD + b"Content-Length: 2\r\n\r\nok"), 200, "ok"),
    (raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"),
     500, "no"),
    (raw(b"HTTP/1.0 200 OK\r\n\r\nold", silent_close=True), 200, "old"),
    (raw(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 200, ""),
    (raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nlf"), 200, "lf"),
    (raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 3\r\n\r\nodd"), 999, "odd"),
    (raw(OK_HEAD + b"Content-Length: 2\r\n\r\nok and more than was told"), 200, "ok"),
], ids=["chunked", "extension and trailer", "100", "103 and 100", "HTTP/1.0", "no reason", "bare LF", "999", "too much"])
def test_unusual_answers_are_read(attempt, answer, code, response):
    one = attempt(answer)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (0 if code == 200 else 2, code, response)


def test_slow_answer_within_the_deadline_is_read(attempt, timeout_ms):
    one = attempt(drip(0.001, ok(b"slow but whole")))
    assert (one["status"], one["response"]) == (0, "slow but whole")
    one = attempt(delay(timeout_ms / 3000))
    assert one["status"] == 0 and one["responseDurationMs"] >= timeout_ms // 3


@pytest.mark.parametrize("length", [0, 1, KEPT - 1, KEPT, KEPT + 1, 100_000])
def test_response_is_kept_up_to_16_kib(attempt, length):
    body = b"".join(b"%07d " % i for i in range(length // 8 + 1))[:length]
    one = attempt(status(500, body))
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 500, body[:KEPT].decode())


@pytest.mark.parametrize("coding, pack", [
    ("gzip", lambda plain: gzip.compress(plain, 9)),
    ("deflate", lambda plain: zlib.compress(plain, 9)),
    ("gzip, gzip", lambda plain: gzip.compress(gzip.compress(plain, 9), 9) + b" " * KEPT),
    ("br", lambda plain: b"\xcf\xff\xff\xff" * KEPT),
])
def test_compressed_bomb_is_not_unpacked(once, attempt, coding, pack):
    bomb = pack(b"\0" * 50_000_000)
    assert KEPT < len(bomb) <= 4 * KEPT, "it arrives whole, and a part of it is kept"
    attempt(ok())
    before = resident(once)
    one = attempt(status(200, bomb, {"Content-Encoding": coding}))
    assert (one["status"], one["responseStatusCode"]) == (0, 200)
    assert len(one["response"].encode()) <= 4 * KEPT
    if SLOWNESS == 1:
        assert resident(once) - before < 16 << 20


def test_nothing_compressed_is_asked_for(once, receiver):
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        api.send(app)
    assert receiver.wait(1)[0].header("accept-encoding") is None


@pytest.mark.parametrize("code", [300, 301, 302, 303, 305, 307, 308])
def test_redirect_into_the_private_network_is_not_followed(once, receiver, new_receiver, code):
    """Neither by Location nor by anything else that a client might take for an order."""
    inside = new_receiver()
    there = inside.url("/admin")
    receiver.script("/hook", status(code, b"go", {"Location": there, "Content-Location": there, "Refresh": f"0; url={there}",
                                                  "Alt-Svc": f'h2="127.0.0.1:{inside.port}"', "Link": f"<{there}>; rel=canonical"}))
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        wait_drained(once, app["id"])
        (one,) = api.attempts(app, message)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, code, "go")
    assert inside.connections == 0


def test_response_that_is_no_text_is_still_shown_as_json(once, receiver):
    receiver.script("/hook", status(500, bytes(range(256)) + b"\xed\xa0\x80\xf5\xc0\x80 end"))
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        message = api.send(app)
        wait_drained(once, app["id"])
        answer = api.get(f"/app/{app['id']}/attempt/msg/{message['id']}")
        text = json.loads(answer.content.decode("utf-8", "strict"))["data"][0]["response"]
    assert text.startswith("".join(map(chr, range(128)))) and text.endswith(" end")


def test_connection_is_not_used_again_after_more_than_was_told(once, receiver):
    """The bytes behind an answer must not become the answer to the next delivery."""
    trap = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrap"
    receiver.script("/hook", raw(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno" + trap), status(500, b"real"))
    with once.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        for _ in range(2):
            message = api.send(app)
            wait_drained(once, app["id"])
        (one,) = api.attempts(app, message)
    assert (one["responseStatusCode"], one["response"]) == (500, "real")


def test_receiver_that_answers_before_it_reads_all_is_heard(once):
    """413 and a closed connection while a large payload is still on its way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    with once.api() as client:
        app = client.new_app()
        client.new_endpoint(app, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        message = client.send(app, {"t": "x" * 900_000})
        wait_drained(once, app["id"])
        (one,) = client.attempts(app, message)
    thread.join(10)
    listener.close()
    assert (one["responseStatusCode"], one["response"]) == (413, "big")
