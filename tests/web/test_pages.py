"""Every page: accessible in both themes, whole at 320 px, and its picture in build/screens."""
from pathlib import Path

import pytest
from conftest import OPERATOR_TOKEN
from playwright.sync_api import expect
from wait import wait_for

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
SCREENS = ROOT / "build/screens"

# name: (path, a text that is there when the page is, what is pressed then)
PAGES = {
    "overview": ("/dashboard", "How long attempts take", []),
    "applications": ("/dashboard/app", "Acme Inc", []),
    "application-new": ("/dashboard/app?new", "Your own id for this customer", []),
    "application": ("/dashboard/app/{app}", "Old warehouse", []),
    "application-messages": ("/dashboard/app/{app}/msg", "evt-7", []),
    "application-activity": ("/dashboard/app/{app}/activity", "Attempts by event type", []),
    "application-send": ("/dashboard/app/{app}", "Old warehouse", ["Send a message"]),
    "application-menu": ("/dashboard/app/{app}", "Old warehouse", ["More for this application"]),
    "application-inbox": ("/dashboard/app/{customer}/inbox", "by hand", []),
    "application-inbox-empty": ("/dashboard/app/{app}/inbox", "Open the inbox", []),
    "endpoint-new": ("/dashboard/app/{app}/endpoint/new", "payment.failed", []),
    "endpoint": ("/dashboard/app/{app}/endpoint/{endpoint}", "That is all.", []),
    "endpoint-failing": ("/dashboard/app/{app}/endpoint/{down}", "That is all.", []),
    "endpoint-attempts": ("/dashboard/app/{app}/endpoint/{down}/attempts", "connection refused", []),
    "endpoint-activity": ("/dashboard/app/{app}/endpoint/{endpoint}/activity", "How long attempts take", []),
    "endpoint-test": ("/dashboard/app/{app}/endpoint/{endpoint}/test", "What came of it", []),
    "endpoint-signing": ("/dashboard/app/{app}/endpoint/{endpoint}/signing", "standardwebhooks", []),
    "endpoint-rotate": ("/dashboard/app/{app}/endpoint/{endpoint}/signing", "standardwebhooks", ["Rotate…"]),
    "endpoint-fetched": ("/dashboard/app/{app}/endpoint/{poller}", "Nothing is sent to this endpoint.", []),
    "endpoint-settings": ("/dashboard/app/{app}/endpoint/{endpoint}/settings", "Client certificate", []),
    "message": ("/dashboard/app/{app}/msg/{message}", "Ada Lovelace", []),
    "event-types": ("/dashboard/event-type", "A customer signed up.", []),
    "event-type": ("/dashboard/event-type/invoice.paid", "Example", []),
    "event-type-edit": ("/dashboard/event-type/invoice.paid/edit", "JSON Schema", []),
    "tasks": ("/dashboard/task", "Recover what failed", []),
    "task": ("/dashboard/task/{task}", "looked at", []),
    "settings": ("/dashboard/settings", "Header prefix", []),
    "settings-operational": ("/dashboard/settings/operational", "endpoint.disabled", []),
    "live": ("/dashboard/tail", "Listening", []),
    "event-types-import": ("/dashboard/event-type", "A customer signed up.", ["Import…"]),
    "settings-keys": ("/dashboard/settings/keys", "That is all.", []),
    "settings-key-new": ("/dashboard/settings/keys", "That is all.", ["New key"]),
    "settings-usage": ("/dashboard/settings/usage", "Messages a day", []),
    "settings-portal": ("/dashboard/settings/portal", "Preview", []),
    "settings-environments": ("/dashboard/settings/environments", "Shown here", []),
    "settings-environment-new": ("/dashboard/settings/environments", "Shown here", ["New environment"]),
    "settings-audit": ("/dashboard/settings/audit", "application.create", []),
    "operator-tenants": ("/operator", "That is all.", []),
    "operator-tenant-new": ("/operator", "That is all.", ["New tenant"]),
    "operator-tenant": ("/operator/tenant/{id}", "Attempts a day", []),
    "operator-plans": ("/operator/plan", "messages a day:", []),
    "operator-plan-new": ("/operator/plan", "messages a day:", ["New plan"]),
    "operator-health": ("/operator/health", "Alive", []),
    "catalog": ("/catalog/umbrella", "A customer signed up.", []),
    "catalog-type": ("/catalog/umbrella/invoice.paid", "Example", []),
    "catalog-missing": ("/catalog/nobody", "Nothing is published here.", []),
    "nothing": ("/dashboard/nowhere", "There is no such page.", []),
}


def show(page, ready, press):
    """Waits for the page, presses, and waits for what opens."""
    expect(page.get_by_text(ready).first).to_be_visible()
    for name in press:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("dialog").or_(page.get_by_role("menu")).first).to_be_visible()


def judge(page, where):
    page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document)).violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)])")
    assert not found, f"{where}: {found}"


def shoot(page, name):
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("name", PAGES)
def test_a_page(open_page, world, name):
    path, ready, press = PAGES[name]
    page = open_page(world.path(path), OPERATOR_TOKEN if path.startswith("/operator") else world.key)
    show(page, ready, press)
    judge(page, f"{name}, light")
    shoot(page, f"{name}-1280")
    page.emulate_media(color_scheme="dark")
    judge(page, f"{name}, dark")
    shoot(page, f"{name}-1280-dark")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        wait_for(lambda: page.evaluate(overflow) <= 0, 5, f"{name} fits {width} px")
        if width == 390:
            shoot(page, f"{name}-390")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signing_in(open_page, theme):
    page = open_page(theme=theme)
    expect(page.get_by_label("API key")).to_be_focused()
    judge(page, "sign in")
    shoot(page, f"sign-in-1280{'-dark' if theme == 'dark' else ''}")
    page.set_viewport_size({"width": 390, "height": 800})
    shoot(page, f"sign-in-390{'-dark' if theme == 'dark' else ''}")


def test_the_menu_of_a_narrow_screen(open_page, world):
    page = open_page("/dashboard/app", world.key, width=390)
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    page.get_by_role("button", name="Open the menu").click()
    judge(page, "menu")
    shoot(page, "menu-390")
    page.get_by_role("link", name="Event types").click()
    expect(page.get_by_role("heading", name="Event types")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()


def test_the_interface_page(open_page):
    """Without signing in, with nothing loaded from elsewhere and nothing that its policy refuses."""
    page = open_page("/docs")
    expect(page.get_by_text("/api/v1/app/{app_id}/msg").first).to_be_visible()
    page.get_by_text("Send a message", exact=True).first.click()
    expect(page.get_by_role("heading", name="Responses").or_(page.get_by_text("Responses")).first).to_be_visible()
    shoot(page, "docs-1280")


def test_a_theme_that_was_chosen_stays(open_page, world):
    page = open_page("/dashboard/app", world.key)
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate(colour)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()
    assert page.evaluate(colour) == dark
