"""Fixtures of every suite: servers, receivers, clients. See tests/lib."""
import os
import signal
import tempfile
from pathlib import Path

import contract
import pytest
from client import Api
from receiver import Receiver
from server import Dev, Node, Postgres, Process
from tls import Authority
from wait import SLOWNESS

# The end of a suite that takes too long still has to stop its servers.
signal.signal(signal.SIGTERM, signal.default_int_handler)
# of one test, in seconds, for pytest-timeout
os.environ.setdefault("PYTEST_TIMEOUT", str(120 * SLOWNESS))


@pytest.fixture(scope="session", autouse=True)
def _hold_answers_against_the_document():
    """Whatever a test is about: what the server answers is as its OpenAPI document says."""
    Api.check = staticmethod(contract.check)
    yield
    Api.check = None


@pytest.fixture(scope="session")
def server():
    """One `posthorn dev` for all tests that need no settings of their own and leave it as it was."""
    dev = Dev()
    try:
        dev.start()
        yield dev
        dev.stop()
    finally:
        dev.remove()


@pytest.fixture
def api(server):
    """A client with the key of the server's first tenant."""
    with Api(server.url, server.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def other_tenant(server):
    """(tenant id, key) of a second tenant, which must never see anything of the first."""
    return server.new_tenant("other")


@pytest.fixture
def other(server, other_tenant):
    """A client of the second tenant."""
    with Api(server.url, other_tenant[1]) as client:
        yield client


@pytest.fixture
def app(api):
    """A fresh application of the first tenant."""
    return api.new_app()


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()
    assert not one.faults, one.faults


@pytest.fixture
def new_receiver():
    """A function that makes further receivers: new_receiver(tls=context)."""
    made = []

    def make(**more):
        made.append(Receiver(**more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def authority():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Authority(folder)


@pytest.fixture
def start_server():
    """A function that starts a `posthorn dev` of this test alone: start_server(POSTHORN_RETRY_SCHEDULE="1,1")."""
    yield from _factory(lambda **settings: Dev(**settings))


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL for the databases of tests with several nodes. Who stops or breaks it starts it again."""
    one = Postgres()
    try:
        one.start()
        yield one
    finally:
        one.remove()


@pytest.fixture
def database(postgres):
    """A migrated database with one tenant, for start_node."""
    return postgres.new_database()


@pytest.fixture
def start_node(database):
    """A function that starts a `posthorn serve` on the database: start_node(POSTHORN_RETRY_SCHEDULE="1,1")."""
    yield from _factory(lambda **settings: Node(database, **settings))


def _factory(make):
    made = []

    def start(**settings):
        one = make(**settings)
        made.append(one)
        return one.start()

    yield start
    try:
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for process in Process.all:
            if process.process is not None or call.when == "teardown":
                report.sections.append((f"log of {process}", process.log_tail()))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A report of a sanitizer fails the test during which it was written."""
    yield
    for process in Process.all:
        if process.process is not None:
            process.check()
            assert process.running, f"{process} ended with status {process.process.returncode}:\n{process.log_tail()}"
