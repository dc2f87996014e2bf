import pytest
from invariants import check_drained, wait_drained
from load import Load

APPLICATIONS = 4


class Traffic(Load):
    """A load for one node or several: applications with an endpoint each."""

    def prepare(self, api):
        self.apps = [api.new_app()["id"] for _ in range(APPLICATIONS)]
        self.paths = [[f"/{n}"] for n in range(APPLICATIONS)]
        for app, (path,) in zip(self.apps, self.paths):
            api.new_endpoint(app, self.sink.url(path))

    def send(self, *nodes, count, **more):
        return self.start([node.url for node in nodes], nodes[0].api_key, self.apps, count, **more)

    def check_all_arrived(self, node, few, timeout=60.0):
        """Whatever was answered 202 has come, hardly anything twice, and the tables are in order."""
        self.wait_arrived(self.paths, timeout)
        wait_drained(node, timeout=timeout)
        came = {n for _, n in self.sink.counts}
        surplus = came - set(self.accepted) - self.unknown
        duplicates = self.sink.duplicates()
        print(f"accepted {len(self.accepted)}, unknown {len(self.unknown)}, refused {dict(self.refused)}, "
              f"arrived {len(came)}, duplicates {duplicates}")
        assert not surplus, f"{len(surplus)} arrived that nobody sent"
        assert duplicates <= few, f"{duplicates} of {len(self.accepted)} came twice"
        check_drained(node, self.accepted.values())


@pytest.fixture
def traffic():
    with Traffic() as load:
        yield load
