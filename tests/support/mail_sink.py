"""An SMTP server for tests: takes mail on loopback, keeps it, and refuses what it is told to refuse."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any


class MailSink(socketserver.ThreadingTCPServer):
    """What was sent, as mails."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.mails: list[EmailMessage] = []
        self.refuses = False
        self.port: int = self.server_address[1]


class _Talk(socketserver.StreamRequestHandler):
    server: MailSink

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 sink")
        while line := self.rfile.readline():
            word = line.decode("utf-8", "replace").strip().upper().partition(" ")[0]
            if word == "EHLO":
                self.say("250-sink\r\n250 SMTPUTF8")
            elif word == "DATA":
                self.take()
            elif word == "QUIT":
                self.say("221 bye")
                return
            elif word == "RCPT" and self.server.refuses:
                self.say("550 nobody here")
            else:
                self.say("250 yes")

    def take(self) -> None:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        found: Any = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.mails.append(found)
        self.say("250 kept")


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    """A sink that listens while the block lasts."""
    with MailSink() as sink:
        thread = threading.Thread(target=sink.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            thread.join()
