"""Whatever a test of this suite is about: what the server answers is as its OpenAPI document says."""
import contract
import pytest
from client import Api


@pytest.fixture(scope="session", autouse=True)
def _hold_answers_against_the_document():
    Api.check = staticmethod(contract.check)
    yield
    Api.check = None
