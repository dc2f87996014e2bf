"""Certificates for receivers that speak https, made by the openssl program."""
import ssl
import subprocess
from pathlib import Path


class Authority:
    """A certificate authority in a folder. Servers trust it by POSTHORN_CA_FILE=authority.file."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.file = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                      "-subj", "/CN=authority of a test", "-keyout", self._key, "-out", self.file)

    def server(self, name="127.0.0.1", days=3, versions=None):
        """An ssl.SSLContext of a server with a certificate for this name or address. days may be negative: expired."""
        kind = "IP" if name.replace(".", "").isdigit() or ":" in name else "DNS"
        stem = self.folder / f"{name.replace(':', '_')}{days}"
        key, request, cert, ext = (stem.with_name(stem.name + end) for end in (".key", ".csr", ".pem", ".ext"))
        ext.write_text(f"subjectAltName={kind}:{name}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial",
                      "-days", str(days), "-extfile", ext, "-out", cert)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if versions:
            context.minimum_version, context.maximum_version = versions
        return context

    def client(self, name="client", days=3):
        """Certificate and key of a client, as one PEM text."""
        stem = self.folder / f"client-{name}{days}"
        key, request, cert = (stem.with_name(stem.name + end) for end in (".key", ".csr", ".pem"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/O=Tests/CN={name}",
                      "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial",
                      "-days", str(days), "-out", cert)
        return cert.read_text() + key.read_text()

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
