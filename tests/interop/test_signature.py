"""Published libraries verify what we sign, and refuse it when a byte, a second or the secret is another."""
import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import standardwebhooks
import stripe
from wait import SLOWNESS

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "interop"
PAYLOAD = '{"id":"evt_1", "object":"event", "t":"Zo\u00eb \u65e5\u672c\u8a9e", "n": 1.0e2, "z":{ }}'.encode()
# as Stripe, GitHub and others issue them: no base64, or base64 that is not to be decoded
OWN = {"stripe": ["whsec_4kPTFhPWMd0Wp2Bw5nVfZzqMOS6oMqaX", "whsec_of another length-!"],
       "github": ["It's a Secret to Everybody", "0123456789abcdef0123456789abcdef"]}


def as_json(secret, headers, body):
    return {"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()}


def program(*command, **more):
    def verify(requests):
        done = subprocess.run(command, input=json.dumps([as_json(*r) for r in requests]), capture_output=True, text=True,
                              timeout=60 * SLOWNESS, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return verify


def node(library):
    return lambda: program("node", str(HERE / "verify.mjs"), library)


def built(tool, folder, *command, binary, **env):
    """A program that is compiled here, out of sources and packages that the tool fetches; skipped without the tool."""
    if not shutil.which(tool):
        pytest.skip(f"there is no {tool}")
    done = subprocess.run([tool, *command], cwd=HERE / folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **env})
    assert done.returncode == 0, done.stderr
    return program(str(binary))


def go():
    return built("go", "go", "build", "-o", str(BUILD / "verify-go"), ".", binary=BUILD / "verify-go")


def rust():
    return built("cargo", "rust", "build", "--quiet", "--locked", binary=BUILD / "rust" / "debug" / "interop",
                 CARGO_TARGET_DIR=str(BUILD / "rust"))


def in_python(check):
    def verify(requests):
        results = []
        for secret, headers, body in requests:
            try:
                check(secret, {name.lower(): value for name, value in headers}, body)
                results.append("ok")
            except Exception as error:
                results.append(str(error) or type(error).__name__)
        return results
    return lambda: verify


LIBRARIES = {
    "standard": {
        "python": in_python(lambda secret, headers, body: standardwebhooks.Webhook(secret).verify(body, headers)),
        "node": node("standardwebhooks"), "go": go, "rust": rust},
    "stripe": {
        "python": in_python(lambda secret, headers, body:
                            stripe.Webhook.construct_event(body, headers["stripe-signature"], secret)),
        "node": node("stripe")},
    "github": {"node": node("octokit")},
}


def deliver(api, receiver, profile, secret):
    """(secret, headers, body) of a delivery, and of one while a newer secret signs too."""
    app = api.new_app()
    given = {"secret": secret} if secret else {}
    endpoint = api.new_endpoint(app, receiver.url(), signatureProfile=profile, **given)
    secret = api.secret(app, endpoint)
    api.send_bytes(app, PAYLOAD)
    requests = receiver.wait()
    if profile != "github":  # of which receivers read one signature only
        api.expect(200, "POST", f"/app/{app['id']}/endpoint/{endpoint['id']}/secret/rotate", json={})
        api.send_bytes(app, PAYLOAD)
        requests = receiver.wait(2)
    assert {r.body for r in requests} == {PAYLOAD}
    return [(secret, [list(h) for h in r.headers], r.body) for r in requests]


def spoiled(secret, headers, body):
    """What must not verify."""
    other = secret[:9] + ("A" if secret[9] != "A" else "B") + secret[10:]
    later = [[n, v.replace("t=1", "t=2") if "signature" in n.lower() else
              (str(int(v) + 1) if n.lower() == "webhook-timestamp" else v)] for n, v in headers]
    requests = [(other, headers, body), (secret, headers, body.replace(b"1.0e2", b"1.0e1"))]
    return requests if any(n == "X-Hub-Signature-256" for n, _ in headers) else [*requests, (secret, later, body)]


@pytest.mark.timeout(600 * SLOWNESS)  # the first time, programs are compiled
@pytest.mark.parametrize("profile, library", [(p, name) for p, libraries in LIBRARIES.items() for name in libraries])
def test_library_verifies(api, receiver, profile, library):
    verify = LIBRARIES[profile][library]()
    for secret in OWN.get(profile, [None, "whsec_" + base64.b64encode(bytes(range(75))).decode()]):
        receiver.requests.clear()
        good = deliver(api, receiver, profile, secret)
        assert verify(good) == ["ok"] * len(good)
        bad = spoiled(*good[0])
        results = verify(bad)
        assert len(results) == len(bad) and "ok" not in results
