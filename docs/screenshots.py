"""Take the pictures of reports in docs/figures: `python docs/screenshots.py RUN ...` with one run of each kind.

It needs Chromium with its driver (Debian: `chromium chromium-driver`) and `pip install selenium pillow`. The runs of the pages:

striate train --epochs 8 --out digits && striate train --task detect --epochs 5 --out scenes
python docs/screenshots.py digits scenes
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from selenium import webdriver

FIGURES = Path(__file__).resolve().parent / "figures"
# The section at whose top each picture begins, by the kind of run; the first is of the whole page.
SECTIONS = {"classify": ("report", None), "detect": ("report-detections", "pictures")}
WIDTH, HEIGHT = 1280, 900


def main() -> None:
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(word)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for run in sys.argv[1:]:
        browser.get((Path(run).resolve() / "report.html").as_uri())
        browser.execute_async_script("setTimeout(arguments[0], 500)")
        name, section = SECTIONS[browser.execute_script("return D.task")]
        script = "return document.getElementById(arguments[0]).offsetTop"
        top = 0 if section is None else browser.execute_script(script, section)
        clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT, "scale": 1}
        arguments = {"captureBeyondViewport": True, "clip": clip}
        taken = browser.execute_cdp_cmd("Page.captureScreenshot", arguments)["data"]
        picture = Image.open(io.BytesIO(base64.b64decode(taken))).convert("RGB")
        picture = picture.quantize(
            192, dither=Image.Dither.NONE
        )  # pages load less than half
        picture.save(FIGURES / f"{name}.png", optimize=True)
    browser.quit()


if __name__ == "__main__":
    main()
