"""One thing of every kind that the interface has, for tests that walk over all its operations.

    things = Things(api, receiver.url())      made through the interface when they are asked for
    things.parameters(path)                   {name: value} for the {names} of a path of the document
    things.of_kind("msg_id")                  one value

A path parameter that stands for a kind of thing which is not made here is an AssertionError: who adds an operation with a
new one adds the thing.
"""
import re

from client import unique

PARAMETER = re.compile(r"{(\w+)}")


class Things:
    def __init__(self, api, url, mark="things"):
        """url: of a receiver. The endpoints have it. mark: part of every text that is chosen here."""
        self.api, self.url, self.mark = api, url, mark
        self._values = {}

    def parameters(self, path):
        return {name: self.value(path, name) for name in PARAMETER.findall(path)}

    def value(self, path, name):
        """The value of a parameter; its thing is made when there is none yet."""
        kind = "operational_" + name if path.startswith("/api/v1/operational-webhook/") else name
        if "/poller/" in path and name == "endpoint_id":
            kind = "sink_id"  # a poller is an endpoint
        if kind not in self._values:
            make = getattr(self, f"_make_{kind}", None)
            assert make, f"{path} has a parameter {name}: tests/lib/things.py has to know how to make one"
            self._values[kind] = make()
        return self._values[kind]

    def forget(self):
        """Others are made for the next parameters."""
        self._values = {}

    def of_kind(self, kind):
        return self.value("", kind)

    def all(self):
        """{kind: value} of one of each."""
        return {kind: self.of_kind(kind) for kind in (name.removeprefix("_make_") for name in vars(Things) if name.startswith("_make_"))}

    def _name(self):
        return unique(self.mark)

    def _made(self, status, path, **body):
        return self.api.expect(status, "POST", path, json=body)["id"]

    def _make_app_id(self):
        return self._made(201, "/app", name=self._name(), uid=self._name(), metadata={"of": self.mark})

    def _make_event_type_name(self):
        return self.api.new_event_type(self._name(), description=self.mark)["name"]

    def _make_endpoint_id(self):
        app = self.of_kind("app_id")
        made = self._made(201, f"/app/{app}/endpoint", url=self.url, uid=self._name(), description=self.mark, metadata={"of": self.mark})
        self.api.expect(204, "PUT", f"/app/{app}/endpoint/{made}/headers", json={"headers": {"x-of": self.mark}})
        return made

    def _make_sink_id(self):
        app = self.of_kind("app_id")
        made = self._made(201, f"/app/{app}/endpoint", type="poller", uid=self._name(), description=self.mark)
        self.api.expect(201, "POST", f"/auth/app/{app}/poller/{made}/token/rotate", json={})
        return made

    def _make_consumer_id(self):
        return self._name()

    def _make_msg_id(self):
        self.of_kind("endpoint_id")
        app, name = self.of_kind("app_id"), self.of_kind("event_type_name")
        return self._made(202, f"/app/{app}/msg", eventType=name, payload={"of": self.mark}, eventId=self._name(), tags=[self.mark])

    def _make_attempt_id(self):
        return self.api.wait_attempts(self.of_kind("app_id"), self.of_kind("msg_id"), 1)[0]["id"]

    def _make_request_id(self):
        app = self.of_kind("app_id")
        inbox = self.api.expect(200, "PUT", f"/app/{app}/inbox", json={})
        self.api.http.post(inbox["url"], json={"of": self.mark}).raise_for_status()
        return self.api.expect(200, "GET", f"/app/{app}/inbox/request")["data"][0]["id"]

    def _make_task_id(self):
        path = f"/app/{self.of_kind('app_id')}/endpoint/{self.of_kind('endpoint_id')}/recover"
        return self._made(202, path, since="2026-01-01T00:00:00Z")

    def _make_operational_endpoint_id(self):
        return self._made(201, "/operational-webhook/endpoint", url=self.url, uid=self._name(), description=self.mark)

    def _make_key_id(self):
        return self._made(201, "/api-key", name=self._name())

    def _make_catalog(self):
        slug = self._name()
        self.api.expect(200, "PATCH", "/tenant", json={"publicCatalog": True, "catalogSlug": slug})
        return slug

    def _make_environment_id(self):
        made = self.api.post("/environment", json={"name": self._name()})
        if made.status_code == 403:  # generated requests have made as many as there may be: the newest of them
            return self.api.expect(200, "GET", "/environment", params={"order": "descending", "limit": 1})["data"][0]["id"]
        return made.json()["id"]
