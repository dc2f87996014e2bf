"""The portal: in frames, in a tenant's colours, and with the parts that its link was made for."""
import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect
from test_pages import judge, shoot
from wait import wait_for

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


class Host:
    """A page of somebody else, with one frame in it."""

    def __init__(self, frame):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                page = f'<!doctype html><title>Host</title><h1>Our product</h1><iframe src="{frame}" width="1000" height="700" title="Webhooks"></iframe>'
                self.send_response(200 if self.path == "/" else 404)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page.encode() if self.path == "/" else b"")

            def log_message(self, *_):
                pass
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def new_host():
    made = []

    def make(frame):
        made.append(Host(frame))
        return made[-1]
    yield make
    for host in made:
        host.close()


def link_of(api, app, **fields):
    return api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json=fields)["url"]


def test_a_portal_in_a_frame_of_the_pages_that_may_have_it(open_page, tenant, receiver, new_host):
    api = tenant.api
    app = api.new_app(name="Acme")
    host = new_host(link_of(api, app))
    page = open_page("/dashboard/settings/portal", tenant.key)
    page.get_by_label("Pages that may show the portal in a frame").fill("https://app.example.com\n" + host.url)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changes saved.")).to_be_visible()

    customer = open_page(host.url, hosts=(host.url,))
    frame = customer.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Acme")).to_be_visible()
    frame.get_by_role("link", name="New endpoint").first.click()
    frame.get_by_label("URL", exact=True).fill(receiver.url("/hook"))
    frame.get_by_role("button", name="Create endpoint").click()
    expect(frame.get_by_role("heading", name="Send a test event")).to_be_visible()
    frame.get_by_role("button", name="Send", exact=True).click()
    receiver.wait(1, "/hook")
    expect(frame.get_by_role("region", name="What came of it").get_by_text("200")).to_be_visible()
    inner = customer.frames[1]
    assert f"tenant={tenant.id}" in inner.url and "key" not in inner.url
    customer.reload()
    expect(frame.get_by_role("heading", name="Acme")).to_be_visible()

    api.expect(200, "PATCH", "/tenant", json={"portalOrigins": ["https://app.example.com"]})
    refused = open_page("about:blank", hosts=(host.url,), expected=("Framing ", "Refused to frame"))
    wait_for(lambda: "frame-ancestors https://app.example.com" in refused.request.get(f"/portal?tenant={tenant.id}").headers["content-security-policy"],
             10, "the change is known")
    refused.goto(host.url)
    expect(refused.get_by_role("heading", name="Our product")).to_be_visible()
    expect(refused.frame_locator("iframe").get_by_text("Acme")).to_have_count(0)
    assert receiver.wait(1, "/hook")


def test_a_portal_in_the_colours_of_its_tenant(open_page, tenant):
    api = tenant.api
    app = api.new_app(name="Acme")
    page = open_page("/dashboard/settings/portal", tenant.key)
    page.get_by_label("Name", exact=True).fill("Umbrella <b>hooks</b>")
    page.get_by_label("Image of the logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(page.get_by_text("The logo is an image that is kept here.")).to_be_visible()
    page.get_by_label("Colour on the light page", exact=True).fill("#ffff00")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("too little contrast").first).to_be_visible()
    page.get_by_label("Colour on the light page", exact=True).fill("#7a1fa2")
    preview = page.get_by_role("img", name="The portal, light")
    fill = "element => getComputedStyle(element.querySelector('.primary')).backgroundColor"
    assert preview.evaluate(fill) == "rgb(122, 31, 162)"
    judge(page, "portal settings")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changes saved.")).to_be_visible()

    portal = open_page(link_of(api, app))
    expect(portal.get_by_text("Umbrella <b>hooks</b>")).to_be_visible()
    assert portal.locator("img.brand").evaluate("image => image.naturalWidth") == 1
    button = portal.get_by_role("link", name="New endpoint").first
    assert button.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(122, 31, 162)"
    judge(portal, "portal, light")
    shoot(portal, "portal-1280")
    portal.emulate_media(color_scheme="dark")
    judge(portal, "portal, dark")
    shoot(portal, "portal-1280-dark")
    portal.set_viewport_size({"width": 390, "height": 800})
    shoot(portal, "portal-390")


def test_a_portal_shows_what_its_link_was_made_for(open_page, tenant, receiver):
    api = tenant.api
    api.new_event_type("invoice.paid", description="An invoice was paid.")
    app = api.new_app(name="Acme")
    api.new_endpoint(app, receiver.url("/hook"))
    api.send(app, event_type="invoice.paid", eventId="evt-7")
    page = open_page(f"/dashboard/app/{app['id']}", tenant.key)
    page.get_by_role("button", name="More for this application").click()
    page.get_by_role("menuitem", name="Portal link…").click()
    page.get_by_text("Endpoints, with their settings").click()
    page.get_by_text("Event types", exact=True).last.click()
    page.get_by_role("button", name="Make a link").click()
    portal = open_page(page.get_by_label("The link", exact=True).inner_text())
    expect(portal.get_by_text("evt-7")).to_be_visible()
    expect(portal.get_by_role("link", name="Endpoints")).to_have_count(0)
    expect(portal.get_by_role("link", name="Event types")).to_have_count(0)

    whole = open_page(link_of(api, app))
    whole.get_by_role("link", name="Event types").click()
    expect(whole.get_by_text("An invoice was paid.")).to_be_visible()
    expect(whole.get_by_role("button", name="Import…")).to_have_count(0)
    whole.get_by_role("link", name="invoice.paid").click()
    expect(whole.get_by_role("heading", name="invoice.paid")).to_be_visible()
    expect(whole.get_by_role("link", name="Edit")).to_have_count(0)
    whole.reload()
    expect(whole.get_by_role("heading", name="invoice.paid")).to_be_visible()
