"""The pages of whoever runs the instance, and what a tenant sees of its quotas and shows to everybody."""
from client import Api, unique
from conftest import OPERATOR_TOKEN
from playwright.sync_api import expect
from test_pages import judge, shoot
from wait import wait_for


def test_the_operator_signs_in_with_his_token_alone(open_page, tenant):
    page = open_page("/operator")
    expect(page.get_by_label("Operator’s token")).to_be_focused()
    judge(page, "operator, sign in")
    shoot(page, "operator-sign-in-1280")
    page.keyboard.type(tenant.key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("This is not the operator’s token.")).to_be_visible()
    page.get_by_label("Operator’s token").fill(OPERATOR_TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Operator’s token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_the_life_of_a_tenant(open_page, server):
    page = open_page("/operator", OPERATOR_TOKEN)
    page.get_by_role("button", name="New tenant").click()
    page.get_by_label("Name").fill("Globex Corporation")
    page.get_by_label("Plan").select_option("free")
    page.get_by_text("Quotas of its own").click()
    page.get_by_label("Endpoints").fill("many")
    expect(page.get_by_text("A whole number.")).to_be_visible()
    page.get_by_label("Endpoints").fill("7")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="Globex Corporation")).to_be_visible()
    endpoints = page.get_by_role("row").filter(has_text="Endpoints")
    expect(endpoints).to_contain_text("7 · instead of the plan’s")

    page.get_by_role("button", name="More for this tenant").click()
    page.get_by_role("menuitem", name="New API key…").click()
    page.get_by_label("Name").fill("first")
    page.get_by_role("button", name="Create", exact=True).click()
    key = page.get_by_label("The key", exact=True).inner_text()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("link", name="Tenants").first.click()
    page.get_by_label("Find").fill("globex corp")
    page.get_by_label("State").select_option("suspended")
    expect(page.get_by_text("No tenant like that.")).to_be_visible()
    page.get_by_label("State").select_option("active")
    page.get_by_role("link", name="Globex Corporation").click()
    with Api(server.url, key) as user:
        user.new_app()
        page.get_by_role("button", name="More for this tenant").click()
        page.get_by_role("menuitem", name="Suspend…").click()
        page.get_by_role("button", name="Suspend it").click()
        expect(page.get_by_text("Suspended", exact=True)).to_be_visible()
        wait_for(lambda: user.get("/app").status_code == 403, 10, "it is suspended")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("Active", exact=True)).to_be_visible()
        wait_for(lambda: user.get("/app").status_code == 200, 10, "it goes on")

        page.get_by_role("button", name="Edit").click()
        page.get_by_label("Plan").select_option("standard")
        page.get_by_label("Endpoints").fill("")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The plan is standard.")).to_be_visible()
        expect(endpoints).not_to_contain_text("instead of")

        page.get_by_role("button", name="More for this tenant").click()
        page.get_by_role("menuitem", name="Delete…").click()
        expect(page.get_by_role("button", name="Delete it")).to_be_disabled()
        page.get_by_label("Type Globex Corporation to confirm").fill("Globex Corporation")
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
        expect(page.get_by_role("link", name="Globex Corporation")).to_have_count(0)
        wait_for(lambda: user.get("/app").status_code == 401, 10, "its key has ended")


def test_a_plan_is_made_changed_and_deleted(open_page, server):
    name = unique("plan")
    page = open_page("/operator/plan", OPERATOR_TOKEN)
    page.get_by_role("button", name="New plan").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Messages a day").fill("1234")
    page.get_by_role("button", name="Create", exact=True).click()
    row = page.get_by_role("list", name="Plans").get_by_role("listitem").filter(has_text=name)
    expect(row).to_contain_text("messages a day: 1 234")
    row.get_by_role("button", name=f"More for {name}").click()
    page.get_by_role("menuitem", name="Edit…").click()
    page.get_by_label("Messages a day").fill("99")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("messages a day: 99")

    with Api(server.url, OPERATOR_TOKEN) as operator:
        tenant = operator.http.post(f"{server.url}/admin/v1/tenant", json={"name": "T", "plan": name}).json()
        row.get_by_role("button", name=f"More for {name}").click()
        page.get_by_role("menuitem", name="Delete…").click()
        page.get_by_label(f"Type {name} to confirm").fill(name)
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        assert operator.http.patch(f"{server.url}/admin/v1/tenant/{tenant['id']}", json={"plan": None}).status_code == 200
    page.get_by_role("button", name="Delete it").click()
    expect(row).to_have_count(0)


def test_what_the_instance_owes_is_shown(open_page, server, tenant):
    app = tenant.api.new_app()
    tenant.api.new_endpoint(app, "http://127.0.0.1:1/never", retrySchedule=[3600])
    for _ in range(3):
        tenant.api.send(app)
    page = open_page("/operator/health", OPERATOR_TOKEN)
    table = page.get_by_role("region", name="Nodes, table")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_text("Alive")).to_be_visible()
    waiting = page.get_by_role("definition").filter(has=page.locator("xpath=preceding-sibling::dt[text()='Waiting']"))
    wait_for(lambda: int(waiting.inner_text().rstrip("+")) >= 3, 20, "they wait")
    failing = page.get_by_role("definition").filter(has=page.locator("xpath=preceding-sibling::dt[text()='Failing']"))
    wait_for(lambda: int(failing.inner_text().rstrip("+")) >= 1, 20, "its endpoint fails")


def test_a_token_that_ends_leads_to_signing_in(open_page):
    page = open_page("/operator", "not the token, or not any more")
    expect(page.get_by_text("The token is no longer valid. Sign in again.")).to_be_visible()


def test_a_tenant_sees_what_it_used_and_may_use(open_page, server, tenant):
    with Api(server.url, OPERATOR_TOKEN) as operator:
        quotas = {"messagesPerDay": 1000, "payloadBytes": 65536}
        response = operator.http.patch(f"{server.url}/admin/v1/tenant/{tenant.id}", json={"plan": "free", "quotas": quotas})
        assert response.status_code == 200
    app = tenant.api.new_app()
    for _ in range(3):
        tenant.api.send(app)
    page = open_page("/dashboard/settings/usage", tenant.key)
    expect(page.get_by_text("The plan is free.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Messages a day")
    expect(row).to_contain_text("1 000")
    expect(row).to_contain_text("3 today", timeout=30_000)
    expect(page.get_by_role("row").filter(has_text="Size of a payload")).to_contain_text("65.5 kB")


def test_a_catalogue_is_published_and_read_without_signing_in(open_page, tenant):
    api = tenant.api
    schema = {"type": "object", "properties": {"id": {"type": "string", "example": "in_7"}, "amount": {"type": "integer", "minimum": 5}}}
    api.new_event_type("invoice.paid", description="An <b>invoice</b> was paid.", schemas={"1": {"type": "object"}, "2": schema})
    api.new_event_type("invoice.voided", description="Taken back.")
    api.new_event_type("secret.thing", featureFlag="beta")
    page = open_page("/dashboard/settings", tenant.key)
    page.get_by_text("Everybody may read the event types").click()
    slug = tenant.id.removeprefix("org_").lower()
    page.get_by_label("Name of the public catalogue").fill("Not A Name")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Has to be 1 to 64 of").first).to_be_visible()
    page.get_by_label("Name of the public catalogue").fill(slug)
    page.get_by_role("button", name="Save").click()
    href = page.get_by_role("link", name="/catalog/").get_attribute("href")

    reader = open_page(href)
    expect(reader.get_by_text("An <b>invoice</b> was paid.")).to_be_visible()
    expect(reader.get_by_text("secret")).to_have_count(0)
    reader.get_by_label("Find").fill("taken")
    expect(reader.get_by_role("link", name="invoice.paid")).to_have_count(0)
    reader.get_by_label("Find").fill("")
    reader.get_by_role("link", name="invoice.paid").click()
    example = reader.get_by_label("Example", exact=True)
    expect(example).to_contain_text('"id": "in_7"')
    expect(example).to_contain_text('"amount": 5')
    reader.get_by_role("button", name="1", exact=True).click()
    expect(example).not_to_contain_text("in_7")
    reader.get_by_role("link", name="Event types").click()
    expect(reader.get_by_role("link", name="invoice.voided")).to_be_visible()

    api.expect(200, "PATCH", "/tenant", json={"publicCatalog": False})
    expect(open_page(href).get_by_text("Nothing is published here.")).to_be_visible()
