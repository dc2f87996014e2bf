"""A forward proxy for all outbound requests: HTTP CONNECT and SOCKS5."""
import base64
import socket
import struct
import threading

import pytest
from wait import wait_for
from invariants import wait_drained
from receiver import ok
from server import run


class Proxy:
    """A proxy on 127.0.0.1 that relays what it is asked for; `asked` is what that was: (address, port), and the credentials."""

    def __init__(self, credentials=None, answer=None):
        """answer: said to everybody instead of doing anything."""
        self.credentials, self.answer = credentials, answer
        self.asked, self.told = [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._spawn(self._accept)

    def close(self):
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _spawn(self, target, *arguments):
        threading.Thread(target=self._quietly, args=(target, *arguments), daemon=True).start()

    @staticmethod
    def _quietly(target, *arguments):
        try:
            target(*arguments)
        except OSError:
            pass  # somebody hung up

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            self._sockets.append(client)
            self._spawn(self._serve, client)

    def _serve(self, client):
        with client:
            if self.answer is not None:
                client.recv(1 << 16)
                client.sendall(self.answer)
                while client.recv(1 << 16):
                    pass
                return
            self.greet(client, client.makefile("rb", buffering=0))

    def _relay(self, client, address, port):
        self.asked.append((address, port))
        upstream = socket.create_connection((address, port), 5)
        self._sockets.append(upstream)
        self._spawn(self._pump, upstream, client)
        self._pump(client, upstream)

    @staticmethod
    def _pump(a, b):
        while data := a.recv(1 << 16):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)


class Connect(Proxy):
    scheme = "http"

    def greet(self, client, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = stream.read(1)
            if not byte:
                return
            head += byte
        lines = head.decode().split("\r\n")
        verb, authority, _ = lines[0].split(" ")
        assert verb == "CONNECT"
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        told = fields.get("Proxy-Authorization")
        self.told.append(base64.b64decode(told.removeprefix("Basic ")).decode() if told else None)
        if self.told[-1] != self.credentials:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        address, _, port = authority.rpartition(":")
        self._relay(client, address.strip("[]"), int(port))


class Socks(Proxy):
    scheme = "socks5"

    def greet(self, client, stream):
        version, n = stream.read(2)
        methods = stream.read(n)
        assert version == 5
        told = None
        if self.credentials and 2 in methods:
            client.sendall(b"\x05\x02")
            _, n = stream.read(2)
            told = stream.read(n).decode()
            told += ":" + stream.read(stream.read(1)[0]).decode()
            client.sendall(b"\x01\x00" if told == self.credentials else b"\x01\x01")
        elif self.credentials:
            client.sendall(b"\x05\xff")
            return
        else:
            client.sendall(b"\x05\x00")
        self.told.append(told)
        if told != self.credentials:
            return
        assert stream.read(4) == b"\x05\x01\x00\x01"
        address, port = struct.unpack("!4sH", stream.read(6))
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self._relay(client, socket.inet_ntoa(address), port)


@pytest.fixture
def new_proxy():
    made = []

    def make(kind, **more):
        made.append(kind(**more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def start(start_node, proxy, user="", **settings):
    return start_node(POSTHORN_PROXY=f"{proxy.scheme}://{user}127.0.0.1:{proxy.port}", POSTHORN_RETRY_SCHEDULE="",
                      POSTHORN_ATTEMPT_TIMEOUT_MS=5000, POSTHORN_CONNECT_TIMEOUT_MS=2000, **settings)


def attempt(node, url):
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, url)
        message = api.send(app, {"n": 1})
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
        return one


@pytest.mark.parametrize("kind", [Connect, Socks])
def test_all_goes_through_the_proxy(start_node, new_proxy, new_receiver, authority, kind):
    """http and https, by address and by name: the proxy is asked for the address that the name has, and TLS for the name."""
    proxy = new_proxy(kind)
    asked = []
    context = authority.server("localhost")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    plain, secure = new_receiver(), new_receiver(tls=context)
    node = start(start_node, proxy, POSTHORN_CA_FILE=authority.file)
    plain.script("/hook", ok(b"plain"), ok(b"plain"))
    secure.script("/hook", ok(b"secure"))
    for url, word in ((plain.url(), "plain"), (f"http://localhost:{plain.port}/hook", "plain"),
                      (f"https://localhost:{secure.port}/hook", "secure")):
        one = attempt(node, url)
        assert (one["status"], one["response"]) == (0, word)
    assert proxy.asked == [("127.0.0.1", plain.port), ("127.0.0.1", plain.port), ("127.0.0.1", secure.port)]
    assert asked == ["localhost"]
    assert plain.got()[0].header("host") == f"127.0.0.1:{plain.port}"
    assert plain.got()[0].target == "/hook" and plain.got()[0].header("proxy-authorization") is None


@pytest.mark.parametrize("kind", [Connect, Socks])
def test_connection_through_the_proxy_is_kept(start_node, new_proxy, receiver, kind):
    proxy = new_proxy(kind)
    node = start(start_node, proxy)
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        for n in range(1, 6):
            api.send(app)
            wait_for(lambda: node.metrics()["posthorn_attempts_success_total"] == n)  # its connection is free again
    assert len(proxy.asked) == 1 == receiver.connections


@pytest.mark.parametrize("kind", [Connect, Socks])
def test_credentials_are_told_to_the_proxy_and_to_nobody_else(start_node, new_proxy, receiver, kind):
    proxy = new_proxy(kind, credentials="user:p@ss:word")
    node = start(start_node, proxy, user="user:p%40ss%3Aword@")
    assert attempt(node, receiver.url())["status"] == 0
    assert proxy.told == ["user:p@ss:word"]
    assert b"p@ss" not in receiver.got()[0].raw and "p@ss" not in node.log() and "p%40ss" not in node.log()


@pytest.mark.parametrize("kind", [Connect, Socks])
@pytest.mark.parametrize("user, reason", [("", "the proxy asks for a user name and password"),
                                          ("user:wrong@", "the proxy refused the user name or password")])
def test_refused_credentials_are_a_plain_reason(start_node, new_proxy, receiver, kind, user, reason):
    node = start(start_node, new_proxy(kind, credentials="user:right"), user=user)
    one = attempt(node, receiver.url())
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, reason)
    assert receiver.connections == 0


def test_proxies_that_fail_are_plain_reasons(start_node, new_proxy, receiver):
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    node = start_node(POSTHORN_PROXY=f"http://127.0.0.1:{port}", POSTHORN_RETRY_SCHEDULE="")
    assert attempt(node, receiver.url())["response"] == "the proxy refused the connection"
    node.stop()
    for answer, reason in ((b"HTTP/1.1 503 No\r\n\r\n", "the proxy could not connect: it answered 503"),
                           (b"220 mail ESMTP\r\n", "the proxy's answer is not valid HTTP"),
                           (b"", "the proxy did not answer in time")):
        node = start(start_node, new_proxy(Connect, answer=answer))
        one = attempt(node, receiver.url())
        assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, reason)
        node.stop()
    assert receiver.connections == 0


@pytest.mark.parametrize("kind", [Connect, Socks])
def test_proxy_is_no_way_round_the_guard(start_node, new_proxy, receiver, kind):
    """The proxy may be on the loopback; what it is asked for may not."""
    proxy = new_proxy(kind)
    node = start(start_node, proxy, POSTHORN_GUARD_ALLOW=None)
    for host in ("127.0.0.1", "localhost", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]"):
        assert attempt(node, f"http://{host}:{receiver.port}/hook")["response"] == "address not allowed"
    assert proxy.asked == [] and proxy.told == [] and receiver.connections == 0


def test_listed_hosts_are_reached_without_the_proxy(start_node, new_proxy, new_receiver):
    proxy, one, other = new_proxy(Connect), new_receiver(), new_receiver(host="127.0.0.2")
    node = start(start_node, proxy, POSTHORN_NO_PROXY="example.test, 127.0.0.2/32, localhost")
    assert attempt(node, other.url())["status"] == 0
    assert attempt(node, f"http://localhost:{one.port}/hook")["status"] == 0
    assert proxy.asked == []
    assert attempt(node, one.url())["status"] == 0
    assert proxy.asked == [("127.0.0.1", one.port)]


@pytest.mark.parametrize("setting, value", [("POSTHORN_PROXY", "ftp://user:hidden@x:1"), ("POSTHORN_PROXY", "http://hidden"),
                                            ("POSTHORN_NO_PROXY", "10.0.0.0/99")])
def test_wrong_settings_end_the_start_and_hide_the_password(start_node, setting, value):
    with pytest.raises(AssertionError) as failed:
        start_node(**{setting: value})
    assert setting in str(failed.value) and "hidden" not in str(failed.value)


def test_config_does_not_print_the_proxy():
    assert "hidden" not in run("config", POSTHORN_PROXY="http://user:hidden@x:1")
