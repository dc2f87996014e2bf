"""posthorn receive: what it answers and what it prints."""
import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from server import BINARY, Process, environment, make_folder
from wait import SLOWNESS, wait_for

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(bytes(24)).decode()


class Receive(Process):
    def __init__(self, *options):
        super().__init__(make_folder(), **dict.fromkeys(("POSTHORN_GUARD_ALLOW", "POSTHORN_HTTP_THREADS",
                                                         "POSTHORN_DELIVERY_THREADS")))
        self.options = options

    def command(self):
        return [BINARY, "receive", "--listen", "127.0.0.1:0", "--ready-file", str(self.ready_file), *self.options]

    def post(self, body=b"{}", path="hook", headers=None):
        return httpx.post(self.url + path, content=body, headers=headers or {}, trust_env=False, timeout=30 * SLOWNESS)

    def events(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]


@pytest.fixture
def receive():
    made = []

    def start(*options):
        made.append(Receive(*options))
        return made[-1].start()

    yield start
    try:
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill()
            shutil.rmtree(one.folder)


def signed(body, key=KEY, at=None, message_id="msg_1"):
    at = str(int(time.time() if at is None else at))
    mac = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": message_id, "webhook-timestamp": at,
            "webhook-signature": "v1,bm90IHRoaXMgb25l v1," + base64.b64encode(mac).decode()}


def test_verifies_with_any_of_its_secrets(receive):
    r = receive("--secret", OTHER, "--secret", SECRET, "--json")
    body = b'{"amount": 1.10}'
    assert r.post(body, headers=signed(body)).status_code == 200
    assert r.post(body, headers=signed(body, key=bytes(24))).status_code == 200
    assert r.post(body, headers=signed(body, key=b"x" * 24)).status_code == 401
    assert r.post(body + b" ", headers=signed(body)).status_code == 401
    assert r.post(body).status_code == 401
    assert r.post(body, headers=signed(body, at=time.time() - 360)).status_code == 401
    assert r.post(body, headers=signed(body, at=time.time() + 360)).status_code == 401
    assert [e["signature"] for e in r.events()] == ["verified", "verified", "wrong", "wrong", "missing", "too_old", "too_new"]


def test_checks_nothing_without_a_secret(receive):
    r = receive()
    assert r.post(headers=signed(b"{}")).status_code == 200
    assert "not checked (no secret given)" in r.log()


def test_json_lines_hold_the_exact_bytes(receive):
    r = receive("--json")
    body = bytes(range(256)) * 300
    assert r.post(body, path="a/b?c=%20d", headers={"content-type": "application/octet-stream"}).status_code == 200
    (event,) = r.events()
    assert base64.b64decode(event["body_base64"]) == body
    assert (event["method"], event["path"], event["query"]) == ("POST", "/a/b", "c=%20d")
    assert event["content_type"] == "application/octet-stream"
    assert event["webhook_id"] is None


def test_text_shows_json_indented_and_unchanged(receive):
    r = receive()
    r.post(b'{"a":1.0,"b":[10000000000000000000000]}')
    assert '\n  {\n    "a": 1.0,\n    "b": [\n      10000000000000000000000\n    ]\n  }\n' in r.log()


def test_hostile_request_cannot_drive_the_terminal(receive):
    r = receive()
    r.post(b"\x1b[2J\x9b31m\r\n\xe2\x80\xaeevil\x07\n2026-01-01T00:00:00.000Z  POST /  verified  -> 200\n",
           headers={"webhook-id": b"\xc2\x9b31m", "user-agent": b"\xe2\x80\xae"})
    raw = r.log_file.read_bytes()
    assert not [b for b in raw if b < 0x20 and b != 0x0A]
    text = raw.decode()
    assert "\x9b" not in text and "\u202e" not in text
    assert "\\x1b[2J\\x9b31m\\x0d" in text and "\\u202eevil\\x07" in text
    assert len([line for line in text.splitlines() if line.startswith("20")]) == 1


def test_answers_the_status_it_was_told(receive):
    assert receive("--status", "503").post().status_code == 503
    assert {receive("--fail-percent", "100").post().status_code for _ in range(3)} == {500}
    half = receive("--fail-percent", "50", "--status", "204")
    got = [half.post().status_code for _ in range(60)]
    assert set(got) == {204, 500}


def test_delay_holds_back_each_answer_alone(receive):
    r = receive("--delay-ms", "1000")
    start = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: r.post().status_code, range(10)))
    took = time.monotonic() - start
    assert answers == [200] * 10
    assert 1.0 <= took < 5.0, "one after the other it would be 10 s"


def test_stop_gives_the_answers_that_are_held_back(receive):
    r = receive("--delay-ms", "600000")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(r.post)
        wait_for(lambda: "POST /hook" in r.log(), what="the request is printed")
        r.stop()
        assert answer.result(10).status_code == 200


def test_taken_address_is_a_clear_failure(receive):
    address = receive().url.removeprefix("http://").rstrip("/")
    done = subprocess.run([BINARY, "receive", "--listen", address], env=environment({}), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert address in done.stderr and "in use" in done.stderr


@pytest.mark.parametrize("options", [("--status", "99"), ("--secret", "whsec_short"), ("--delay-ms", "x"), ("--nonsense",), ("more",)])
def test_wrong_options_are_usage_errors(options):
    done = subprocess.run([BINARY, "receive", *options], env=environment({}), capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("posthorn receive: ")
