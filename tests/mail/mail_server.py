"""A mail server: its mails as they arrived."""

import asyncio
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller

from tests.servers import free_port


class MailServer(Controller):
    """Accepts mails into `messages`, each in so many seconds, but for addresses that it refuses."""

    def __init__(self, refused=(), seconds=0):
        self.seconds = seconds
        self.messages, self.connections, self.refused = [], 0, {*refused}
        super().__init__(self, hostname="127.0.0.1", port=free_port())

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return "550 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(self.seconds)
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.messages.append((envelope.rcpt_tos, message))
        return "250 OK"
