"""Every parameter of every operation with values that no honest client sends: as the document says, and never a 5xx."""
import contract
import httpx
import pytest
from client import unique
from wait import SLOWNESS

DOCUMENT = contract.load()
OPERATIONS = sorted(operation for operation in DOCUMENT.operations if operation[1].startswith(("/api/v1/", "/admin/v1/")))

# percent-encoded
VALUES = {
    "nothing": "", "a NUL": "a%00b", "no UTF-8": "%ff%fe", "a surrogate": "%ed%a0%80", "overlong": "%c0%af", "a cut escape": "%4",
    "a quote": "%27%22%3B--", "a slash": "a%2Fb", "dots": "%2e%2e", "a line": "a%0d%0ab:c", "far planes": "%F0%9F%98%80" * 20,
    "long": "a" * 8000, "many commas": "," * 8000, "many names": "a," * 4000,
    "an id of nothing": "app_" + "z" * 22, "an id of zero": "ep_" + "0" * 22, "an id cut": "msg_0", "minus": "-", "minus an id": "-evtype_" + "0" * 22,
    "beyond int64": "9223372036854775808", "far below": "-9223372036854775809", "a fraction": "1e9", "hex": "0x10",
    "year zero": "0000-01-01T00:00:00Z", "the last year": "9999-12-31T23:59:59.999999999Z", "no such day": "2026-02-30T00:00:00Z",
    "a leap second": "2016-12-31T23:59:60Z", "an offset": "2026-01-01T00:00:00%2B23:59",
}
KEYS = {"long": b"k" * 30000, "bytes": bytes(range(0x80, 0x100)), "a tab": b"a\tb", "one": b"k"}


def example(operation):
    body = DOCUMENT.operations[operation].get("requestBody")
    if not body:
        return None
    media = DOCUMENT.resolve(body)["content"]["application/json"]
    return media["example"] if "example" in media else DOCUMENT.resolve(next(iter(media["examples"].values())))["value"]


def named(operation, where):
    return [p["name"] for p in map(DOCUMENT.resolve, DOCUMENT.operations[operation]["parameters"]) if p["in"] == where]


def parameters(world, path):
    return {name: world.value(path, name) for method, of in OPERATIONS if of == path for name in named((method, of), "path")}


@pytest.fixture(scope="module")
def ask(world):
    """Sends a request and holds the answer against the document. With a timeout of its own: a stream has no end."""
    with httpx.Client(trust_env=False, timeout=30 * SLOWNESS, follow_redirects=False) as client:
        def send(method, url, json=None, headers=None):
            request = client.build_request(method, world.url + url, json=json,
                                           headers={"Authorization": f"Bearer {world.key_for(url)}", **(headers or {})})
            response = client.send(request, stream=True)
            assert response.status_code < 500, (method, url[:300], response.read())
            if response.headers.get("content-type") != "text/event-stream":
                response.read()
                contract.check(response)
            response.close()
        yield send


@pytest.mark.parametrize("method, path", OPERATIONS, ids=[" ".join(operation) for operation in OPERATIONS])
def test_hostile_values_are_answered_as_the_document_says(world, ask, method, path):
    operation, body = (method, path), example((method, path))
    good = dict.fromkeys(named(operation, "path"), "nobody") if method == "DELETE" else parameters(world, path)
    for value in VALUES.values():
        for name in good:
            if value:
                ask(method, path.format(**{**good, name: value}), body)
        for name in named(operation, "query"):
            ask(method, f"{path.format(**good)}?{name}={value}", body)
            ask(method, f"{path.format(**good)}?{value}={name}&{name}[]={value}&{name}", body)


@pytest.mark.parametrize("key", KEYS)
def test_hostile_idempotency_keys(world, ask, key):
    for method, path in OPERATIONS:
        if method == "POST" and path != "/api/v1/auth/logout":
            ask(method, path.format(**parameters(world, path)), example((method, path)), {"Idempotency-Key": KEYS[key] + unique("").encode()})
