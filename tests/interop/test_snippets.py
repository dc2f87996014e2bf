"""The code that the dashboard prints does what it says, as it stands there."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from client import Api, unique
from standardwebhooks import Webhook
from wait import SLOWNESS

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "web"
PAYLOAD = {"text": "it's \"quoted\" $HOME \\ `id` \n", "n": 1}


def printed(function, *arguments):
    """{language: code} of a function of web/src/lib/snippets.ts."""
    script = f"import {{ {function} as f }} from './src/lib/snippets.ts'; console.log(JSON.stringify(f(...{json.dumps(arguments)})))"
    return json.loads(done(["./node", "--input-type=module", "-e", script], cwd=WEB))


def done(command, **more):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60 * SLOWNESS, **{"cwd": HERE, **more})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def run(language, code, **environment):
    commands = {"curl": ["sh", "-ec"], "Python": [sys.executable, "-c"], "JavaScript": ["node", "--input-type=module", "-e"]}
    return done([*commands[language], code], env={**os.environ, "NO_PROXY": "*", **environment})


@pytest.fixture(scope="module")
def tenant(server):
    with Api(server.url, server.new_tenant(unique("snippets"))[1]) as api:
        yield api


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
def test_sending(server, tenant, receiver, language):
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url("/hook"))
    run(language, printed("sendSnippets", server.url, app["id"], "invoice.paid", json.dumps(PAYLOAD))[language], POSTHORN_KEY=tenant.key)
    (request,) = receiver.wait(1, "/hook")
    assert json.loads(request.body) == PAYLOAD
    (message,) = tenant.pages(f"/app/{app['id']}/msg")
    assert message["eventType"] == "invoice.paid"


@pytest.fixture(scope="module")
def delivered(tenant):
    """(secret, headers, body) of a delivery, as the test inbox has it."""
    app = tenant.new_app()
    inbox = tenant.expect(200, "PUT", f"/app/{app['id']}/inbox", json={})
    secret = tenant.secret(app, tenant.new_endpoint(app, inbox["url"]))
    tenant.wait_attempts(app, tenant.send(app, PAYLOAD), 1)
    (one,) = tenant.pages(f"/app/{app['id']}/inbox/request")
    request = tenant.expect(200, "GET", f"/app/{app['id']}/inbox/request/{one['id']}")
    headers = {name: value for name, value in request["headers"] if name.startswith("webhook-")}
    Webhook(secret).verify(request["body"], headers)
    return secret, headers, request["body"]


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("language", ["Python", "JavaScript"])
def test_checking(delivered, language, right):
    secret, headers, body = delivered
    before = {"Python": "import json\nbody, headers = json.loads({0!r})\n", "JavaScript": "const [body, headers] = {0};\n"}[language]
    after = {"Python": "\nprint(json.dumps(event))", "JavaScript": "\nconsole.log(JSON.stringify(event))"}[language]
    code = before.format(json.dumps([body if right else body + " ", headers])) + printed("verifySnippets", secret)[language] + after
    if right:
        assert json.loads(run(language, code)) == PAYLOAD
    else:
        with pytest.raises(AssertionError, match="(?i)signature"):
            run(language, code)


def test_checking_by_hand(delivered):
    secret, headers, body = delivered
    signature = run("curl", printed("verifySnippets", secret)["curl"], WEBHOOK_ID=headers["webhook-id"],
                    WEBHOOK_TIMESTAMP=headers["webhook-timestamp"], BODY=body)
    assert headers["webhook-signature"] == "v1," + signature.strip()


def test_fetching(server, tenant):
    app = tenant.new_app()
    poller = tenant.expect(201, "POST", f"/app/{app['id']}/endpoint", json={"type": "poller"})
    message = tenant.send(app, PAYLOAD)
    code = printed("fetchSnippets", server.url, app["id"], poller["id"])["curl"]
    page = json.loads(run("curl", code, POSTHORN_KEY=tenant.key, ITERATOR=""))
    assert [one["id"] for one in page["data"]] == [message["id"]]
    page = json.loads(run("curl", code, POSTHORN_KEY=tenant.key, ITERATOR=page["iterator"]))
    assert page["data"] == []
