"""The first steps, and the test inbox they lead to."""
import pytest
from playwright.sync_api import expect
from test_pages import judge, shoot
from wait import wait_for

STEPS = ["Create an application", "Give it an endpoint", "Name an event type", "Send an example event", "See it arrive"]


def arrived(page):
    return page.get_by_role("list", name="Arrived").get_by_role("listitem")


def test_from_nothing_to_an_event_that_has_arrived(open_page, tenant):
    """In seven clicks, with nothing typed, and each step where the one before was."""
    page = open_page("/dashboard", tenant.key)
    expect(page.get_by_role("heading", name="Welcome to Posthorn")).to_be_visible()
    steps = page.get_by_role("list", name="First steps").get_by_role("listitem")
    for i, text in enumerate(STEPS):
        expect(steps.nth(i)).to_contain_text(text)
    judge(page, "first steps")
    shoot(page, "first-steps-1280")
    page.set_viewport_size({"width": 390, "height": 800})
    shoot(page, "first-steps-390")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Use the test inbox").click()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(arrived(page)).to_have_count(1)
    expect(page.get_by_role("region", name="Request").get_by_text("Signature right")).to_be_visible()
    expect(page.get_by_label("Body", exact=True)).to_contain_text('"in_42"')
    expect(page.get_by_role("heading", name="It works. Now from your code")).to_be_visible()
    (app,) = tenant.api.pages("/app")
    (endpoint,) = tenant.api.pages(f"/app/{app['id']}/endpoint")
    expect(page.get_by_label("Send a message, curl", exact=True)).to_contain_text(app["id"])
    expect(page.get_by_label("Check a webhook, Python", exact=True)).to_contain_text(tenant.api.secret(app, endpoint))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        judge(page, "the last of the first steps")
        shoot(page, f"first-steps-done-{width}")
    page.emulate_media(color_scheme="dark")
    judge(page, "the last of the first steps, dark")
    page.get_by_role("button", name="Go to the overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("list", name="First steps")).to_have_count(0)


def test_the_first_steps_with_a_receiver_of_ones_own(open_page, tenant, receiver):
    page = open_page("/dashboard", tenant.key)
    page.get_by_label("Name of the customer").fill("Globex")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="A URL of mine").click()
    page.get_by_label("URL", exact=True).fill(receiver.url("/hook"))
    page.get_by_role("button", name="Create endpoint").click()
    page.get_by_label("Event type").fill("order.shipped")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("region", name="What came of it").get_by_text("200")).to_be_visible()
    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_label("Event type").fill("order shipped")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status").get_by_text("name")).to_be_visible()
    page.get_by_label("Event type").fill("order.shipped")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="It works. Now from your code")).to_be_visible()
    assert receiver.wait(2, "/hook")[1].body


def test_seeing_retries_in_the_inbox(open_page, tenant):
    api = tenant.api
    app = api.new_app(name="Acme")
    page = open_page(f"/dashboard/app/{app['id']}", tenant.key)
    page.get_by_role("link", name="Test inbox").click()
    page.get_by_role("button", name="Open the inbox").click()
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()
    (endpoint,) = api.pages(f"/app/{app['id']}/endpoint")
    api.expect(200, "PATCH", f"/app/{app['id']}/endpoint/{endpoint['id']}", json={"retrySchedule": [1]})
    page.get_by_label("Answers with").select_option("503 Service Unavailable")
    expect(page.get_by_text("Deliveries to it fail and are tried again")).to_be_visible()
    page.get_by_role("button", name="Send it something").click()
    page.get_by_label("Event type").fill("invoice.paid")
    page.get_by_label("Payload").fill('{"number": 1}')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="invoice.paid")).to_be_visible()
    page.go_back()
    expect(arrived(page)).to_have_count(2)
    page.get_by_label("Answers with").select_option("200 OK")
    expect(page.get_by_text("Deliveries to it fail")).to_have_count(0)
    api.send(app, {"number": 2})
    expect(arrived(page)).to_have_count(3)
    expect(page.get_by_label("Body", exact=True)).to_contain_text("2")
    arrived(page).last.get_by_role("button").click()
    expect(page.get_by_label("Body", exact=True)).to_contain_text("1")
    expect(page.get_by_role("region", name="Request").get_by_text("503")).to_be_visible()
    page.get_by_role("button", name="More for this inbox").click()
    page.get_by_role("menuitem", name="Delete the inbox…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("No test inbox yet.")).to_be_visible()
    api.expect(404, "GET", f"/app/{app['id']}/inbox")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_customer_has_an_inbox_too(open_page, tenant, read_only):
    api = tenant.api
    app = api.new_app()
    api.expect(200, "PUT", f"/app/{app['id']}/inbox", json={})
    link = api.expect(200, "POST", f"/auth/app-portal-access/{app['id']}", json={"readOnly": read_only})["url"]
    page = open_page(link.partition("//")[2].partition("/")[2].join(["/", ""]))
    page.get_by_role("link", name="Test inbox").click()
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()
    expect(page.get_by_label("Answers with")).to_be_enabled(enabled=not read_only)


def test_markup_that_arrives_is_text(open_page, tenant):
    app = tenant.api.new_app()
    url = tenant.api.expect(200, "PUT", f"/app/{app['id']}/inbox", json={})["url"]
    mark = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    tenant.api.http.post(url, content=mark.encode(), headers={"x-mark": mark}).raise_for_status()
    page = open_page(f"/dashboard/app/{app['id']}/inbox", tenant.key)
    page.get_by_text("Headers").click()
    expect(page.get_by_text("x-mark")).to_be_visible()
    wait_for(lambda: page.evaluate("document.body.innerText").count("onerror=") == 2, 5, "both are shown")
    assert page.evaluate("document.querySelectorAll('img, script:not([src])').length") == 0 and "owned" not in page.title()
