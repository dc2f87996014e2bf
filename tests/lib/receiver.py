"""A scripted receiver: an HTTP/1.1 server on raw sockets that records every request byte for byte and answers, delays,
hangs, drips or breaks off as told.

    receiver.script("/hook", status(500), reset(), ok())    answers in this order, then the default again
    receiver.default = delay(2.0)                           what everything unscripted gets: an Answer, or a function of the
                                                            Request that returns one
    request = receiver.wait(1, "/hook")[0]                  the first requests of a path, as soon as they are there
"""
import asyncio
import socket
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from wait import SLOWNESS


@dataclass(frozen=True)
class Request:
    method: str
    target: str  # as sent: path and query
    version: str
    headers: tuple  # of (name, value), as sent, in order
    body: bytes
    raw: bytes  # head and body as they came
    connection: int  # counts from 1
    at: float  # time.monotonic() when the last byte was there
    wall: float  # time.time() then

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name):
        """The value of the only header of this name; None without."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: tuple = ()
    body: bytes = b"ok"
    delay: float = 0.0  # seconds before the first byte
    chunks: tuple = ()  # not empty: a chunked answer of these pieces instead of body
    pause: float = 0.0  # seconds between the pieces
    drip: float = 0.0  # seconds between the bytes of the whole answer
    raw: bytes = None  # exactly these bytes instead of all the above
    close: bool = False  # closes the connection afterwards (and says so in a header, unless raw)
    silent_close: bool = False  # closes it afterwards without having said so
    hang: bool = False  # never answers
    reset: bool = False  # RST instead of an answer; after raw or body bytes if there are any in raw

    def wire(self):
        if self.raw is not None:
            return [self.raw]
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.close:
            lines.append("Connection: close")
        bodyless = self.status == 204 or self.status == 304 or self.status < 200
        if self.chunks:
            lines.append("Transfer-Encoding: chunked")
        elif not bodyless:
            lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if self.chunks:
            return [head] + [b"%x\r\n%s\r\n" % (len(c), c) for c in self.chunks] + [b"0\r\n\r\n"]
        return [head if bodyless else head + self.body]


def ok(body=b"ok", **more):
    return Answer(body=body, **more)


def status(code, body=b"", headers=(), **more):
    return Answer(status=code, body=body, headers=tuple(dict(headers).items()), **more)


def delay(seconds, answer=Answer()):
    return replace(answer, delay=seconds)


def chunked(*pieces, pause=0.0, **more):
    return Answer(chunks=tuple(pieces), pause=pause, **more)


def drip(seconds, answer=Answer()):
    """The whole answer byte by byte, so many seconds apart."""
    return replace(answer, drip=seconds)


def hang():
    return Answer(hang=True)


def reset(after=b""):
    return Answer(raw=after, reset=True)


def close(after=b""):
    """Ends the connection, after these bytes if any."""
    return Answer(raw=after, silent_close=True)


def raw(data, silent_close=False):
    return Answer(raw=data, silent_close=silent_close)




class Receiver:
    """Listens on 127.0.0.1 and a free port as soon as it is made; close() ends it. All methods may be called from the test."""

    def __init__(self, tls=None, host="127.0.0.1"):
        """tls: an ssl.SSLContext for https."""
        self.default = Answer()
        self.requests = []  # all of them, in order of arrival
        self.faults = []  # what was no HTTP/1.1 request
        self.connections = 0
        self._tls = tls
        self._host = host
        self._scripts = {}
        self._tasks = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._thread.start()
        self._open(0)

    # ---- for the test ----

    @property
    def base(self):
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    def url(self, path="/hook"):
        return self.base + path

    def script(self, path, *answers):
        """The next answers of a path, after those that are scripted already."""
        with self._changed:
            self._scripts.setdefault(path, deque()).extend(answers)

    def got(self, path=None):
        with self._changed:
            return [r for r in self.requests if path is None or r.path == path]

    def wait(self, count=1, path=None, timeout=10.0):
        """The requests of a path (of all paths) as soon as there are at least count of them."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._count(path) >= count or self.faults, timeout * SLOWNESS)
            assert not self.faults, f"the receiver met what is no request: {self.faults}"
            assert there, f"{self._count(path)} requests of {path or 'any path'} after {timeout * SLOWNESS:g} s, not {count}"
        return self.got(path)

    def stop_listening(self):
        """Refuses connections from now on, and breaks the open ones."""
        self._call(self._shut())

    def listen_again(self):
        self._open(self.port)

    def close(self):
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- on the loop's thread ----

    def _count(self, path):
        return sum(1 for r in self.requests if path is None or r.path == path)

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _open(self, port):
        async def start():
            return await asyncio.start_server(self._serve, self._host, port, ssl=self._tls, backlog=1024, limit=1 << 24)

        self._server = self._call(start())
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self):
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        connection = self.connections
        try:
            while True:
                request = await self._read(reader, connection)
                if request is None or not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the other side left, or the receiver is being closed
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _read(self, reader, connection):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                self._fault(f"connection {connection} ended inside a head: {e.partial!r}")
            return None
        lines = head[:-4].decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return self._fault(f"header line {line!r}")
            headers.append((name, value.strip(" \t")))
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            return self._fault(f"request line {lines[0]!r}")
        lower = [(name.lower(), value) for name, value in headers]
        lengths = [value for name, value in lower if name == "content-length"]
        if any(name == "transfer-encoding" for name, _ in lower) or len(lengths) > 1:
            return self._fault(f"framing {headers!r}")
        if lengths and not lengths[0].isdecimal():
            return self._fault(f"content-length {lengths[0]!r}")
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        request = Request(parts[0], parts[1], parts[2], tuple(headers), body, head + body, connection,
                          time.monotonic(), time.time())
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        return request

    def _fault(self, text):
        with self._changed:
            self.faults.append(text)
            self._changed.notify_all()

    async def _answer(self, request, writer):
        """Answers; false: the connection is over."""
        with self._changed:
            script = self._scripts.get(request.path)
            answer = script.popleft() if script else self.default
        if callable(answer):
            answer = answer(request)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.hang:
            await asyncio.Event().wait()
        for i, piece in enumerate(answer.wire()):
            if i and answer.pause:
                await asyncio.sleep(answer.pause)
            if answer.drip:
                for byte in piece:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(answer.drip)
            else:
                writer.write(piece)
                await writer.drain()
        if answer.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        return not (answer.close or answer.silent_close)
