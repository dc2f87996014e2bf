"""Two tenants: every operation of the document is asked with the key of one and the things of the other, in the path, in the
query and in the body. Nothing of theirs is shown or changed. And without a key that is valid, nothing is answered at all."""
import itertools
import json
import re
import time

import contract
import httpx
import pytest
from client import unique
from things import Things
from wait import SLOWNESS, wait_for

DOCUMENT = contract.load()
OPERATIONS = sorted(operation for operation in DOCUMENT.operations if operation[1].startswith("/api/v1/"))
NEED_A_KEY = [operation for operation in OPERATIONS if DOCUMENT.operations[operation].get("security") != []]
# A stream of events has no end.
READING = [(method, path) for method, path in NEED_A_KEY if method == "GET"
           and "text/event-stream" not in DOCUMENT.resolve(DOCUMENT.operations[method, path]["responses"]["200"]).get("content", {})]
WITH_PARAMETERS = [operation for operation in NEED_A_KEY if "{" in operation[1]]
ID = re.compile(r"[a-z]+_[0-9A-Za-z]{22}")


def each(operations):
    return pytest.mark.parametrize("method, path", operations, ids=[" ".join(operation) for operation in operations])


def example(method, path):
    body = DOCUMENT.operations[method, path].get("requestBody")
    if not body:
        return None
    media = DOCUMENT.resolve(body)["content"]["application/json"]
    return media["example"] if "example" in media else DOCUMENT.resolve(next(iter(media["examples"].values())))["value"]


def queried(method, path):
    return [p for p in map(DOCUMENT.resolve, DOCUMENT.operations[method, path]["parameters"]) if p["in"] == "query"]


def needed(method, path):
    """The query without which an operation cannot be asked."""
    return {p["name"]: p["example"] for p in queried(method, path) if p.get("required")}


class Side:
    """A tenant with its key and its things, whose texts all have its mark."""

    def __init__(self, world, name):
        self.mark = unique(name)
        self.tenant, self.key = world.server.new_tenant(self.mark)
        self.api = world.server.api(self.key)
        self.things = Things(self.api, world.receiver.url("/" + self.mark), self.mark)
        self.things.all()

    def url(self, path, parameters=None):
        """A path of the document with this side's things, below /api/v1."""
        return path.removeprefix("/api/v1").format(**parameters or self.things.parameters(path))


# Names that are there as soon as somebody uses them, below things of its own: whoever else uses the same is no matter.
CHOSEN = {"consumer_id"}


class Pair:
    def __init__(self, world, identity):
        self.world, self.identity, self.named = world, identity, ""
        self.victim, self.stranger = Side(world, "victim"), Side(world, "stranger")
        self.ids = {value for kind, value in self.victim.things.all().items() if kind not in CHOSEN}
        for side in (self.victim, self.stranger):
            for kind in ("mtls", "oauth"):
                path = "/api/v1/app/{app_id}/endpoint/{endpoint_id}/" + kind
                side.api.expect(204, "PUT", side.url(path), json=self.body("PUT", path))
        self.ids |= {value for value in ID.findall(json.dumps(self.views()))}
        self.database = world.server.database()
        self.tables = [row[0] for row in self.database.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
            "WHERE c.relnamespace = 'posthorn'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND c.relname NOT LIKE '%\\_stats' ORDER BY 1")]  # these the server adds up by itself, now and then
        self.tenant = self.database.execute("SELECT id FROM tenants WHERE name = %s", [self.victim.mark]).fetchone()[0]
        self.before = self.rows()
        wait_for(self.is_at_rest, 30, "the victim's deliveries and tasks are done")

    def body(self, method, path):
        """The body that the document shows for an operation, None without."""
        body = example(method, path)
        return {**body, "identity": self.identity} if body and "identity" in body else body

    def views(self):
        """What the victim sees of its own: the answers to every GET."""
        return [self.victim.api.expect(200, "GET", self.victim.url(path), params=needed(method, path)) for method, path in READING]

    def is_at_rest(self):
        """What the server does by itself for the victim is done: nothing has changed for a second, and nothing is owed."""
        before, self.before = self.before, self.rows()
        running = [task for task in self.victim.api.pages("/background-task") if task["status"] == "running"]
        if self.before == before and not (running or self.before["deliveries"] or self.before["endpoint_schedule"]):
            return True
        time.sleep(1)

    def rows(self):
        """{table: checksum of the victim's rows}. When a key was used last is no change."""
        def checksum(table):
            query = f"SELECT md5(string_agg((to_jsonb(t) - 'last_used_at')::text, '|' ORDER BY to_jsonb(t)::text)) FROM {table} t WHERE tenant_id = %s"
            return self.database.execute(query, [self.tenant]).fetchone()[0]
        return {table: checksum(table) for table in self.tables}

    def ask(self, method, path, body=None, **query):
        """The stranger's request; the response, in which nothing is of the victim but what the request itself named. What a request
        that succeeded has named, to make something with that name, the stranger's own audit log says."""
        response = self.stranger.api.request(method, path.removeprefix("/api/v1"), params=query, json=body)
        given = path + json.dumps([body, query])
        if method != "GET" and response.is_success:
            self.named += given
        if path == "/api/v1/audit-log":
            given += self.named
        text = response.text + str(response.headers)
        shown = [value for value in self.ids | {self.victim.mark} if value in text and value not in given]
        assert not shown, f"{method} {path} shows {shown} of another tenant: {response.text[:2000]}"
        assert self.rows() == self.before, f"{method} {path} changes something of another tenant"
        return response


@pytest.fixture(scope="module")
def pair(world, authority):
    return Pair(world, authority.client())


def mixtures(pair, path):
    """Every mixture of one's own and the other's things in a path, but for all of one's own."""
    theirs, own = pair.victim.things.parameters(path), pair.stranger.things.parameters(path)
    for foreign in itertools.product((True, False), repeat=len(own)):
        if any(is_theirs for name, is_theirs in zip(own, foreign) if name not in CHOSEN):
            yield path.format(**{name: theirs[name] if is_theirs else own[name] for name, is_theirs in zip(own, foreign)})


@each(WITH_PARAMETERS)
def test_things_of_another_tenant_are_not_there(pair, method, path):
    for mixed in mixtures(pair, path):
        status = pair.ask(method, mixed, pair.body(method, path), **needed(method, path)).status_code
        if (method, path) == ("PUT", "/api/v1/event-type/{event_type_name}"):
            assert status == 201, "each tenant has names of its own"
            pair.stranger.api.expect(204, "DELETE", mixed.removeprefix("/api/v1"), params={"expunge": "true"})
        else:
            assert status in (401, 403, 404), mixed


def foreign(pair, value):
    """A body, in which every id is one of the other tenant's, of the same kind."""
    if isinstance(value, list):
        return [foreign(pair, part) for part in value]
    if isinstance(value, dict):
        return {key: foreign(pair, part) for key, part in value.items()}
    if isinstance(value, str) and ID.fullmatch(value):
        return next((known for known in sorted(pair.ids) if known.split("_")[0] == value.split("_")[0]), value)
    return value


@each([operation for operation in NEED_A_KEY if example(*operation) and ID.search(json.dumps(example(*operation)))])
def test_things_of_another_tenant_in_a_body_are_not_there(pair, method, path):
    body = foreign(pair, example(method, path))
    assert pair.ids & set(ID.findall(json.dumps(body)))
    pair.ask(method, path.format(**pair.stranger.things.parameters(path)), body)


@each(READING)
def test_things_of_another_tenant_in_a_query_are_not_there(pair, method, path):
    """Iterators and filters: each page is of one's own."""
    where, query = path.format(**pair.stranger.things.parameters(path)), needed(method, path)
    assert pair.ask(method, where, **query).status_code == 200
    for name in {p["name"] for p in queried(method, path)} & {"iterator", "endpoint_id"}:
        for value in sorted(pair.ids):
            for sign in ("", "-") if name == "iterator" else ("",):
                assert pair.ask(method, where, **query, **{name: sign + value}).status_code in (200, 404, 422)


BAD_KEYS = {"no key": None, "an empty one": "Bearer", "no bearer": "Basic dXNlcjpwYXNz", "garbage": "Bearer ';--",
            "a key of another server": "Bearer phk_" + "A" * 43, "too long": "Bearer phk_" + "A" * 5000}


@pytest.fixture(scope="module")
def revoked(pair):
    """A key of the victim that once was valid."""
    made = pair.victim.api.expect(201, "POST", "/api-key", json={"name": pair.victim.mark})
    with pair.world.server.api(made["key"]) as api:
        assert api.get("/app").status_code == 200
    pair.victim.api.expect(204, "DELETE", f"/api-key/{made['id']}")
    pair.before = pair.rows()
    return made["key"]


@each(NEED_A_KEY)
def test_nothing_is_answered_without_a_valid_key(pair, revoked, method, path):
    url = pair.world.url + path.format(**pair.victim.things.parameters(path))
    with httpx.Client(trust_env=False, timeout=30 * SLOWNESS) as client:
        for what, key in {**BAD_KEYS, "a revoked key": "Bearer " + revoked}.items():
            response = client.request(method, url, json=pair.body(method, path), headers={"Authorization": key} if key else {})
            contract.check(response)
            assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer", what
    assert pair.rows() == pair.before


def test_the_victim_sees_all_of_it(pair):
    """Else there was nothing to be hidden."""
    text = json.dumps(pair.views())
    assert pair.victim.mark in text and all(value in text for value in pair.ids)
