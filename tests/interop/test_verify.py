"""Libraries of others verify what we sign: `standardwebhooks` of PyPI and of npm."""
import base64
import json
import subprocess
from pathlib import Path

import pytest
from receiver import Receiver
from standardwebhooks import Webhook, WebhookVerificationError
from wait import SLOWNESS

HERE = Path(__file__).parent


def by_python(secret, headers, body):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def by_node(secret, headers, body):
    text = json.dumps([{"secret": secret, "headers": list(headers.items()), "body": base64.b64encode(body).decode()}])
    done = subprocess.run(["node", "verify.mjs", "standardwebhooks"], cwd=HERE, input=text, capture_output=True, text=True,
                          timeout=30 * SLOWNESS)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout)
    return answer == "ok"


@pytest.fixture(scope="module")
def captured(server):
    """(secrets, the newest first; headers; body) of a delivery that two secrets signed."""
    receiver = Receiver()
    try:
        with server.api() as api:
            app = api.new_app()
            endpoint = api.new_endpoint(app, receiver.url())
            secrets = [api.secret(app, endpoint)]
            api.expect(200, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate", json={})
            secrets.insert(0, api.secret(app, endpoint))
            api.send_bytes(app, '{"text": "Zoë \\u00e9 \\/ 😀", "n": 1.0, "list": [ ] }'.encode())
            (request,) = receiver.wait()
    finally:
        receiver.close()
    return secrets, {name.lower(): value for name, value in request.headers}, request.body


LIBRARIES = pytest.mark.parametrize("verify", [by_python, by_node])


@LIBRARIES
@pytest.mark.parametrize("which", [0, 1], ids=["new", "old"])
def test_each_valid_secret_verifies(captured, verify, which):
    secrets, headers, body = captured
    assert verify(secrets[which], headers, body)


@LIBRARIES
def test_changed_byte_fails(captured, verify):
    secrets, headers, body = captured
    assert not verify(secrets[0], headers, body.replace(b"1.0", b"1.1"))
    assert not verify(secrets[0], headers, body + b"\n")
    assert not verify(secrets[0], headers, body.replace(b'": ', b'":')), "the same JSON in other bytes"


@LIBRARIES
def test_changed_header_fails(captured, verify):
    secrets, headers, body = captured
    assert not verify(secrets[0], {**headers, "webhook-id": headers["webhook-id"] + "x"}, body)
    assert not verify(secrets[0], {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body)
    assert not verify(secrets[0], {**headers, "webhook-signature": headers["webhook-signature"].split(" ")[1]}, body)


@LIBRARIES
def test_secret_of_another_endpoint_fails(captured, verify):
    _, headers, body = captured
    assert not verify("whsec_" + "A" * 32, headers, body)
