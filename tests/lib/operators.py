"""A client of the operator's interface."""
from client import Api, unique

TOKEN = "the operator's token, long enough for it"


class Operator(Api):
    def request(self, method, path, **more):
        response = self.http.request(method, f"{self.url}/admin/v1{path}", **more)
        if self._check:
            self._check(response)
        return response

    def new_tenant(self, **fields):
        return self.expect(201, "POST", "/tenant", json={"name": unique("tenant"), **fields})

    def new_key(self, tenant, **fields):
        return self.expect(201, "POST", f"/tenant/{tenant['id']}/api-key", json={"name": "of a test", **fields})["key"]
