"""Draw reports/page.png, the picture of the page in the README: `python tests/draw_page.py`, where Chromium is."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from test_page import served
from test_page_browser import OPTIONS, browser_on_path, ready

from stages.own.pointclip import PointClip

PICTURE = Path(__file__).parents[1] / "reports/page.png"
COLOURS = 256  # of the palette, which keeps the file small


def main() -> None:
    """Open the example, colour its parts, keep what is seen."""
    if not browser_on_path():
        sys.exit("error: no chromium on PATH")
    with served(PointClip("bundled")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_on_path(), args=OPTIONS)
        page = browser.new_page(viewport={"width": 1120, "height": 900})
        page.goto(address)
        page.click("text=Look at an example")
        page.wait_for_selector("#scores dl")
        ready(page)
        page.click("text=Colour the parts")
        page.wait_for_selector("#shares dl")
        ready(page)
        page.mouse.move(0, 0)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        browser.close()
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
