"""https: what is trusted, and what a failed handshake looks like."""
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import pytest
from invariants import wait_drained
from receiver import status
from server import Node
from tls import Authority

TLS = {"1.2": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), "1.3": (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)}


@pytest.fixture(scope="module")
def node(postgres, authority):
    one = Node(postgres.new_database(), POSTHORN_CA_FILE=authority.file, POSTHORN_RETRY_SCHEDULE="")
    try:
        yield one.start()
        one.stop()
    finally:
        one.remove()


@pytest.fixture(scope="module")
def stranger():
    """An authority that nobody trusts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Authority(folder)


def self_signed(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.file, authority.folder / "ca.key")
    return context


def attempt(node, url):
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, url)
        message = api.send(app, {"secret": "of the customer"})
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
        return one


@pytest.mark.parametrize("version", TLS)
def test_certificate_of_the_authority_is_trusted(node, authority, new_receiver, signature, version):
    receiver = new_receiver(tls=authority.server("127.0.0.1", versions=TLS[version]))
    receiver.script("/hook", status(201, b"made"))
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        message = api.send_bytes(app, b'{"a":1.0}')
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
        secret = api.secret(app, endpoint)
    assert (one["status"], one["responseStatusCode"], one["response"]) == (0, 201, "made")
    (request,) = receiver.got()
    assert request.body == b'{"a":1.0}' and request.header("host") == f"127.0.0.1:{receiver.port}"
    assert request.header("webhook-signature") == signature(secret, request)


@pytest.mark.parametrize("version", TLS)
def test_host_name_is_checked_and_asked_for(node, authority, new_receiver, version):
    asked = []
    context = authority.server("localhost", versions=TLS[version])
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    receiver = new_receiver(tls=context)
    one = attempt(node, f"https://localhost:{receiver.port}/hook")
    assert one["status"] == 0 and asked == ["localhost"]


@pytest.mark.parametrize("version", TLS)
@pytest.mark.parametrize("given, host, reason", [
    ("other.example.test", "localhost", "certificate verify failed: hostname mismatch"),
    ("127.0.0.2", "127.0.0.1", "certificate verify failed: IP address mismatch"),
    ("localhost", "127.0.0.1", "certificate verify failed: IP address mismatch"),
    ("*.localhost", "localhost", "certificate verify failed: hostname mismatch"),
])
def test_certificate_of_another_name_is_refused(node, authority, new_receiver, version, given, host, reason):
    receiver = new_receiver(tls=authority.server(given, versions=TLS[version]))
    one = attempt(node, f"https://{host}:{receiver.port}/hook")
    assert (one["status"], one["responseStatusCode"], one["response"]) == (2, 0, reason)
    assert receiver.got() == []


@pytest.mark.parametrize("version", TLS)
def test_expired_certificate_is_refused(node, authority, new_receiver, version):
    receiver = new_receiver(tls=authority.server("127.0.0.1", days=-1, versions=TLS[version]))
    one = attempt(node, receiver.url())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"] == "certificate verify failed: certificate has expired"
    assert receiver.got() == []


@pytest.mark.parametrize("version", TLS)
def test_certificate_of_a_stranger_is_refused(node, stranger, new_receiver, version):
    receiver = new_receiver(tls=stranger.server("127.0.0.1", versions=TLS[version]))
    one = attempt(node, receiver.url())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"] == "certificate verify failed: unable to get local issuer certificate"
    assert receiver.got() == []


def test_self_signed_certificate_is_refused(node, stranger, new_receiver):
    receiver = new_receiver(tls=self_signed(stranger))
    one = attempt(node, receiver.url())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"].startswith("certificate verify failed: self-signed certificate")
    assert receiver.got() == []


def test_authorities_of_the_system_do_not_trust_the_authority_of_a_test(once, authority, new_receiver):
    receiver = new_receiver(tls=authority.server("127.0.0.1"))
    one = attempt(once, receiver.url())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"].startswith("certificate verify failed: ")
    assert receiver.got() == []


def test_plain_http_behind_https_fails_in_the_handshake(node):
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    one = attempt(node, f"https://127.0.0.1:{listener.getsockname()[1]}/hook")
    thread.join(10)
    listener.close()
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert one["response"].startswith("TLS handshake failed: ")


def test_https_behind_http_is_no_answer(node, authority, new_receiver):
    receiver = new_receiver(tls=authority.server("127.0.0.1"))
    one = attempt(node, f"http://127.0.0.1:{receiver.port}/hook")
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert receiver.got() == []


def test_connection_is_kept(node, authority, new_receiver):
    receiver = new_receiver(tls=authority.server("127.0.0.1"))
    with node.api() as api:
        app = api.new_app()
        api.new_endpoint(app, receiver.url())
        for n in range(1, 11):
            api.send(app)
            receiver.wait(n)
    assert receiver.connections == 1
