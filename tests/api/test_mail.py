"""How mails leave: transport, retries, and what is written at their head. What they are about has tests of its own."""
import json
import uuid

import pytest
from mail_server import MailServer
from receiver import status
from server import Node
from wait import wait_for

EVIL = "Evil\r\nBcc: victim@example.com\r\n\r\nBody"


def queue(database, recipient="olga@customer.example", tenant="Acme", seconds=3600, endpoints=("https://a.example/hook",)):
    """A mail, as a statement that disables an endpoint writes it."""
    with database.database() as connection:
        connection.execute("SELECT queue_mail(%s, %s, %s, 'endpoint.disabled', %s, NULL, %s)",
                           [None, uuid.uuid4(), recipient, json.dumps({"tenant": tenant, "endpoints": list(endpoints)}), seconds])


def owed(database):
    with database.database() as connection:
        return connection.execute("SELECT count(*) FROM mails").fetchone()[0]


def hurry(database):
    """What waits for another try is tried now."""
    with database.database() as connection:
        connection.execute("UPDATE mails SET due_at = now()")


def wait_tried(node, name, count=1):
    return wait_for(lambda: node.metrics()[f"posthorn_mails_{name}_total"] >= count, 20, f"{count} mails {name}")


@pytest.fixture(scope="module")
def database(postgres):
    return postgres.new_database()


@pytest.fixture(autouse=True)
def _none_is_owed(database):
    with database.database() as connection:
        connection.execute("DELETE FROM mails")


@pytest.fixture
def mail_server():
    with MailServer() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.server("127.0.0.1")


def test_with_starttls_and_a_password(database, start_node, authority, certificate):
    with MailServer(starttls=certificate, accounts={"posthorn": "swordfish"}) as server:
        node = start_node(**server.settings(POSTHORN_CA_FILE=authority.file, POSTHORN_SMTP_USER="posthorn",
                                            POSTHORN_SMTP_PASSWORD="swordfish"))
        queue(database)
        mail, = server.wait()
        assert (mail.sender, mail.recipients) == ("posthorn@mail.example", ["olga@customer.example"])
        assert mail["From"] == "Posthorn <posthorn@mail.example>" and mail["To"] == "olga@customer.example"
        assert mail["Subject"] == "Acme: endpoints were disabled"
        assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"].endswith("@mail.example>") and mail["Date"]
        assert mail.get_content_type() == "text/plain"
        text = mail.get_content().replace("\r\n", "\n")
        assert "\nhttps://hooks.example/dashboard\n" in text and "  https://a\u2024example/hook\n" in text
        wait_for(lambda: owed(database) == 0, 10, "it is not owed any more")
        assert node.metrics()["posthorn_mails_sent_total"] == 1


def test_over_tls_from_the_start(database, start_node, authority, certificate):
    with MailServer(tls=certificate, accounts={"posthorn": "swordfish"}) as server:
        start_node(**server.settings(POSTHORN_CA_FILE=authority.file, POSTHORN_SMTP_USER="posthorn",
                                     POSTHORN_SMTP_PASSWORD="swordfish"))
        queue(database)
        server.wait()


def test_a_wrong_password_is_no_reason_to_give_up(database, start_node, authority, certificate):
    with MailServer(starttls=certificate, accounts={"posthorn": "swordfish"}) as server:
        node = start_node(**server.settings(POSTHORN_CA_FILE=authority.file, POSTHORN_SMTP_USER="posthorn",
                                            POSTHORN_SMTP_PASSWORD="wrong"))
        queue(database)
        wait_tried(node, "failed")
        assert owed(database) == 1 and not server.mails
        assert "wrong" not in node.log()


def test_no_mail_goes_where_the_certificate_does_not_match(database, start_node, authority):
    for server in (MailServer(starttls=authority.server("other.example")), MailServer(tls=authority.server("other.example"))):
        with server:
            node = start_node(**server.settings(POSTHORN_CA_FILE=authority.file))
            queue(database)
            wait_tried(node, "failed")
            assert server.tries == 0 and not server.mails
            node.stop()


def test_no_mail_goes_out_in_the_clear_unless_that_is_allowed(database, start_node, mail_server):
    node = start_node(**mail_server.settings(POSTHORN_SMTP_TLS_REQUIRED="true"))
    queue(database)
    wait_tried(node, "failed")
    assert mail_server.tries == 0 and not mail_server.mails
    node.stop()
    start_node(**mail_server.settings(POSTHORN_SMTP_TLS_REQUIRED="false"))
    hurry(database)
    mail_server.wait()


def test_a_server_that_is_down_gets_it_when_it_is_back(database, start_node, mail_server):
    mail_server.stop()
    node = start_node(**mail_server.settings())
    queue(database)
    wait_tried(node, "failed")
    mail_server.start()
    mail_server.wait()  # the second try comes by itself
    wait_for(lambda: owed(database) == 0, 10, "it is not owed any more")


def test_a_refused_recipient_is_given_up_and_the_next_one_served(database, start_node, mail_server):
    mail_server.answers = {"gone@customer.example": "550 no such mailbox", "busy@customer.example": "450 later"}
    node = start_node(**mail_server.settings())
    for name in ("gone", "busy", "olga"):
        queue(database, f"{name}@customer.example")
    mail_server.wait()
    wait_tried(node, "given_up")
    wait_tried(node, "failed")
    assert owed(database) == 1
    assert "customer.example" not in node.log()  # whose they are is nobody's business
    mail_server.answers = {}
    hurry(database)
    mail_server.wait(2)
    assert [mail["To"] for mail in mail_server.mails] == ["olga@customer.example", "busy@customer.example"]


def test_a_server_that_hangs_costs_no_more_than_the_deadline(database, start_node, mail_server):
    mail_server.hang = True
    node = start_node(**mail_server.settings(POSTHORN_SMTP_TIMEOUT_MS=500))
    queue(database)
    wait_tried(node, "failed")
    mail_server.hang = False
    hurry(database)
    mail_server.wait()


def test_a_stop_does_not_wait_for_a_server_that_hangs(database, start_node, mail_server):
    mail_server.hang = True
    node = start_node(**mail_server.settings(POSTHORN_SMTP_TIMEOUT_MS=600000))
    queue(database)
    wait_for(lambda: mail_server.tries, 20, "a mail is under way")
    node.stop(timeout=20)
    mail_server.hang = False
    assert owed(database) == 1
    start_node(**mail_server.settings())  # it was given back, and is due
    mail_server.wait()


def test_a_killed_node_owes_it_still(database, start_node, mail_server):
    mail_server.hang = True
    node = start_node(**mail_server.settings(POSTHORN_SMTP_TIMEOUT_MS=2000))
    queue(database)
    wait_for(lambda: mail_server.tries, 20, "a mail is under way")
    node.kill()
    mail_server.hang = False
    mail_server.mails.clear()
    start_node(**mail_server.settings(POSTHORN_SMTP_TIMEOUT_MS=2000))
    mail_server.wait()  # when the dead one's time is over
    wait_for(lambda: owed(database) == 0, 10, "it is not owed any more")


def test_two_nodes_send_each_once(database, start_node, mail_server):
    for number in range(30):
        queue(database, f"olga{number}@customer.example")
    nodes = [start_node(**mail_server.settings()) for _ in range(2)]
    mail_server.wait(30)
    wait_for(lambda: owed(database) == 0, 10, "none is owed any more")
    assert sorted(mail["To"] for mail in mail_server.mails) == sorted(f"olga{n}@customer.example" for n in range(30))
    assert sum(node.metrics()["posthorn_mails_sent_total"] for node in nodes) == 30


def test_what_is_too_old_is_given_up(database, start_node, mail_server):
    queue(database, seconds=-1)
    node = start_node(**mail_server.settings())
    wait_tried(node, "given_up")
    wait_for(lambda: owed(database) == 0, 10, "it is not owed any more")
    assert not mail_server.mails


def test_names_cannot_break_out_of_their_place(database, start_node, mail_server):
    start_node(**mail_server.settings(POSTHORN_MAIL_FROM="Jürgen, \"Posthorn\" <posthorn@mail.example>"))
    queue(database, tenant=EVIL)
    queue(database, tenant="Ünïcødé 🐝 " * 100, endpoints=["x\nhttps://evil.example/ " + "y" * 500] * 500)
    for mail in mail_server.wait(2):
        assert mail["From"].addresses[0].display_name == 'Jürgen, "Posthorn"'
        assert mail["Bcc"] is None and len(mail.raw) < 64 * 1024
        assert all(len(line) <= 78 for line in mail.raw.split(b"\r\n")) and b"\n" not in mail.raw.replace(b"\r\n", b"")
        assert "evil.example" not in mail.get_content()
    evil, long = sorted(mail_server.mails, key=lambda mail: len(mail.raw))
    assert evil["Subject"].startswith("Evil  Bcc: victim@example") and evil["Subject"].endswith(": endpoints were disabled")
    assert long["Subject"].startswith("Ünïcødé 🐝 Ünïcødé 🐝") and long["Subject"].endswith("…: endpoints were disabled")


def member(database, tenant, email, role):
    with database.database() as connection:
        user = uuid.uuid4()
        connection.execute("INSERT INTO users (id, email) VALUES (%s, %s)", [user, email])
        connection.execute("INSERT INTO members (tenant_id, user_id, role) SELECT id, %s, %s FROM tenants WHERE wire_id('org_', id) = %s",
                           [user, role, tenant])


def test_members_learn_of_endpoints_that_are_disabled(database, start_node, mail_server, receiver):
    for path in ("/quiet", "/one", "/two"):
        receiver.script(path, status(410))
    silent = start_node()
    (tenant, key), (other, _) = database.new_tenant("Ones' Inc."), database.new_tenant("Others")
    for name, role in (("olga", "owner"), ("anna", "admin"), ("dora", "developer"), ("vera", "viewer")):
        member(database, tenant, f"{name}@ones.example", role)
    member(database, other, "otto@others.example", "owner")

    def disable(node, url):
        with node.api(key) as api:
            app = api.new_app()
            endpoint = api.new_endpoint(app, url)
            api.send(app)
            wait_for(lambda: api.expect(200, "GET", f"/app/{app['id']}/endpoint/{endpoint['id']}")["disabled"], 20, "it is disabled")

    disable(silent, receiver.url("/quiet"))
    assert owed(database) == 0  # nobody would send it
    silent.stop()
    node = start_node(**mail_server.settings())
    for path in ("/one", "/two"):
        disable(node, receiver.url(path))
    assert owed(database) == 3 and not mail_server.mails  # both together, once for each of them
    node.kill()
    start_node(**mail_server.settings())
    hurry(database)
    mails = mail_server.wait(3)
    wait_for(lambda: owed(database) == 0, 10, "none is owed any more")
    assert sorted(mail["To"] for mail in mails) == ["anna@ones.example", "dora@ones.example", "olga@ones.example"]
    for mail in mails:
        assert mail["Subject"] == "Ones' Inc.: endpoints were disabled"
        assert "/one" in mail.get_content() and "/two" in mail.get_content() and "/quiet" not in mail.get_content()


def test_a_mail_names_no_more_endpoints_than_can_be_read(database):
    tenant, _ = database.new_tenant("Many")
    member(database, tenant, "olga@many.example", "owner")
    with database.database() as connection:
        connection.execute("SELECT mail_endpoint_disabled(id, 'https://example.com/' || n) FROM tenants, generate_series(1, 200) n"
                           " WHERE wire_id('org_', id) = %s", [tenant])
        about, = connection.execute("SELECT about FROM mails").fetchone()
    assert about["endpoints"] == [f"https://example.com/{n}" for n in range(1, 51)] + ["and others"]


def test_wrong_settings_are_named(database, mail_server):
    for name, value in (("SMTP_URL", "http://127.0.0.1:25"), ("SMTP_URL", "smtp://user:password@127.0.0.1"), ("SMTP_URL", "nonsense"),
                        ("MAIL_FROM", None), ("MAIL_FROM", "a@b\nBcc: c@d"), ("PUBLIC_URL", None), ("PUBLIC_URL", "hooks.example")):
        node = Node(database, **{**mail_server.settings(), f"POSTHORN_{name}": value})
        try:
            with pytest.raises(AssertionError, match=f"POSTHORN_{name} is not"):
                node.start()
        finally:
            node.remove()
