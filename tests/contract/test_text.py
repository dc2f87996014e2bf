"""Every text in every body, as its schema names it, with what is no name: too long, no UTF-8, control characters, no text at all. The
answer is as the document says, never a 5xx; and what was taken can be shown again."""
import copy
import json

import contract
import httpx
import pytest
from wait import SLOWNESS

DOCUMENT = contract.load()
MARK = "the-text-that-is-replaced"
# as it stands in JSON, without the quotes
TEXTS = {
    "100,000 characters": b"x" * 100_000, "300 characters of four bytes": "😀".encode() * 300, "nothing": b"", "a blank": b" ",
    "no UTF-8": b"a\xff\xfeb", "a surrogate in UTF-8": b"a\xed\xa0\x80", "an overlong slash": b"\xc0\xaf", "a cut character": b"a\xe2\x82",
    "a NUL": rb"a\u0000b", "half a pair": rb"\ud800", "a raw line break": b"a\nb", "control characters": rb"\u0001\u001f\u007f\u0085",
    "right to left": "\u202egnp.exe".encode(), "markup": b"<script>alert(1)</script>", "a quote": rb"'\";--", "a header": rb"a\r\nSet-Cookie: a=b",
    "a host": b"http://attacker.example/", "a template": b"{{7*7}}${7*7}%s%n",
}
REFUSED = {"no UTF-8", "a surrogate in UTF-8", "an overlong slash", "a cut character", "a NUL", "half a pair", "a raw line break"}
NOT_TEXT = {"a number": b"7", "a list": b"[]", "an object": b"{}", "true": b"true"}


def example(operation):
    media = DOCUMENT.resolve(DOCUMENT.operations[operation]["requestBody"])["content"].get("application/json")
    if not media:
        return None, None
    shown = media["example"] if "example" in media else DOCUMENT.resolve(next(iter(media["examples"].values())))["value"]
    return shown, DOCUMENT.resolve(media["schema"])


def is_text(schema):
    kind = schema.get("type")
    return (kind == "string" or isinstance(kind, list) and "string" in kind) and "enum" not in schema


def texts(schema, at=(), depth=0):
    """Where in a body there are strings: paths of names."""
    for name, part in DOCUMENT.resolve(schema).get("properties", {}).items():
        part = DOCUMENT.resolve(part)
        if is_text(part):
            yield (*at, name)
        elif depth < 2:
            yield from texts(part, (*at, name), depth + 1)


def with_mark(body, where):
    body = copy.deepcopy(body) if isinstance(body, dict) else {}
    at = body
    for name in where[:-1]:
        if not isinstance(at.get(name), dict):
            at[name] = {}
        at = at[name]
    at[where[-1]] = MARK
    return json.dumps(body).encode()


def cases():
    for operation in sorted(DOCUMENT.operations):
        if "requestBody" in DOCUMENT.operations[operation]:
            body, schema = example(operation)
            if isinstance(body, dict):
                found = [*texts(schema)]
                if found:
                    yield operation, body, found


CASES = [*cases()]


@pytest.mark.parametrize("operation, body, found", CASES, ids=[" ".join(operation) for operation, _, _ in CASES])
def test_texts_are_taken_or_refused_by_name(world, operation, body, found):
    method, path = operation
    names = {name: world.value(path, name) for name in (p["name"] for p in map(DOCUMENT.resolve, DOCUMENT.operations[operation]["parameters"])
                                                        if p["in"] == "path")}
    headers = {"Authorization": f"Bearer {world.key_for(path)}", "Content-Type": "application/json"}
    with httpx.Client(trust_env=False, timeout=30 * SLOWNESS, headers=headers) as client:
        for where in found:
            marked = with_mark(body, where)
            quoted = b'"%s"' % MARK.encode()
            assert marked.count(quoted) == 1
            values = {what: b'"%s"' % text for what, text in TEXTS.items()} | NOT_TEXT
            for what, value in values.items():
                answer = client.request(method, world.url + path.format(**names), content=marked.replace(quoted, value))
                contract.check(answer)
                assert answer.status_code < 500, (where, what, answer.text)
                if what in REFUSED:
                    assert answer.status_code in (400, 401, 403, 404, 409, 422, 429), (where, what, answer.status_code, answer.text)


LISTS = sorted(path for method, path in DOCUMENT.operations if method == "GET" and "{" not in path and path.startswith(("/api/v1/", "/admin/v1/"))
               and "application/json" in DOCUMENT.resolve(DOCUMENT.operations[method, path]["responses"].get("200", {})).get("content", {}))


def test_what_was_taken_is_shown_again(world):
    """After all of the above: lists with the longest and strangest texts are answered as ever."""
    for path in LISTS:
        headers = {"Authorization": f"Bearer {world.key_for(path)}"}
        answer = httpx.get(world.url + path, headers=headers, trust_env=False, timeout=30 * SLOWNESS)
        contract.check(answer)
        assert answer.status_code < 500, (path, answer.text)
