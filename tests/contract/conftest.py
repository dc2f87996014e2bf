"""A server of its own for each file: what these tests send would leave the shared one in a state that no other test expects."""
import pytest
from client import Api
from receiver import Receiver
from server import Dev
from things import Things


class World:
    """A server with two tenants, each of which has one thing of every kind.

    Generated requests make endpoints with any URL. Nothing is to leave for there, so all but the loopback goes through a
    proxy that is not there."""

    def __init__(self):
        self.server = Dev(POSTHORN_PROXY="http://127.0.0.1:1", POSTHORN_NO_PROXY="127.0.0.0/8")
        self.receiver = Receiver()

    def start(self):
        self.server.start()
        self.url = self.server.url
        self.tenant, self.key = self.server.new_tenant("contract")
        self.api = Api(self.url, self.key)
        self.things = Things(self.api, self.receiver.url())
        return self

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
