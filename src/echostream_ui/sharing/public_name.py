"""The name in `PUBLIC_URL`, under which there is nothing but shared recordings."""

from echostream.hosts import App, OnlyOurHosts, Receive, Scope, Send


class NamesOfOurs:
    """ASGI middleware: lets requests through for the names in `allowed`, and those for shared
    recordings, whose paths begin with `shared_path`, also for `public_name`.

    A library without accounts is open to whoever reaches it. So the name that others get must not
    lead to it, even if a proxy passes everything on.
    """

    def __init__(
        self, app: App, allowed: tuple[str, ...], public_name: str | None, shared_path: str
    ) -> None:
        self._all = OnlyOurHosts(app, allowed)
        self._shared = OnlyOurHosts(app, (*allowed, *([public_name] if public_name else [])))
        self._shared_path = shared_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_shared = scope["type"] == "http" and scope["path"].startswith(self._shared_path)
        await (self._shared if is_shared else self._all)(scope, receive, send)
