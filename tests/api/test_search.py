"""Finding messages: the list of messages with its filters in a body."""
import pytest
from history import History
from test_message import ago


@pytest.fixture
def history(server, app):
    with History(server, app) as one:
        yield one


def search(api, app, **body):
    return api.expect(200, "POST", f"/app/{app['id']}/msg/search", json=body)


def ids(page):
    return [m["id"] for m in page["data"]]


def test_finds_what_the_list_finds(api, app, history):
    old = history.message(90, event_type="a.x", channels=["one"], tags=["t"], payload=b'{"a":1}')
    middle = history.message(60, event_type="b.x", tags=["t", "u"])
    new = history.message(30, event_type="c.x", channels=["one", "two"])
    assert search(api, app) == api.expect(200, "GET", f"/app/{app['id']}/msg")
    for params, found in (({"tag": "t"}, [middle, old]), ({"tag": "t", "channel": "one"}, [old]), ({"channel": "two"}, [new]),
                          ({"before": ago(45)}, [middle, old]), ({"after": ago(75), "before": ago(45)}, [middle]),
                          ({"event_types": ["a.x", "c.x"]}, [new, old]), ({"event_types": []}, [new, middle, old]),
                          ({"event_types": ["none"]}, []), ({"limit": None, "iterator": None, "tag": None}, [new, middle, old])):
        page = search(api, app, **params)
        assert ids(page) == found and page["done"]
    assert [m["payload"] for m in search(api, app, tag="t", with_content=False)["data"]] == [{}, {}]
    assert [m["payload"] for m in search(api, app, event_types=["a.x"])["data"]] == [{"a": 1}]


def test_pages_both_ways(api, app, history):
    made = [history.message(n, tags=["t"]) for n in range(5)]
    first = search(api, app, limit=2, tag="t")
    second = search(api, app, limit=2, tag="t", iterator=first["iterator"])
    third = search(api, app, limit=2, tag="t", iterator=second["iterator"])
    assert ids(first) + ids(second) + ids(third) == made and third["done"] and not first["done"]
    assert ids(search(api, app, limit=2, tag="t", iterator=third["prevIterator"])) == made[2:4]


def test_many_event_types(api, app, history):
    made = history.message(event_type="t.999")
    history.message(event_type="t.1000")
    assert ids(search(api, app, event_types=[f"t.{n}" for n in range(1000)])) == [made]


@pytest.mark.parametrize("body", [
    {"limit": 0}, {"limit": 251}, {"limit": "2"}, {"iterator": "x"}, {"iterator": "ep_0353OM26OITK0ai0n67mEB"}, {"before": "now"},
    {"after": 3}, {"channel": "a b"}, {"tag": ""}, {"event_types": "a.x"}, {"event_types": ["a b"]},
    {"event_types": ["x"] * 1001}, {"with_content": "false"}])
def test_refuses_what_is_none(api, app, body):
    answer = api.expect(422, "POST", f"/app/{app['id']}/msg/search", json=body)
    assert [fault["loc"] for fault in answer["detail"]] == [["body", *body]]


def test_of_one_application_only(api, app, other, history):
    history.message()
    assert search(api, api.new_app())["data"] == []
    for client, where in ((other, app["id"]), (api, "none")):
        client.expect(404, "POST", f"/app/{where}/msg/search", json={})
