"""`posthorn receive` beside `posthorn dev`: what a person sees who tries both."""
import base64
import json
import re

import pytest
from server import BINARY, Process, make_folder
from wait import wait_for


class Receive(Process):
    def __init__(self, *options):
        super().__init__(make_folder(), POSTHORN_GUARD_ALLOW=None, POSTHORN_HTTP_THREADS=None, POSTHORN_DELIVERY_THREADS=None)
        self.options = options

    def command(self):
        return [BINARY, "receive", "--listen", "127.0.0.1:0", "--ready-file", str(self.ready_file), *self.options]


@pytest.fixture
def receive():
    made = []

    def start(*options):
        made.append(Receive(*options))
        return made[-1].start()

    yield start
    for one in made:
        one.stop()


SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_message_is_printed_as_verified(api, app, receive):
    one = receive("--secret", SECRET)
    api.new_endpoint(app, one.url + "hook", secret=SECRET)
    message = api.send_bytes(app, b'{"invoice":42}')
    wait_for(lambda: message["id"] in one.log(), what="the message is printed")
    line = next(line for line in one.log().splitlines() if "POST /hook" in line)
    assert re.search(r"\bverified\b.*200", line)
    assert '"invoice": 42' in one.log()
    assert [a["status"] for a in api.wait_attempts(app, message, 1)] == [0]


def test_exact_bytes_and_headers_are_told_as_json(api, app, receive):
    one = receive("--secret", SECRET, "--json")
    api.new_endpoint(app, one.url + "hook?a=b", secret=SECRET)
    payload = '{"ü": 1.0,  "e":1e400}'.encode()
    message = api.send_bytes(app, payload)
    event = json.loads(wait_for(lambda: [line for line in one.log().splitlines() if line.startswith("{")])[0])
    assert base64.b64decode(event["body_base64"]) == payload
    assert (event["method"], event["path"], event["query"], event["signature"]) == ("POST", "/hook", "a=b", "verified")
    assert (event["webhook_id"], event["content_type"]) == (message["id"], "application/json")
    assert event["user_agent"].startswith("Posthorn/")


def test_wrong_secret_is_refused_and_the_attempt_fails(api, app, receive):
    one = receive("--secret", "whsec_" + "A" * 32)
    endpoint = api.new_endpoint(app, one.url, secret=SECRET)
    message = api.send(app)
    attempt = api.wait_attempts(app, message, 1)[0]
    assert (attempt["status"], attempt["responseStatusCode"]) == (2, 401)
    assert "WRONG SIGNATURE" in one.log()
    api.expect(204, "DELETE", f"/app/{app['id']}/endpoint/{endpoint['id']}")


def test_rotation_is_verified_by_either_secret(api, app, receive):
    old, new = receive("--secret", SECRET, "--json"), receive("--secret", "whsec_" + "A" * 32, "--json")
    for one in (old, new):
        endpoint = api.new_endpoint(app, one.url, secret=SECRET)
        api.expect(200, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate", json={"key": "whsec_" + "A" * 32})
    message = api.send(app)
    assert [a["status"] for a in api.wait_attempts(app, message, 2)] == [0, 0]
