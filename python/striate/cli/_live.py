"""`--serve`: the report of a training while it runs, on this machine alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, perf_counter, sleep
from typing import Any

import striate as st
from striate.cli.report import render

_HOST = "127.0.0.1"
_NAMES = ("127.0.0.1", "localhost")
_ASKED, _WAIT = 5.0, 2.5  # seconds: since a page last asked, if one is open; and for which it may fetch the last page
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'"


class LiveView(st.callbacks.Callback):
    """Serves a page on 127.0.0.1 and renews it after each epoch.

    It answers GET for the page and for its version, and nothing else; requests that name another host are refused, so
    that no page of the web can read it by a name of its own.

    Args:
        port: of the server; 0 for any that is free.
        content: makes the page's content from {"epoch", "epochs", "left", "version"}.
        epochs: of the whole training.

    Attributes:
        url: of the page.

    Raises:
        OSError: the port is taken; the message says what to do.
    """

    def __init__(self, port: int, content: Callable[[dict[str, Any]], dict[str, Any]], epochs: int) -> None:
        super().__init__()
        self._content, self._epochs = content, epochs
        self._version, self._page = 0, b""
        self._asked = -_ASKED
        self._began: float | None = None
        self._first = 0
        try:
            self._server = ThreadingHTTPServer((_HOST, port), _handler(self))
        except (OSError, OverflowError) as error:
            raise OSError(f"--serve {port}: {error}; give another port, or 0 for one that is free") from None
        self._server.daemon_threads = True
        self.url = f"http://{_HOST}:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, name="striate-live", daemon=True).start()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """The type and the content of an address; None where there is none."""
        if path == "/":
            return "text/html; charset=utf-8", self._page
        if path == "/version":
            self._asked = monotonic()
            return "text/plain; charset=utf-8", str(self._version).encode()
        return None

    def show(self, done: int, **more: Any) -> None:
        """Renew the page: `done` epochs are done."""
        left = None
        if self._began is not None and done > self._first:
            left = (perf_counter() - self._began) / (done - self._first) * (self._epochs - done)
        version = self._version + 1
        state = {"epoch": done, "epochs": self._epochs, "left": left, "version": version, **more}
        self._page = render(self._content(state)).encode()
        self._version = version

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._began is None:
            self._began, self._first = perf_counter(), epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.show(epoch + 1)

    def show_last(self, page: bytes) -> None:
        """Give a page that is open the last content, before the server ends."""
        self._page, self._version = page, self._version + 1
        if monotonic() - self._asked < _ASKED:
            sleep(_WAIT)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _handler(view: LiveView) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "striate"
        sys_version = ""

        def do_GET(self) -> None:
            if (self.headers.get("Host") or "").partition(":")[0] not in _NAMES:
                self.send_error(403, "this page is for this machine alone")
                return
            found = view.answer(self.path.partition("?")[0])
            if found is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", found[0])
            self.send_header("Content-Length", str(len(found[1])))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(found[1])

        def log_message(self, format: str, *arguments: Any) -> None:
            """Requests are not printed: they would be between the lines of the epochs."""

    return Handler
