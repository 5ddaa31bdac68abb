"""Sends a report: a mail that says what its pages find, with the pages attached."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from evervalue.core.errors import SettingsError, SourceUnavailable
from evervalue.core.settings import variable
from evervalue.dashboard.reports.compose import Report
from evervalue.pipeline.report_settings import VARIABLE, MailSettings

SECONDS = 60.0


def message(
    report: Report, settings: MailSettings, to: tuple[str, ...], file: bytes, kind: str
) -> EmailMessage:
    """The mail with the report attached, `kind` being html or pdf."""
    mail = EmailMessage()
    mail["Subject"] = report.title + (f": {report.findings[0]}" if report.findings else "")
    mail["From"] = settings.sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="evervalue.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    found = "\n".join(f"- {finding}" for finding in report.findings)
    mail.set_content(
        f"{report.title}\n\n{found}\n\nThe attached file has the pages; it needs no connection.\n"
    )
    name = re.sub(r"[^a-z0-9]+", "-", report.title.lower()).strip("-") or "report"
    subtype = {"html": ("text", "html"), "pdf": ("application", "pdf")}[kind]
    mail.add_attachment(file, maintype=subtype[0], subtype=subtype[1], filename=f"{name}.{kind}")
    return mail


def send(mail: EmailMessage, settings: MailSettings) -> None:
    """Hands the mail to the server.

    Raises
    ------
    SettingsError
        No server is named, or the password's variable is not set.
    SourceUnavailable
        The server cannot be reached, or refuses; nothing of the password is in the message.
    """
    if not settings.host:
        raise SettingsError(
            'No mail server is named. Add [mail] with host, user, password = "${SMTP_PASSWORD}" and sender to '
            "evervalue.toml."
        )
    password = _password(settings)
    where = f"The mail server {settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user:
                server.login(settings.user, password)
            refused = server.send_message(mail)
    except smtplib.SMTPAuthenticationError:
        raise SourceUnavailable(
            f"{where} does not accept the user or the password. Check [mail] and its variable."
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise SourceUnavailable(
            f"{where} takes mail for none of {len(error.recipients)} addresses."
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        said = type(error).__name__ if isinstance(error, smtplib.SMTPResponseException) else error
        raise SourceUnavailable(
            f"{where} cannot be used ({said}). Check host, port and security under [mail]."
        ) from None
    if refused:
        raise SourceUnavailable(
            f"{where} refused {len(refused)} of the addresses; the others have the report."
        )


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=SECONDS, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=SECONDS)
    if settings.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _password(settings: MailSettings) -> str:
    named = VARIABLE.fullmatch(settings.password)
    if named is None:
        return ""
    found = variable(named[1])
    if not found:
        raise SettingsError(f"mail.password names ${{{named[1]}}}, which the environment does not set.")
    return found
