"""The report in headless Chromium: no console error, widgets that work, two widths.

It needs Chromium with its driver (Debian: `chromium chromium-driver`) and `pip install selenium`; without them the
tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_contents import content_of

from striate.cli import main
from striate.cli._live import LiveView
from striate.cli.report import comparison, render, report_of

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
CHROMIUM = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and chromedriver"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


def opened(browser: Any, page: str, folder: Path, width: int) -> Any:
    """Open a page without a network and check what holds of every page."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    browser.execute_cdp_cmd("Network.enable", {})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(file.as_uri())
    browser.execute_async_script("setTimeout(arguments[0], 150)")
    check(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    return browser


def check(browser: Any) -> None:
    assert browser.get_log("browser") == []
    broken = "return [...document.images].filter((one) => !one.complete || !one.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    assert browser.execute_script("return document.querySelectorAll('b > b, i > i').length") == 0


def text(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).textContent", selector))


def move(browser: Any, selector: str, value: float) -> None:
    script = (
        "const s = document.querySelector(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('input'))"
    )
    browser.execute_script(script, selector, value)


def choose(browser: Any, selector: str, value: str) -> None:
    script = (
        "const s = document.querySelector(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, selector, value)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_classification(browser: Any, tmp_path: Path, width: int) -> None:
    content = content_of("classify")
    page = opened(browser, render(content), tmp_path, width)
    # A cell of the confusion matrix opens its pictures.
    cell, places = next((cell, places) for cell, places in content["cells"].items() if places)
    true, called = map(int, cell.split(","))
    page.execute_script(f"document.querySelectorAll('.matrix button')[{3 * true + called}].click()")
    shown = "return document.querySelectorAll('#confusion figure').length"
    assert page.execute_script(shown) == len(places)
    # The threshold moves the figures: at 0 everything is called that class, at 1 nothing.
    move(page, "#threshold input", 0)
    curve = content["curves"][0]
    assert "recall 100.00 %" in text(page, "#threshold .numbers")
    assert f"right {curve['positives']}" in text(page, "#threshold .numbers")
    choose(page, "#threshold select", "1")
    move(page, "#threshold input", 1)
    assert "recall 0.00 %" in text(page, "#threshold .numbers")
    # A pointer on a curve reads its values.
    place = page.execute_script(
        "const c = document.querySelector('#curves svg'); c.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const b = c.getBoundingClientRect(); return [b.left + b.width * 0.9, b.top + b.height / 2]"
    )
    page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": place[0], "y": place[1]})
    page.execute_async_script("setTimeout(arguments[0], 60)")
    assert "epoch 3" in text(page, "#curves .tip") and "training 0.2" in text(page, "#curves .tip")
    # Light and dark.
    before = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    page.execute_script("document.getElementById('theme').click()")
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") != before
    check(page)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_segmentation(browser: Any, tmp_path: Path, width: int) -> None:
    content = content_of("segment")
    page = opened(browser, render(content), tmp_path, width)
    assert text(page, "#pictures figcaption").startswith("Dice")
    choose(page, "#pictures .controls > label:last-child select", "iou")
    assert f"IoU {100 * content['masks'][0]['iou']:.2f} %" in text(page, "#pictures figcaption")
    move(page, "#pictures .controls label:nth-child(2) input", 0.25)
    clip = "return document.querySelector('#pictures img.over[alt=\"true mask\"]').style.clipPath"
    assert "75%" in page.execute_script(clip)
    choose(page, "#pictures .controls select", "difference")
    display = (
        "return [...document.querySelectorAll('#pictures figure:first-child img.over')].map((one) => one.style.display)"
    )
    assert page.execute_script(display) == ["none", "none", ""]
    check(page)
    assert browser.execute_script("return document.querySelectorAll('#grad-cam figure').length") >= 4


@pytest.mark.parametrize("width", [1280, 400])
def test_a_detection(browser: Any, tmp_path: Path, width: int) -> None:
    content = content_of("detect")
    page = opened(browser, render(content), tmp_path, width)
    objects = sum(not box[5] for one in content["detections"] for box in one["truth"])
    move(page, "#pictures input[type=range]", 0.95)
    assert f"right 0invented 0missed {objects}" in text(page, "#pictures .numbers").replace(" in the", "")
    move(page, "#pictures input[type=range]", 0.05)
    drawn = "return document.querySelectorAll('#pictures rect').length"
    most = page.execute_script(drawn)
    assert most >= sum(len(one["found"]) > 0 for one in content["detections"])
    page.execute_script("document.querySelectorAll('#pictures input[type=checkbox]').forEach((one) => one.click())")
    assert page.execute_script(drawn) == 0 < most
    check(page)
    assert browser.execute_script("return document.querySelectorAll('#grad-cam figure').length") >= 4


def test_a_comparison(browser: Any, trained: Path, tmp_path: Path) -> None:
    page = opened(browser, render(comparison([str(trained), str(trained)])), tmp_path, 400)
    assert page.execute_script("return document.querySelectorAll('#curves svg').length") >= 4


def test_the_live_view_follows_the_epochs(browser: Any) -> None:
    def content(live: dict[str, Any]) -> dict[str, Any]:
        history = {"loss": [1.0 / (epoch + 1) for epoch in range(live["epoch"])]}
        figures = {"model": "net", "data": "digits"}
        return report_of(
            name="run", task="classify", settings={}, figures=figures, history=history, class_names=["a"], live=live
        )

    view = LiveView(0, content, 3)
    view.show(0)
    browser.get(view.url)
    assert "0 of 3 epochs done" in text(browser, "#live")
    view.on_epoch_begin(0)
    view.on_epoch_end(0)
    for _ in range(60):
        time.sleep(0.1)
        if "1 of 3 epochs done" in text(browser, "#live"):
            break
    assert "1 of 3 epochs done" in text(browser, "#live")
    assert browser.execute_script("return document.querySelectorAll('#curves path').length") == 1
    check(browser)
    browser.get("about:blank")
    view.close()


def test_the_live_view_of_a_training(browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def watch() -> None:
        for _ in range(200):
            url = next((line.split()[1] for line in printed() if line.startswith("live ")), None)
            if url:
                browser.get(url)
                seen.append(text(browser, "#live"))
                return
            time.sleep(0.05)

    output = tmp_path / "out.txt"

    def printed() -> list[str]:
        return output.read_text().splitlines() if output.exists() else []

    import contextlib

    with output.open("w", buffering=1) as file, contextlib.redirect_stdout(file):
        thread = threading.Thread(target=watch)
        thread.start()
        words = ["--epochs", "30", "--model", "lenet", "--serve", "0", "--no-pictures", "--verbose", "0"]
        assert main(["train", *words, "--out", str(tmp_path / "run")]) == 0
        thread.join()
    assert seen and "of 30 epochs done" in seen[0]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == 30
