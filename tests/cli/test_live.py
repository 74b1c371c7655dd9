"""`--serve`: who may read the page of a training, and what it answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from striate.cli import main
from striate.cli._live import LiveView
from striate.cli.report import report_of


def content(live: dict[str, Any]) -> dict[str, Any]:
    figures = {"model": "net", "data": "digits"}
    return report_of(
        name="run", task="classify", settings={}, figures=figures, history={}, class_names=["a"], live=live
    )


@pytest.fixture
def view() -> Iterator[LiveView]:
    served = LiveView(0, content, 5)
    served.show(0)
    yield served
    served.close()


def ask(view: LiveView, path: str, method: str = "GET", host: str | None = None) -> tuple[int, bytes, dict[str, str]]:
    port = int(view.url.rsplit(":", 1)[1].strip("/"))
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_the_page_is_renewed(view: LiveView) -> None:
    status, page, headers = ask(view, "/")
    assert status == 200 and b'"epoch":0,"epochs":5' in page
    assert headers["Cache-Control"] == "no-store" and "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask(view, "/version")[1] == b"1"
    view.on_epoch_begin(0)
    view.on_epoch_end(0)
    assert ask(view, "/version")[1] == b"2" and b'"epoch":1,"epochs":5' in ask(view, "/?x")[1]


def test_it_is_read_only_and_for_this_machine(view: LiveView) -> None:
    for path in ("/run.json", "/../run.json", "/version/"):
        assert ask(view, path)[0] == 404
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert ask(view, "/", method)[0] == 501
    for host in ("example.org", "example.org:80", "127.0.0.1.example.org:80", ""):
        assert ask(view, "/", host=host or " ")[0] == 403
    assert ask(view, "/", host="localhost:80")[0] == 200
    assert view._server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["train", "--epochs", "1", "--serve", str(port), "--out", str(tmp_path / "run")]) == 2
    assert f"--serve {port}: " in capsys.readouterr().err
