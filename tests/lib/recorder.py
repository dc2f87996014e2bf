"""A proxy between a client and a server, which holds every answer against the OpenAPI document and keeps in mind what was asked.

    recorder.url           the client's server URL
    recorder.succeeded     operations that were answered 2xx, e.g. "GET /api/v1/app/{app_id}"
    recorder.faults        what was not as the document says
"""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import contract
from client import shared_http
from wait import SLOWNESS

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade"}


class Recorder:
    def __init__(self, server_url):
        self.succeeded, self.faults = set(), []
        self._server_url = server_url
        self._http = shared_http(timeout=30.0 * SLOWNESS)
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(65537)
                if self.raw_requestline and self.parse_request():
                    recorder._pass_on(self)
                    self.wfile.flush()
                else:
                    self.close_connection = True

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that leaves

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _pass_on(self, asked):
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in HOP_BY_HOP}
        body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
        response = self._http.request(asked.command, self._server_url + asked.path, headers=headers, content=body)
        self._judge(response)
        asked.send_response(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in HOP_BY_HOP:
                asked.send_header(name, value)
        if response.status_code != 204:
            asked.send_header("Content-Length", str(len(response.content)))
        asked.end_headers()
        asked.wfile.write(response.content)

    def _judge(self, response):
        try:
            contract.check(response)
        except AssertionError as fault:
            self.faults.append(str(fault))
        operation = contract.load().name(response.request)
        if operation and response.is_success:
            self.succeeded.add(operation)

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()
