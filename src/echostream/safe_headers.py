"""Headers by which browsers do less with an answer than they would on their own."""

from echostream.hosts import App, Message, Receive, Scope, Send

_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"SAMEORIGIN",
    b"content-security-policy": b"base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
}


class SafeHeaders:
    """ASGI middleware that adds them to each answer which does not have its own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _value in headers}
                headers += [each for each in _ALWAYS.items() if each[0] not in given]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_safely)
