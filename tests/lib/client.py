"""A thin client of the REST interface: httpx with the key, and short forms of what nearly every test does.

    api.get("/app", params={"limit": 2})          any request, below /api/v1; returns httpx.Response
    api.new_app(), api.new_endpoint(app, url)     make what a test needs; return the JSON of the answer
"""
import itertools
import os

import httpx

from wait import SLOWNESS, wait_for

_numbers = itertools.count(1)


def unique(word="x"):
    """A name that no other test uses, this run's or an earlier one's."""
    return f"{word}-{os.getpid()}-{next(_numbers)}"


def shared_http(**more):
    """An HTTP client for many threads. It closes no connection that idles: another thread may be about to use that one."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=None)
    return httpx.Client(limits=limits, trust_env=False, **more)


class Api:
    check = None  # of clients that are given none

    def __init__(self, url, key, check=None):
        """key None: no Authorization. check: called with every response, e.g. to hold it against the OpenAPI document."""
        self.url, self.key = url, key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http = shared_http(headers=headers, timeout=30.0 * SLOWNESS)
        self._check = check or Api.check

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.http.close()

    def request(self, method, path, **more):
        response = self.http.request(method, f"{self.url}/api/v1{path}", **more)
        if self._check:
            self._check(response)
        return response

    def status(self, method, path, **more):
        """The status alone, of an answer that may never end."""
        with self.http.stream(method, f"{self.url}/api/v1{path}", **more) as response:
            return response.status_code

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, json=None, **more):
        return self.request("POST", path, json=json, **more)

    def put(self, path, json=None, **more):
        return self.request("PUT", path, json=json, **more)

    def patch(self, path, json=None, **more):
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def expect(self, status, method, path, **more):
        """A request that has to be answered so; the JSON of the answer, None without a body."""
        response = self.request(method, path, **more)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def new_app(self, **fields):
        return self.expect(201, "POST", "/app", json={"name": "an application", **fields})

    def new_endpoint(self, app, url, **fields):
        return self.expect(201, "POST", f"/app/{_id(app)}/endpoint", json={"url": url, **fields})

    def new_event_type(self, name=None, **fields):
        name = name or unique("event")
        return self.expect(201, "POST", "/event-type", json={"name": name, "description": "of a test", **fields})

    def secret(self, app, endpoint):
        return self.expect(200, "GET", f"/app/{_id(app)}/endpoint/{_id(endpoint)}/secret")["key"]

    def send(self, app, payload=None, event_type="test.happened", **fields):
        body = {"eventType": event_type, "payload": {} if payload is None else payload, **fields}
        return self.expect(202, "POST", f"/app/{_id(app)}/msg", json=body)

    def send_bytes(self, app, payload, event_type="test.happened"):
        """Sends a payload of exactly these bytes of JSON."""
        body = b'{"eventType":"%s","payload":%s}' % (event_type.encode(), payload)
        return self.expect(202, "POST", f"/app/{_id(app)}/msg", content=body, headers={"Content-Type": "application/json"})

    def pages(self, path, **params):
        """Every item of a list, page after page."""
        items, iterator = [], None
        while True:
            page = self.expect(200, "GET", path, params={**params, **({"iterator": iterator} if iterator else {})})
            items += page["data"]
            if page["done"]:
                return items
            assert page["iterator"] and page["iterator"] != iterator, f"{path} does not go on: {page}"
            iterator = page["iterator"]

    def attempts(self, app, message):
        """The attempts of a message, newest first."""
        return self.pages(f"/app/{_id(app)}/attempt/msg/{_id(message)}")

    def wait_attempts(self, app, message, count, timeout=10.0):
        """The attempts of a message as soon as there are so many of them."""
        def enough():
            found = self.attempts(app, message)
            return found if len(found) >= count else None
        return wait_for(enough, timeout, f"{count} attempts of {_id(message)}")


def _id(thing):
    return thing if isinstance(thing, str) else thing["id"]
