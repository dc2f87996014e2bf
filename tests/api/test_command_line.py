"""The commands that are not servers."""
import base64
import json
import re
import subprocess

import pytest
from client import Api
from server import BINARY, environment, run


def fails(status, *arguments, **settings):
    """Runs a command that has to end with this status; its standard error."""
    done = subprocess.run([BINARY, *arguments], env=environment(settings), capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    return done.stderr


def test_help_lists_every_command_and_each_has_its_own():
    text = run("help")
    names = re.findall(r"^  ([a-z-]+) ", text, re.M)
    assert {"dev", "serve", "receive", "migrate", "tenant", "key", "config", "doc", "master-key"} <= set(names)
    assert run("--help") == text
    for name in names:
        assert run(name, "--help").startswith(f"usage: posthorn {name}"), name
        assert run("help", name) == run(name, "--help")


def test_version():
    assert re.fullmatch(r"posthorn \d+\.\d+\.\d+\n", run("--version"))


def test_unknown_command_is_a_usage_error():
    assert 'there is no command "serv"' in fails(2, "serv")
    assert 'there is no command "serv"' in fails(2, "help", "serv")
    assert "usage: posthorn COMMAND" in fails(2)


def test_config_prints_effective_settings_without_secrets():
    lines = run("config", POSTHORN_BODY_BYTES="2M", POSTHORN_DATABASE_URL="postgresql://u:hidden@h/d").splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    assert settings["POSTHORN_DATABASE_URL"] == "(set)"
    assert settings["POSTHORN_MASTER_KEY"] == "(not set)"
    assert "POSTHORN_BODY_BYTES" in settings and not [line for line in lines if "hidden" in line]


def test_config_lists_all_that_is_wrong():
    text = fails(1, "config", POSTHORN_BODY_BYTES="lots", POSTHORN_HTTP_THREADS="-1", POSTHORN_MISSPELT="1")
    assert "POSTHORN_BODY_BYTES" in text and "POSTHORN_HTTP_THREADS" in text and "POSTHORN_MISSPELT" in text


def test_doc_prints_tables():
    assert "POSTHORN_LISTEN" in run("doc", "settings")
    assert "posthorn_http_requests_total" in run("doc", "metrics")
    assert "usage: posthorn doc" in fails(2, "doc", "nonsense")


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "doc", "settings"], env=environment({}), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr


def test_master_keys_are_random():
    keys = {run("master-key") for _ in range(3)}
    assert len(keys) == 3
    assert {len(base64.b64decode(key.strip(), validate=True)) for key in keys} == {32}


def test_migrate_says_how_many(postgres):
    import psycopg
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE command_line_migrate")
    url = postgres.url("command_line_migrate")
    assert re.fullmatch(r"[1-9]\d* migrations? applied\.\n", run("migrate", POSTHORN_DATABASE_URL=url))
    assert run("migrate", POSTHORN_DATABASE_URL=url) == "The database was up to date.\n"


def test_commands_need_a_database():
    for command in (("migrate",), ("tenant", "create", "--name", "x"), ("key", "create", "--tenant", "org_" + "0" * 22)):
        assert "POSTHORN_DATABASE_URL is not set" in fails(1, *command)
        fails(1, *command, POSTHORN_DATABASE_URL="host=127.0.0.1 port=1 dbname=x")


def test_made_key_works(server):
    tenant = json.loads(server.command_line("tenant", "create", "--name", "Zoë & Co.", "--json"))
    key = json.loads(server.command_line("key", "create", "--tenant", tenant["id"], "--name", "ci", "--json"))
    assert tenant["name"] == "Zoë & Co." and key["name"] == "ci"
    with Api(server.url, key["key"]) as api:
        assert api.expect(200, "GET", "/app")["data"] == []
    with server.database() as rows:
        assert rows.execute("SELECT count(*) FROM api_keys WHERE key_hash::text LIKE %s", [f"%{key['key']}%"]).fetchone() == (0,)


def test_key_without_json_is_shown_once_for_a_person(server):
    tenant = re.search(r"org_\w+", server.command_line("tenant", "create", "--name", "A person"))[0]
    text = server.command_line("key", "create", "--tenant", tenant)
    with Api(server.url, text.splitlines()[0].split()[-1]) as api:
        api.expect(200, "GET", "/app")


@pytest.mark.parametrize("arguments", [
    ("tenant",), ("tenant", "destroy"), ("tenant", "create"), ("tenant", "create", "--name", ""), ("tenant", "create", "--name", "x", "more"),
    ("key", "create"), ("key", "create", "--tenant", "app_0000000000000000000000"), ("key", "create", "--tenant", "nonsense"),
    ("key", "create", "--bogus"), ("migrate", "now"), ("config", "--bogus"), ("master-key", "more")])
def test_wrong_arguments_are_usage_errors(server, arguments):
    assert fails(2, *arguments, POSTHORN_DATABASE_URL=server.database_url)


def test_key_of_a_tenant_that_is_not_there(server):
    assert "org_1111111111111111111111" in fails(1, "key", "create", "--tenant", "org_1111111111111111111111",
                                                 POSTHORN_DATABASE_URL=server.database_url)
