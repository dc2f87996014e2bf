"""A mail server for the program under test to send to.

    with MailServer() as server:                  plain SMTP on a port of its own
    MailServer(starttls=context)                  offers STARTTLS; accepts nothing without
    MailServer(tls=context)                       smtps
    server.user, server.password                  with accounts={"user": "password"}: AUTH is needed
    server.mails                                  what was taken: email.message.EmailMessage with .recipient and .sender
    server.answers["a@b"] = "550 no such box"     what RCPT is answered for an address
    server.hang = True                            nothing is answered any more to new DATA
    server.stop(), server.start()                 down for a while, same port
"""
import asyncio
import email
import email.policy
import socket

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from wait import wait_for


class MailServer:
    def __init__(self, starttls=None, tls=None, accounts=None):
        self.starttls, self.tls, self.accounts = starttls, tls, accounts
        self.mails, self.answers, self.hang, self.tries = [], {}, False, 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._controller = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"{'smtps' if self.tls else 'smtp'}://127.0.0.1:{self.port}"

    def settings(self, **more):
        """What a server of ours needs to send mail here."""
        return {"POSTHORN_SMTP_URL": self.url, "POSTHORN_MAIL_FROM": "Posthorn <posthorn@mail.example>",
                "POSTHORN_PUBLIC_URL": "https://hooks.example",
                "POSTHORN_SMTP_TLS_REQUIRED": "true" if self.starttls else "false", **more}

    def start(self):
        more = {}
        if self.starttls:
            more |= {"tls_context": self.starttls, "require_starttls": True}
        if self.tls:
            more |= {"ssl_context": self.tls}
        if self.accounts:
            more |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": not self.tls}
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **more)
        self._controller.start()
        return self

    def stop(self):
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None

    def wait(self, count=1, timeout=20.0):
        """The mails as soon as there are so many."""
        return wait_for(lambda: self.mails if len(self.mails) >= count else None, timeout, f"{count} mails")

    def _authenticate(self, server, session, envelope, mechanism, data):
        user, password = data.login.decode(), data.password.decode()
        return AuthResult(success=self.accounts.get(user) == password, handled=False)

    # called by aiosmtpd

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries += 1
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        while self.hang:
            await asyncio.sleep(0.05)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail.raw, mail.sender, mail.recipients = envelope.content, envelope.mail_from, envelope.rcpt_tos
        self.mails.append(mail)
        return "250 taken"
