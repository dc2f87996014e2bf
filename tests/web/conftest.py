"""The dashboard in a real browser, at the real server, with real receivers.

A page must be silent: an error on its console, a violation of its policy, a request to anywhere but its server, or an answer
5xx fails the test."""
import re
import shutil

import pytest
from client import Api, unique
from playwright.sync_api import expect, sync_playwright
from server import Dev
from wait import SLOWNESS, wait_for

OPERATOR_TOKEN = "the token of the operator of this test"

expect.set_options(timeout=10_000 * SLOWNESS)


@pytest.fixture(scope="session")
def server():
    dev = Dev(POSTHORN_OPERATOR_TOKEN=OPERATOR_TOKEN)
    try:
        dev.start()
        yield dev
        dev.stop()
    finally:
        dev.remove()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, server):
    """open_page(path, key=None, width=1280, theme="light"): a page of a fresh browser profile; with a key, or
    the operator's token on his pages, signed in. hosts: what else it may load from; expected: how messages on the console
    begin that have to be there."""
    contexts, noise = [], []

    def note(message, expected):
        # The browser notes every 4xx there; whether one is right is for the test to say.
        if message.type in ("error", "warning") and not message.text.startswith(("Failed to load resource", *expected)):
            noise.append(f"{message.type} on the console: {message.text}")

    def start(path="/dashboard", key=None, width=1280, height=800, theme="light", hosts=(), expected=()):
        context = browser.new_context(base_url=server.url, viewport={"width": width, "height": height}, color_scheme=theme,
                                      locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce")
        context.set_default_timeout(10_000 * SLOWNESS)
        contexts.append(context)
        if key:
            stored = "posthorn.operator" if path.startswith("/operator") else "posthorn.key"
            context.add_init_script(f"sessionStorage.setItem({stored!r}, {key!r})")
        page = context.new_page()
        page.on("console", lambda message: note(message, expected))
        page.on("pageerror", lambda error: noise.append(f"error: {error}"))
        page.on("request", lambda request: request.url.startswith((server.url, "data:", "blob:", *hosts))
                or noise.append(f"request to {request.url}"))
        page.on("response", lambda response: response.status < 500 or noise.append(f"{response.status} from {response.url}"))
        page.goto(path)
        return page

    yield start
    for context in contexts:
        context.close()
    assert not noise, "\n".join(noise)


class Tenant:
    """A fresh tenant: its key, and a client with it."""

    def __init__(self, server, name):
        self.id, self.key = server.new_tenant(name)
        self.api = Api(server.url, self.key)


@pytest.fixture
def tenant(server):
    one = Tenant(server, "Tenant of a test")
    yield one
    one.api.close()


class World:
    """A tenant with something on every page."""

    def __init__(self, server, receiver):
        tenant = Tenant(server, "Umbrella Logistics")
        self.id, self.key, api = tenant.id, tenant.key, tenant.api
        api.expect(200, "PATCH", "/tenant", json={"publicCatalog": True, "catalogSlug": "umbrella"})
        schema = {"type": "object", "required": ["id"],
                  "properties": {"id": {"type": "string"}, "amount": {"type": "integer", "minimum": 0}}}
        for name, description in [("invoice.paid", "An invoice was paid."), ("invoice.payment.failed", "A payment did not go through."),
                                  ("customer.created", "A customer signed up."), ("order.shipped", "A parcel is on its way.")]:
            api.new_event_type(name, description=description, schemas={"1": schema})
        api.expect(200, "PATCH", "/event-type/order.shipped", json={"deprecated": True})
        for name in ("Globex", "Initech", "A customer with quite a long name, as people in the north-east tend to have them"):
            api.new_app(name=name, uid=unique("customer"))
        self.app = api.new_app(name="Acme Inc", uid="acme")["id"]
        self.endpoint = api.new_endpoint(self.app, receiver.url("/hook"), description="Order service",
                                         eventTypes=["invoice.paid", "customer.created"], metadata={"team": "orders"})["id"]
        api.expect(204, "PUT", f"/app/{self.app}/endpoint/{self.endpoint}/headers", json={"headers": {"x-team": "orders"}})
        self.down = api.new_endpoint(self.app, "http://127.0.0.1:1/never", description="Old warehouse", retrySchedule=[])["id"]
        api.new_endpoint(self.app, receiver.url("/paused"), paused=True)
        self.poller = api.expect(201, "POST", f"/app/{self.app}/endpoint", json={"type": "poller", "description": "Data warehouse"})["id"]
        api.expect(201, "POST", "/operational-webhook/endpoint", json={"url": receiver.url("/ops"), "eventTypes": ["endpoint.disabled"]})
        for i in range(8):
            message = api.send(self.app, {"id": f"in_{i}", "amount": 1200 + i, "customer": {"name": "Ada Lovelace"}},
                               event_type="invoice.paid" if i % 2 else "customer.created", eventId=f"evt-{i}")
        self.message = message["id"]
        api.wait_attempts(self.app, self.message, 2)
        self.customer = api.new_app(name="Hooli", uid=unique("hooli"))["id"]
        inbox = api.expect(200, "PUT", f"/app/{self.customer}/inbox", json={})["url"]
        api.new_endpoint(self.customer, inbox, description="Test inbox")
        api.wait_attempts(self.customer, api.send(self.customer, {"id": "in_42", "amount": 1200}, event_type="invoice.paid"), 1)
        api.http.post(inbox, content=b"by hand").raise_for_status()
        task = api.expect(202, "POST", f"/app/{self.app}/endpoint/{self.down}/recover", json={"since": message["timestamp"]})
        self.task = task["id"]
        # a tenant that has delivered nothing is shown the first steps; the counts come a little later
        since = {"since": message["timestamp"], "interval": "day"}
        wait_for(lambda: api.expect(200, "GET", "/stats/deliveries", params=since)["total"]["success"] > 0, 20, "it counts as delivered")
        api.close()

    def path(self, template):
        return re.sub(r"{(\w+)}", lambda match: getattr(self, match[1]), template)


@pytest.fixture(scope="session")
def world(server):
    from receiver import Receiver
    receiver = Receiver()
    yield World(server, receiver)
    receiver.close()
