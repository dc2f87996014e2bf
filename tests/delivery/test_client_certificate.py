"""Client certificates, and authorities of an endpoint's own."""
import ssl
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from invariants import wait_drained
from receiver import status
from server import Node
from tls import Authority

TLS = {"1.2": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), "1.3": (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)}


@pytest.fixture(scope="module")
def node(postgres, authority):
    one = Node(postgres.new_database(), POSTHORN_CA_FILE=authority.file, POSTHORN_RETRY_SCHEDULE="", POSTHORN_BREAKER_FAILURES=0)
    try:
        yield one.start()
        one.stop()
    finally:
        one.remove()


@pytest.fixture(scope="module")
def stranger():
    """An authority that only an endpoint of its own trusts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Authority(folder)


def demanding(authority, clients=None, **more):
    """A server that wants a certificate of this authority from its clients."""
    context = authority.server("127.0.0.1", **more)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations((clients or authority).file)
    return context


def attempt(node, url, mtls=None):
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, url)
        if mtls:
            api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/mtls", json=mtls)
        message = api.send(app)
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
        return one


@pytest.mark.parametrize("version", TLS)
def test_certificate_is_shown(node, authority, new_receiver, version):
    receiver = new_receiver(tls=demanding(authority, versions=TLS[version]))
    receiver.script("/hook", status(201, b"known"))
    one = attempt(node, receiver.url(), {"identity": authority.client()})
    assert (one["status"], one["responseStatusCode"], one["response"]) == (0, 201, "known")


@pytest.mark.parametrize("version", TLS)
def test_without_a_certificate_the_receiver_refuses(node, authority, new_receiver, version):
    receiver = new_receiver(tls=demanding(authority, versions=TLS[version]))
    one = attempt(node, receiver.url())
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert receiver.got() == []


@pytest.mark.parametrize("version", TLS)
def test_certificate_of_a_stranger_is_refused_by_the_receiver(node, authority, stranger, new_receiver, version):
    receiver = new_receiver(tls=demanding(authority, versions=TLS[version]))
    one = attempt(node, receiver.url(), {"identity": stranger.client()})
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert receiver.got() == []


def test_key_may_come_first_and_a_chain_behind(node, authority, new_receiver):
    receiver = new_receiver(tls=demanding(authority))
    pem = authority.client("turned")
    at = pem.index("-----BEGIN PRIVATE KEY-----")
    one = attempt(node, receiver.url(), {"identity": pem[at:] + pem[:at] + authority.file.read_text()})
    assert one["status"] == 0


def test_own_authority_is_trusted_instead_of_the_instances(node, authority, stranger, new_receiver):
    theirs, ours = new_receiver(tls=demanding(stranger)), new_receiver(tls=demanding(authority, clients=stranger))
    mtls = {"identity": stranger.client(), "ca": stranger.file.read_text()}
    assert attempt(node, theirs.url(), mtls)["status"] == 0
    for receiver, given in ((ours, mtls), (theirs, {**mtls, "ca": None})):
        one = attempt(node, receiver.url(), given)
        assert (one["status"], one["responseStatusCode"]) == (2, 0)
        assert one["response"].startswith("certificate verify failed: ")
    assert len(theirs.got()) == 1 and ours.got() == []


def test_own_authority_does_not_vouch_for_another_name(node, stranger, new_receiver):
    receiver = new_receiver(tls=stranger.server("other.example.test"))
    one = attempt(node, receiver.url(), {"identity": stranger.client(), "ca": stranger.file.read_text()})
    assert one["response"] == "certificate verify failed: IP address mismatch"


def test_endpoints_of_one_origin_do_not_share_connections(node, authority, new_receiver):
    """What one endpoint has shown who it is on, must not carry the requests of another."""
    context = authority.server("127.0.0.1")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(authority.file)
    receiver = new_receiver(tls=context)
    with node.api() as api:
        app = api.new_app()
        for n, client in enumerate((None, "one", "two")):
            endpoint = api.new_endpoint(app, receiver.url(f"/{n}"))
            if client:
                api.expect(204, "PUT", f"/app/{app['id']}/endpoint/{endpoint['id']}/mtls",
                           json={"identity": authority.client(client)})
        for _ in range(3):
            api.send(app)
            wait_drained(node, app["id"])
    connections = [{r.connection for r in receiver.got(f"/{n}")} for n in range(3)]
    assert all(len(receiver.got(f"/{n}")) == 3 for n in range(3))
    assert not connections[0] & connections[1] and not connections[1] & connections[2] and not connections[0] & connections[2]


def test_removal_is_obeyed(node, authority, new_receiver):
    receiver = new_receiver(tls=demanding(authority))
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, receiver.url())
        path = f"/app/{app['id']}/endpoint/{endpoint['id']}/mtls"
        api.expect(204, "PUT", path, json={"identity": authority.client()})
        api.send(app)
        receiver.wait(1)
        api.expect(204, "DELETE", path)
        assert api.get(path).status_code == 404
        message = api.send(app)
        wait_drained(node, app["id"])
        (one,) = api.attempts(app, message)
    assert (one["status"], one["responseStatusCode"]) == (2, 0)
    assert len(receiver.got()) == 1


def test_what_is_shown_has_no_key_and_all_is_sealed(node, authority):
    pem, ca = authority.client("shown"), authority.file.read_text()
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, "https://127.0.0.1:1/")
        path = f"/app/{app['id']}/endpoint/{endpoint['id']}/mtls"
        assert api.get(path).status_code == 404
        api.expect(204, "PUT", path, json={"identity": pem, "ca": ca})
        shown = api.expect(200, "GET", path)
    assert set(shown) == {"subject", "notAfter", "ca"}
    assert shown["subject"] == "CN=shown,O=Tests" and shown["ca"] == ca and shown["notAfter"].endswith("Z")
    with psycopg.connect(node.database.database_url) as db:
        for (row,) in db.execute("SELECT e::text FROM posthorn.endpoints e"):
            assert "BEGIN" not in row and b"BEGIN".hex() not in row


def refused(node, body, member):
    with node.api() as api:
        app = api.new_app()
        endpoint = api.new_endpoint(app, "https://127.0.0.1:1/")
        path = f"/app/{app['id']}/endpoint/{endpoint['id']}/mtls"
        answer = api.put(path, json=body)
        assert answer.status_code == 422, answer.text
        assert api.get(path).status_code == 404
        (fault,) = answer.json()["detail"]
        assert fault["loc"] == ["body", member]
        return fault["msg"]


def test_what_cannot_work_is_refused(node, authority, stranger):
    one, two = authority.client("one"), authority.client("two")
    key = "-----BEGIN PRIVATE KEY-----"
    assert refused(node, {"identity": "no PEM"}, "identity") == "has to hold a certificate in PEM form"
    assert refused(node, {"identity": one[:one.index(key)]}, "identity") == "has to hold a private key in PEM form"
    assert refused(node, {"identity": one[one.index(key):]}, "identity") == "has to hold a certificate in PEM form"
    assert refused(node, {"identity": one[:one.index(key)] + two[two.index(key):]},
                   "identity") == "the private key is not that of the first certificate"
    assert refused(node, {"identity": authority.client(days=-1)}, "identity").startswith("the certificate has expired at 2")
    assert refused(node, {"identity": one, "ca": "no PEM"}, "ca") == "has to hold a certificate in PEM form"
    assert refused(node, {}, "identity") == "field required"
    assert "at most 65536" in refused(node, {"identity": one + "x" * 65536}, "identity")


def test_key_with_a_password_is_refused(node, authority):
    pem = authority.client("locked")
    at = pem.index("-----BEGIN PRIVATE KEY-----")
    locked = subprocess.run(["openssl", "pkcs8", "-topk8", "-passout", "pass:x"], input=pem[at:], capture_output=True, text=True,
                            check=True).stdout
    assert "protected by a password" in refused(node, {"identity": pem[:at] + locked}, "identity")
