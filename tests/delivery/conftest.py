"""Nodes with the settings that many tests of deliveries want, and signatures computed by hand."""
import base64
import hashlib
import hmac

import pytest
from server import Node
from wait import SLOWNESS

TIMEOUT_MS = 300 * SLOWNESS  # of an attempt of `quick`


def _node(postgres, **settings):
    node = Node(postgres.new_database(), **settings)
    try:
        yield node.start()
        node.stop()
    finally:
        node.remove()


@pytest.fixture(scope="session")
def server(postgres):
    """Instead of a `posthorn dev`: a node with the settings as they are by default, on the same PostgreSQL as the others."""
    yield from _node(postgres)


@pytest.fixture(scope="session")
def other_tenant(server):
    return server.database.new_tenant("other")


@pytest.fixture(scope="session")
def quick(postgres):
    """A node that tries three times, a second apart, and waits but a moment for an answer."""
    yield from _node(postgres, POSTHORN_RETRY_SCHEDULE="1,1", POSTHORN_RETRY_JITTER_PERCENT=0,
                     POSTHORN_ATTEMPT_TIMEOUT_MS=TIMEOUT_MS, POSTHORN_BREAKER_FAILURES=0)


@pytest.fixture(scope="session")
def once(postgres):
    """A node that tries once, and waits but a moment for an answer."""
    yield from _node(postgres, POSTHORN_RETRY_SCHEDULE="", POSTHORN_ATTEMPT_TIMEOUT_MS=TIMEOUT_MS, POSTHORN_BREAKER_FAILURES=0)


@pytest.fixture(scope="session")
def timeout_ms():
    return TIMEOUT_MS


def signature(secret, request):
    """What webhook-signature has to hold for this secret, by the text of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{request.header('webhook-id')}.{request.header('webhook-timestamp')}.".encode() + request.body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@pytest.fixture(scope="session", name="signature")
def signature_function():
    return signature
