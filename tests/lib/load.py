"""Many messages at full speed, and a receiver that keeps up with them. Both on one event loop in one thread of their own.

    with Load() as load:
        load.sink.url("/0")                                a fast receiver; takes the `n` of each payload
        sending = load.start([node.url], key, apps, 20_000)  8 connections that send {"n": 0}, {"n": 1}, ...
        load.wait_accepted(8_000)
        load.goes_on_at(url)                               after the server has moved
        sending.wait()
        load.accepted, load.sink.counts                    {n: message id}, {(path, n): how often it came}
"""
import asyncio
import itertools
import random
import re
import threading
import time
from collections import Counter

from wait import SLOWNESS, wait_for

NUMBER = re.compile(rb'"n":(\d+)')
ID = re.compile(rb'"id":"(msg_\w+)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class _Receiving(asyncio.Protocol):
    def __init__(self, sink):
        self.sink = sink
        self.bytes = b""

    def connection_made(self, transport):
        self.transport = transport
        self.sink.transports.add(transport)

    def connection_lost(self, _):
        self.sink.transports.discard(self.transport)

    def data_received(self, data):
        self.bytes += data
        while True:
            end = self.bytes.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self.bytes, 0, end)
            whole = end + 4 + int(length[1])
            if len(self.bytes) < whole:
                return
            path = self.bytes.split(b" ", 2)[1].decode()
            number = int(NUMBER.search(self.bytes, end)[1])
            self.bytes = self.bytes[whole:]
            self.sink.take(path, number, self.transport)


class Sink:
    """Answers 200 to everything, `delay` seconds later; but 500 at once to a random share, `failing`, which counts apart."""

    def __init__(self, loop):
        self.loop = loop
        self.delay = 0.0
        self.failing = 0.0
        self.failed = 0
        self.counts = Counter()
        self.times = {}  # (path, number): time.monotonic() when it came first
        self.transports = set()
        self.under_way = set()  # (path, number) that came and are not answered

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def missing(self, path, numbers):
        return [n for n in numbers if (path, n) not in self.counts]

    def duplicates(self):
        return sum(self.counts.values()) - len(self.counts)

    async def open(self):
        self.server = await self.loop.create_server(lambda: _Receiving(self), "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    def take(self, path, number, transport):
        if self.failing and random.random() < self.failing:
            self.failed += 1
            transport.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            return
        self.counts[path, number] += 1
        self.times.setdefault((path, number), time.monotonic())
        if not self.delay:
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        self.under_way.add((path, number))
        self.loop.call_later(self.delay, self._answer, path, number, transport)

    def _answer(self, path, number, transport):
        self.under_way.discard((path, number))
        if not transport.is_closing():
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class Load:
    def __init__(self):
        self.accepted = {}  # number: message id, for those answered 202
        self.unknown = set()  # numbers whose answer was lost with its connection: stored or not
        self.refused = Counter()  # status: how often, for answers other than 202; they are sent again
        self.without_retry_after = 0  # answers 503
        self.loop = asyncio.new_event_loop()
        self.sink = Sink(self.loop)
        self._addresses = None
        self._numbers = iter(())
        self._stopping = False
        self._thread = threading.Thread(target=self.loop.run_forever, name="load", daemon=True)

    def __enter__(self):
        self._thread.start()
        self._call(self.sink.open())
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._call(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def start(self, urls, key, apps, count, connections=8):
        """Sends `count` messages, the n-th to the application apps[n % len(apps)]. Returns an object with wait()."""
        self._numbers = iter(range(count))
        self._key, self._apps = key, apps
        self.goes_on_at(*urls)
        sending = [asyncio.run_coroutine_threadsafe(self._send(), self.loop) for _ in range(connections)]
        return _Sending(sending)

    def stop(self):
        """No further messages: those under way are the last."""
        self._numbers = iter(())

    def goes_on_at(self, *urls):
        """New connections go there, in turn."""
        self._addresses = itertools.cycle([(host, int(port)) for host, port in
                                           (url.removeprefix("http://").rsplit(":", 1) for url in urls)])

    def wait_accepted(self, count, timeout=60.0):
        wait_for(lambda: len(self.accepted) >= count, timeout, f"{count} messages are accepted")

    def wait_arrived(self, paths, timeout=60.0):
        """Every accepted message at every path that its application has: paths[n % len(paths)] is a list."""
        def all_there():
            counts = self.sink.counts
            return all((path, n) in counts for n in list(self.accepted) for path in paths[n % len(paths)])
        wait_for(all_there, timeout, "every accepted message has arrived")

    async def _send(self):
        reader = writer = None
        number = None
        while not self._stopping:
            if number is None:
                number = next(self._numbers, None)
                if number is None:
                    break
            sent = False
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection(*next(self._addresses))
                writer.write(self._request(number))
                sent = True
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(LENGTH.search(head)[1]))
            except (OSError, asyncio.IncompleteReadError):
                if writer is not None:
                    writer.close()
                    writer = None
                if sent:
                    self.unknown.add(number)
                    number = None
                else:
                    await asyncio.sleep(0.02)
                continue
            if b"\r\nconnection: close" in head.lower():
                writer.close()
                writer = None
            status = int(head[9:12])
            if status == 202:
                self.accepted[number] = ID.search(body)[1].decode()
                number = None
            else:
                self.refused[status] += 1
                if status == 503 and b"\r\nretry-after:" not in head.lower():
                    self.without_retry_after += 1
                await asyncio.sleep(0.05)
        if writer is not None:
            writer.close()

    def _request(self, number):
        body = b'{"eventType":"load.sent","payload":{"n":%d,"filling":"%s"}}' % (number, b"x" * 300)
        return (b"POST /api/v1/app/%s/msg HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (self._apps[number % len(self._apps)].encode(), self._key.encode(), len(body), body))

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _close(self):
        self.sink.server.close()
        for transport in self.sink.transports:
            transport.abort()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Sending:
    def __init__(self, futures):
        self._futures = futures

    def wait(self, timeout=60.0):
        for future in self._futures:
            future.result(timeout * SLOWNESS)
