"""One thing of every kind that the interface has, for tests that walk over all its operations.

    things = Things(api, receiver.url())      made through the interface
    things.parameters(path)                   {name: value} for the {names} of a path of the document

A path parameter that stands for a kind of thing which is not made here is an AssertionError: who adds an operation with a
new one adds the thing.
"""
import re

from client import unique

PARAMETER = re.compile(r"{(\w+)}")


class Things:
    def __init__(self, api, url):
        """url: of a receiver. The endpoints have it."""
        self.api, self.url = api, url
        self._values = {}

    def parameters(self, path):
        return {name: self.value(path, name) for name in PARAMETER.findall(path)}

    def value(self, path, name):
        """The value of a parameter; its thing is made when there is none yet."""
        kind = "operational_" + name if path.startswith("/api/v1/operational-webhook/") else name
        if kind not in self._values:
            make = getattr(self, f"_make_{kind}", None)
            assert make, f"{path} has a parameter {name}: tests/lib/things.py has to know how to make one"
            self._values[kind] = make()
        return self._values[kind]

    def forget(self):
        """Others are made for the next parameters."""
        self._values = {}

    def _of(self, kind):
        return self.value("", kind)

    def _make_app_id(self):
        return self.api.new_app(uid=unique("things"), metadata={"of": "things"})["id"]

    def _make_event_type_name(self):
        return self.api.new_event_type(unique("things"))["name"]

    def _make_endpoint_id(self):
        return self.api.new_endpoint(self._of("app_id"), self.url, uid=unique("things"), description="things")["id"]

    def _make_msg_id(self):
        self._of("endpoint_id")
        return self.api.send(self._of("app_id"), {"of": "things"}, eventId=unique("things"))["id"]

    def _make_attempt_id(self):
        return self.api.wait_attempts(self._of("app_id"), self._of("msg_id"), 1)[0]["id"]

    def _make_task_id(self):
        path = f"/app/{self._of('app_id')}/endpoint/{self._of('endpoint_id')}/recover"
        return self.api.expect(202, "POST", path, json={"since": "2026-01-01T00:00:00Z"})["id"]

    def _make_operational_endpoint_id(self):
        return self.api.expect(201, "POST", "/operational-webhook/endpoint", json={"url": self.url, "uid": unique("things")})["id"]
