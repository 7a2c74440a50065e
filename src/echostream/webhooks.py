"""Sends the end of a job to its `callbackUrl`, following the Standard Webhooks specification.

One call is one attempt. The caller decides when to try again; `WebhookFailed` says whether to and
after how long. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec
"""

import asyncio
import json
import math
import re
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from pydantic import SecretStr
from standardwebhooks import Webhook

from echostream.checks import check_webhook_secret
from echostream.errors import EchoStreamError, UrlFetchFailed, UrlNotAllowed
from echostream.net import (
    Network,
    Response,
    check_url,
    checked_pool,
    checked_url,
    exchange,
    header,
    status_text,
)

Event = Literal["job.completed", "job.failed"]

_MAX_REPLY_BYTES = 4096
_MAX_RETRY_AFTER_S = 86_400.0
_GONE = 410

# No full stops: they separate the parts of the signed text.
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_:-]{1,256}")


class WebhookFailed(EchoStreamError):
    """One attempt failed. Clients never see it. `fault` and `retry_after_s` say what is next.

    `answer_status` is the receiver's HTTP status; None if it sent none.
    """

    code = "webhook_failed"
    status = 502

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        answer_status: int | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.fault = "unclear" if retryable else "input"
        self.answer_status = answer_status


def check_callback_url(url: str, *, allow_private: bool = False) -> None:
    """The cheap checks at request time. The address itself is checked at each delivery.

    Raises UrlNotAllowed if no delivery to this URL could ever work.
    """
    check_url(url, allow_private=allow_private)


class WebhookSender:
    """Signs and posts messages. Keeps no connections; any number of sends may run at once."""

    def __init__(
        self,
        secret: SecretStr | None,
        *,
        timeout_s: float = 15,
        allow_private: bool = False,
        network: Network | None = None,
    ) -> None:
        """`timeout_s` covers one whole attempt. Raises ValueError if the secret is malformed."""
        self._webhook: Webhook | None = None
        if secret is not None:
            check_webhook_secret(secret.get_secret_value())
            self._webhook = Webhook(secret.get_secret_value())
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._network = network or Network()

    async def send(
        self,
        url: str,
        *,
        message_id: str,
        event: Event,
        data: dict[str, Any],
        occurred_at: datetime | None = None,
    ) -> int:
        """Tries to deliver once; returns the receiver's status, which is 2xx. Follows no redirects.

        `message_id` (up to 256 letters, digits and `_:-`), `data` and `occurred_at` (with a time
        zone; the default is now) should be the same at each attempt. Raises WebhookFailed.
        """
        body = _body(event, data, occurred_at or datetime.now(UTC))
        headers = self._signed_headers(message_id, body)
        try:
            reply = await self._post(url, headers, body)
        except UrlNotAllowed as error:
            raise WebhookFailed(str(error), retryable=False) from error
        except UrlFetchFailed as error:
            raise WebhookFailed(str(error), retryable=True) from error
        except TimeoutError:
            reason = f"The delivery took longer than {self._timeout_s:g} s."
            raise WebhookFailed(reason, retryable=True) from None
        reply.raise_unless_delivered()
        return reply.status

    def _signed_headers(self, message_id: str, body: str) -> list[tuple[str, str]]:
        if self._webhook is None:
            raise WebhookFailed(
                "WEBHOOK_SECRET is not set, so nothing can be signed.", retryable=False
            )
        if not _MESSAGE_ID.fullmatch(message_id):
            raise WebhookFailed("The id of the message is malformed.", retryable=False)
        now = datetime.now(UTC)
        return [
            ("Content-Type", "application/json"),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(math.floor(now.timestamp()))),
            ("webhook-signature", self._webhook.sign(message_id, now, body)),
        ]

    async def _post(self, url: str, headers: list[tuple[str, str]], body: str) -> "_Reply":
        reply: _Reply | None = None
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                checked_pool(self._network, self._allow_private) as pool,
                exchange(pool, "POST", checked_url(url), headers, body.encode()) as response,
            ):
                reply = _Reply(response.status, header(response, "retry-after"))
                await _let_it_finish(response)
        except (TimeoutError, UrlFetchFailed):
            if reply is None:  # otherwise the status has arrived, and only the body is missing
                raise
        return reply


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    retry_after: str

    def raise_unless_delivered(self) -> None:
        """As specified: every status except 2xx is a failure, and only 410 is final."""
        if 200 <= self.status < 300:
            return
        retryable = self.status != _GONE
        raise WebhookFailed(
            f"The receiver answered {status_text(self.status)}.",
            retryable=retryable,
            retry_after_s=_retry_after_s(self.retry_after) if retryable else None,
            answer_status=self.status,
        )


def _body(event: Event, data: dict[str, Any], occurred_at: datetime) -> str:
    timestamp = occurred_at.astimezone(UTC).isoformat(timespec="milliseconds")
    message = {"type": event, "timestamp": timestamp.replace("+00:00", "Z"), "data": data}
    return json.dumps(message, allow_nan=False, separators=(",", ":"))


async def _let_it_finish(response: Response) -> None:
    """Reads a short answer to its end, so that the receiver sees no broken connection."""
    read_bytes = 0
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            read_bytes += len(chunk)
            if read_bytes >= _MAX_REPLY_BYTES:
                return


def _retry_after_s(value: str) -> float | None:
    """The header, as seconds or a date. At most a day; None if it cannot be parsed."""
    try:
        if value.isdecimal():
            wait_s = float(value)
        else:
            until = parsedate_to_datetime(value)
            # A date without a zone counts as UTC, the only zone that HTTP allows.
            until = until if until.tzinfo else until.replace(tzinfo=UTC)
            wait_s = (until - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), _MAX_RETRY_AFTER_S)
