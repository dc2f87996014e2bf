"""A server of its own for each file: what these tests send would leave the shared one in a state that no other test expects."""
import pytest
from client import Api, unique
from receiver import Receiver
from server import Dev
from things import Things


class World:
    """A server with two tenants, each of which has one thing of every kind.

    Generated requests make endpoints with any URL. Nothing is to leave for there, so all but the loopback goes through a
    proxy that is not there."""

    def __init__(self):
        self.operator = unique("operator").ljust(40, "x")
        self.server = Dev(POSTHORN_OPERATOR_TOKEN=self.operator, POSTHORN_PROXY="http://127.0.0.1:1", POSTHORN_NO_PROXY="127.0.0.0/8")
        self.receiver = Receiver()

    def start(self):
        self.server.start()
        self.url = self.server.url
        self.tenant, self.key = self.server.new_tenant("contract")
        self.api = Api(self.url, self.key)
        self.things = Things(self.api, self.receiver.url())
        return self

    def key_for(self, path):
        return self.operator if path.startswith("/admin/") else self.key

    def value(self, path, name):
        """Of a path parameter; what it names is there."""
        make = {"tenant_id": self._new_tenant, "plan_name": self._new_plan}.get(name)
        return make() if make else self.things.value(path, name)

    def _new_tenant(self):
        return self._ask_as_operator("POST", "/tenant", name="of the operator")["id"]

    def _new_plan(self):
        return self._ask_as_operator("PUT", f"/plan/{unique('plan')}", quotas={})["name"]

    def _ask_as_operator(self, method, path, **body):
        answer = self.api.http.request(method, self.url + "/admin/v1" + path, json=body, headers={"Authorization": f"Bearer {self.operator}"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def stop(self):
        self.api.close()
        self.server.stop()

    def remove(self):
        self.receiver.close()
        self.server.remove()


@pytest.fixture(scope="module")
def world():
    one = World()
    try:
        yield one.start()
        one.stop()
    finally:
        one.remove()
