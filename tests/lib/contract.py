"""Replies of the server against its OpenAPI document.

    check(response)    AssertionError when the document does not say that this operation answers so
"""
import json
import re
import subprocess
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).parents[2]
ERROR = {"$ref": "#/components/schemas/ErrorOut"}
VALIDATION_ERROR = {"$ref": "#/components/schemas/ValidationErrorOut"}

NAME = "urn:openapi"

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _is_time(value):
    if isinstance(value, str):
        datetime.fromisoformat(value)
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value):
            raise ValueError("not RFC 3339")
    return True


def _closed(schema):
    """The schema, in which an object has the properties that are named, and no others."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key in ("example", "examples", "enum", "const") else _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def _absolute(schema):
    """The schema, whose references begin with the document's own name."""
    return json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{NAME}#/'))


class Document:
    def __init__(self, document):
        """document: the parsed JSON."""
        self.document = document
        self.operations = {}  # (method, path): operation, with the parameters of its path
        self._paths = []
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    parameters = item.get("parameters", []) + operation.get("parameters", [])
                    self.operations[method.upper(), path] = {**operation, "parameters": parameters}
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            self._paths.append((path.count("{"), re.compile(pattern), path))
        self._paths.sort(key=lambda entry: entry[0])
        self._registries = {
            closed: Registry().with_resource(NAME, Resource.from_contents(_closed(document) if closed else document, DRAFT202012))
            for closed in (False, True)}
        self._validators = {}

    def resolve(self, thing):
        """What a $ref of the document names; the thing itself when it is none."""
        while "$ref" in thing:
            at = self.document
            assert thing["$ref"].startswith("#/"), thing["$ref"]
            for part in thing["$ref"][2:].split("/"):
                at = at[unquote(part).replace("~1", "/").replace("~0", "~")]
            thing = at
        return thing

    def faults(self, schema, value, closed):
        """What is wrong with a value. closed: members that the schema does not name are wrong too."""
        key = json.dumps(schema, sort_keys=True), closed
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft202012Validator(
                _absolute(_closed(schema) if closed else schema), registry=self._registries[closed], format_checker=formats)
        best = jsonschema.exceptions.best_match(self._validators[key].iter_errors(value))
        return [f"{best.json_path}: {best.message[:500]}"] if best else []

    def find(self, method, path):
        """(whether the path is in the document, the operation or None)"""
        path = path.rstrip("/") or "/"
        for _, pattern, template in self._paths:
            if pattern.fullmatch(path):
                return True, self.operations.get((method, template))
        return False, None

    def name(self, request):
        """The operation that a request asks, e.g. "GET /api/v1/app/{app_id}"; None when there is none."""
        _, operation = self.find(request.method, request.url.raw_path.split(b"?")[0].decode())
        return next((f"{method} {path}" for (method, path), one in self.operations.items() if one is operation), None)

    def check(self, response):
        request = response.request
        known, operation = self.find(request.method, request.url.raw_path.split(b"?")[0].decode())
        faults = self._judge(operation, known, response)
        assert not faults, f"{request.method} {request.url.path} -> {response.status_code} is not as in the OpenAPI document: " \
            + "; ".join(faults)

    def _judge(self, operation, known, response):
        status = response.status_code
        if operation is None:
            if status not in ((400, 405) if known else (400, 401, 404)):
                return [f"it has no such {'method' if known else 'path'}"]
            return self._judge_body({"application/json": {"schema": ERROR}}, response)
        if str(status) not in operation["responses"]:
            return ["it does not name this status"]
        described = self.resolve(operation["responses"][str(status)])
        faults = self._judge_body(described.get("content", {}), response)
        if response.is_success and not faults:
            faults = self._judge_request(operation, response.request)
        return faults

    def _judge_body(self, content, response):
        kind = response.headers.get("content-type", "").split(";")[0]
        if not content:
            return [f"it has a body: {response.content[:200]}"] if response.content else []
        if kind not in content:
            return [f"Content-Type is {kind or 'missing'}"]
        value = response.json() if kind == "application/json" else response.text
        return self.faults(content[kind]["schema"], value, closed=True)

    def _judge_request(self, operation, request):
        """What the server took, the document has to allow."""
        body = request.content
        if not body or "requestBody" not in operation:
            return []
        faults = self.faults(operation["requestBody"]["content"]["application/json"]["schema"], json.loads(body), closed=False)
        return [f"the request was accepted: {fault}" for fault in faults]


@cache
def load():
    """The document of this tree, joined as the build does."""
    parts = sorted(map(str, ROOT.glob("server/api/openapi/*.json")))
    joined = subprocess.run([ROOT / "server/api/openapi/generate", *parts], check=True, capture_output=True, text=True).stdout
    return Document(json.loads(joined))


def check(response):
    load().check(response)
