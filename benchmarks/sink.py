"""A mail server and a receiver of webhooks that accept everything.

`python -m benchmarks.sink PORT` takes mails at PORT, webhooks at the next one.
"""

import asyncio
import sys

from aiosmtpd.smtp import SMTP

NO_CONTENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        return "250 OK"


async def accept_webhook(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    await reader.readexactly(length)
    writer.write(NO_CONTENT)
    await writer.drain()
    writer.close()


async def main(port):
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(Mailbox()), "127.0.0.1", port)
    webhooks = await asyncio.start_server(accept_webhook, "127.0.0.1", port + 1)
    await webhooks.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
