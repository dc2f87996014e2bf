"""Journeys without a mouse."""
from client import unique
from conftest import OPERATOR_TOKEN
from playwright.sync_api import expect

STEPS_MAX = 80


def focus(page, role, name):
    """Tab until the control of this role and name has the focus."""
    wanted = page.get_by_role(role, name=name).first
    for _ in range(STEPS_MAX):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return wanted
    raise AssertionError(f"Tab does not reach the {role} {name}")


def test_from_signing_in_to_the_first_delivery(open_page, tenant, receiver):
    page = open_page("/dashboard")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(tenant.key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    focus(page, "textbox", "Name of the customer")
    page.keyboard.type("Globex")
    page.keyboard.press("Enter")
    focus(page, "link", "A URL of mine")
    page.keyboard.press("Enter")
    expect(page.get_by_label("URL", exact=True)).to_be_focused()
    page.keyboard.type(receiver.url("/hook"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Send a test event")).to_be_visible()
    focus(page, "button", "Send")
    page.keyboard.press("Space")
    receiver.wait(1, "/hook")
    expect(page.get_by_role("region", name="What came of it").get_by_text("200")).to_be_visible()


def test_the_palette_leads_to_an_application_and_its_endpoint_is_disabled(open_page, tenant, receiver):
    app = tenant.api.new_app(name="Globex Corporation")
    endpoint = tenant.api.new_endpoint(app, receiver.url("/hook"))
    page = open_page("/dashboard", tenant.key)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Search and commands")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Globex")).to_be_visible()
    page.keyboard.type("globex")
    expect(page.get_by_role("menuitem")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Globex Corporation")).to_be_visible()
    focus(page, "link", endpoint["url"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    focus(page, "button", "More for this endpoint")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    for _ in range(6):
        if page.get_by_role("menuitem", name="Disable…").evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="More for this endpoint")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("dis")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    focus(page, "button", "Disable it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Enable")).to_be_visible()
    assert tenant.api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}")["disabled"]


def test_the_operator_makes_a_tenant_and_deletes_it(open_page):
    name = unique("tenant")
    page = open_page("/operator")
    expect(page.get_by_label("Operator’s token")).to_be_focused()
    page.keyboard.type(OPERATOR_TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    focus(page, "button", "New tenant")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    focus(page, "button", "More for this tenant")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu")).to_be_visible()
    page.keyboard.type("del")
    page.keyboard.press("Enter")
    expect(page.get_by_label(f"Type {name} to confirm")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_the_palette_knows_the_parts_of_the_settings(open_page, tenant):
    page = open_page("/dashboard", tenant.key)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    for typed, ready in (("usage", "Messages today"), ("environ", "Shown here"), ("audit", "Command line"), ("portal", "Preview")):
        page.keyboard.press("Control+k")
        expect(page.get_by_role("dialog", name="Search and commands")).to_be_visible()
        page.keyboard.type(typed)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main").get_by_text(ready).first).to_be_visible()
