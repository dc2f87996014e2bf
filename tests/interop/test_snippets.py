"""The code that the dashboard prints does what it says, as it stands there."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
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
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240 * SLOWNESS, **{"cwd": HERE, **more})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


COMMANDS = {"curl": ["sh", "-ec"], "Python": [sys.executable, "-uc"], "JavaScript": ["node", "--input-type=module", "-e"]}


def run(language, code, **environment):
    return done([*COMMANDS[language], code], env={**os.environ, "NO_PROXY": "*", **environment})


GO_SENDS = """package main
import (
	"context"
	"encoding/json"
	"log"
	"net/url"
	"os"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)
func main() {
	ctx := context.Background()
	%s
	if err != nil {
		log.Fatal(err)
	}
}
"""
GO_CHECKS = """package main
import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)
func main() {
	body := []byte(os.Getenv("BODY"))
	request := http.Request{Header: http.Header{}}
	var headers map[string]string
	if err := json.Unmarshal([]byte(os.Getenv("HEADERS")), &headers); err != nil {
		log.Fatal(err)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	%s
	if err != nil {
		log.Fatal(err)
	}
}
"""


def run_go(program, **environment):
    """With the libraries that the module beside names, in a folder of it that is not there."""
    if not shutil.which("go"):
        pytest.skip("there is no go")
    module = HERE / "go"
    with tempfile.TemporaryDirectory() as folder:
        main, overlay = Path(folder, "main.go"), Path(folder, "overlay.json")
        main.write_text(program)
        overlay.write_text(json.dumps({"Replace": {str(module / "snippet" / "main.go"): str(main)}}))
        done(["go", "build", "-overlay", overlay, "-o", Path(folder, "snippet"), "./snippet"], cwd=module)
        return done([Path(folder, "snippet")], env={**os.environ, "NO_PROXY": "*", **environment})


@pytest.fixture(scope="module")
def tenant(server):
    with Api(server.url, server.new_tenant(unique("snippets"))[1]) as api:
        yield api


@pytest.mark.timeout(300)  # Go compiles its client
@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript", "Go"])
def test_sending(server, tenant, receiver, language):
    app = tenant.new_app()
    tenant.new_endpoint(app, receiver.url("/hook"))
    code = printed("sendSnippets", server.url, app["id"], "invoice.paid", json.dumps(PAYLOAD))[language]
    if language == "Go":
        run_go(GO_SENDS % code, POSTHORN_KEY=tenant.key)
    else:
        run(language, code, POSTHORN_KEY=tenant.key)
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


@pytest.mark.timeout(300)
def test_checking_in_go(delivered):
    secret, headers, body = delivered
    program = GO_CHECKS % printed("verifySnippets", secret)["Go"]
    run_go(program, BODY=body, HEADERS=json.dumps(headers))
    with pytest.raises(AssertionError, match="(?i)signature"):
        run_go(program, BODY=body + " ", HEADERS=json.dumps(headers))


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


@pytest.mark.parametrize("language", ["Python", "JavaScript"])
def test_fetching_for_ever(server, tenant, language):
    app = tenant.new_app()
    poller = tenant.expect(201, "POST", f"/app/{app['id']}/endpoint", json={"type": "poller"})
    code = printed("fetchSnippets", server.url, app["id"], poller["id"])[language]
    tenant.send(app, {"n": 1}, event_type="invoice.paid")
    with subprocess.Popen([*COMMANDS[language], code], cwd=HERE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "NO_PROXY": "*", "POSTHORN_KEY": tenant.key}) as fetches:
        try:
            assert fetches.stdout.readline().startswith("invoice.paid")
        finally:
            fetches.kill()
