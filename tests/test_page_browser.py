"""The page in headless Chromium: a file is dropped, named, coloured; wrong files; phone, light and dark, keyboard."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image
from test_page import address, library, model, searched, table, wait_until  # noqa: F401  (fixtures)

from stages.reporting.colours import COLOURS

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL in software, since machines that run tests have no graphics card
OPTIONS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1200, "height": 900}


def browser_on_path():
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser():
    installed = browser_on_path()
    if installed is None:
        pytest.skip("no chromium on PATH: the page is tried where there is one")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, address, searched):  # noqa: F811
    """A function that opens the page; at the end nothing has been asked of another server, and nothing failed in it."""
    contexts, faults = [], []

    def visit(*, scheme="light", size=DESK, server=address):
        contexts.append(browser.new_context(color_scheme=scheme, viewport=size))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda asked: faults.append(asked.url) if not own(asked.url) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("response", lambda answer: faults.append(answer.url) if answer.status not in (200, 201, 400) else None)
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(server)
        ready(page)
        return page

    def own(url):
        return url.startswith((f"{address}/", f"{searched}/", "data:"))

    yield visit
    for context in contexts:
        context.close()
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []


def ready(page):
    page.wait_for_selector("body[aria-busy=false]")


def choose(page, path, name=None):
    """Give the page a file as if it was chosen, and wait for what it says."""
    file = {"name": name or path.name, "mimeType": "", "buffer": path.read_bytes()}
    page.set_input_files("#file", [file])
    page.wait_for_selector("#scores dl, #error:not([hidden])")
    ready(page)


def pixels(page):
    """What is drawn of the object, u1 [rows, columns, 3]."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.array(Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB"))


def drawn(picture):
    """Share of the pixels that are not the background."""
    return (np.abs(picture.astype(int) - picture[20, 20]).max(axis=2) > 12).mean()


def test_a_file_is_drawn_seen_named_and_its_parts_coloured(opened, table):  # noqa: F811
    page = opened()
    assert page.is_visible("#start") and not page.is_visible("#object") and not page.is_visible("#search")
    choose(page, table)
    assert page.inner_text("#name") == "table.off"
    assert page.inner_text("#facts") == "mesh, 60 triangles · 1 × 0.75 × 1"
    assert page.locator("#scores dt").first.inner_text() == "table"
    assert page.locator("#maps img").count() == 10
    assert all(page.evaluate("[...document.querySelectorAll('#maps img')].map(map => map.naturalWidth > 0)"))
    surface = pixels(page)
    assert 0.02 < drawn(surface) < 0.8

    page.fill("#category", "table")
    page.fill("#parts", "leg, top")
    page.click("text=Colour the parts")
    page.wait_for_selector("#shares dl")
    ready(page)
    assert page.locator("#shares dt").all_inner_texts() == ["leg", "top"]
    assert page.is_checked("input[value=points]")
    coloured = pixels(page)
    for colour in COLOURS[:2]:
        wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], float)
        hue = wanted / np.linalg.norm(wanted)
        alike = (coloured @ hue) / np.linalg.norm(coloured.astype(float), axis=2).clip(min=1)
        assert (alike > 0.995).mean() > 0.001, colour

    page.click("#maps button:nth-child(7)")
    assert (pixels(page) != coloured).any()
    page.click("text=Surface")
    assert (pixels(page) != coloured).any()


def test_other_names_and_another_axis_change_the_answer(opened, table):  # noqa: F811
    page = opened()
    choose(page, table)
    before, maps = pixels(page), page.get_attribute("#maps img", "src")
    page.fill("#labels", "mug, car")
    page.click("text=Name it")
    assert wait_until(lambda: page.locator("#scores dt").count() == 2)
    ready(page)
    page.select_option("#up", "z")
    assert wait_until(lambda: page.get_attribute("#maps img", "src") != maps)
    ready(page)
    assert (pixels(page) != before).any()
    page.focus("#up")
    for key in ("Home", "End", "ArrowUp"):  # faster than the server answers: the last one holds
        page.keyboard.press(key)
    assert wait_until(lambda: page.input_value("#up") == "x" and page.get_attribute("body", "aria-busy") == "false")
    page.select_option("#up", "guess")
    assert wait_until(lambda: page.input_value("#up") != "guess")
    ready(page)


def test_the_example_is_a_chair(opened):
    page = opened()
    page.click("text=Look at an example")
    page.wait_for_selector("#scores dl")
    ready(page)
    assert page.locator("#scores dt").first.inner_text() == "chair"


def test_a_file_can_be_dropped(opened, table):  # noqa: F811
    page = opened()
    page.evaluate(
        """text => {
          const dropped = new DataTransfer();
          dropped.items.add(new File([text], "dropped.off"));
          const options = { dataTransfer: dropped, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        table.read_text(),
    )
    page.wait_for_selector("#scores dl")
    assert page.inner_text("#name") == "dropped.off"


def test_a_wrong_file_is_one_line_and_the_next_right_one_takes_it_away(opened, table, tmp_path):  # noqa: F811
    page = opened()
    wrong = tmp_path / "wrong.obj"
    wrong.write_text("<html>")
    choose(page, wrong)
    line = page.inner_text("#error")
    assert line.startswith("wrong.obj: its content is an HTML page") and "\n" not in line
    assert page.is_visible("#start") and page.is_enabled("#choose")
    choose(page, table)
    ready(page)
    assert not page.is_visible("#error") and page.is_visible("#object")
    page.fill("#labels", "chair")
    page.click("text=Name it")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error") == "labels: 1 different names, expected at least two"


def test_a_file_that_is_too_large_is_not_sent(opened, table, tmp_path):  # noqa: F811
    page = opened()
    large = tmp_path / "large.obj"
    large.write_bytes(b"v 0 0 0\n" * 200_000)
    sent = []
    page.on("request", lambda asked: sent.append(asked.method))
    choose(page, large)
    assert page.inner_text("#error").startswith("large.obj: ") and "expected at most" in page.inner_text("#error")
    assert "POST" not in sent


def test_a_server_that_is_gone_and_a_busy_one_are_seen(opened, table):  # noqa: F811
    page = opened()
    choose(page, table)
    held = []
    page.route("**/labels", lambda route: held.append(route))
    page.click("text=Name it")
    page.wait_for_selector("#progress:not([hidden])")
    assert page.inner_text("#status") == "Asking CLIP …"
    assert page.get_attribute("#labels-form button", "aria-disabled") == "true"
    page.click("text=Name it", force=True)
    assert page.inner_text("#status") == "Asking CLIP …" and len(held) == 1
    held[0].abort()
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error").startswith("The server does not answer")
    assert page.get_attribute("#labels-form button", "aria-disabled") == "false" and not page.is_visible("#progress")


def test_a_library_is_searched(opened, searched, table):  # noqa: F811
    page = opened(server=searched)
    assert page.inner_text("#search-title") == "Find among 3 objects" and not page.is_visible("#like")
    page.fill("#words", "a table")
    page.click("#search-form .primary")
    page.wait_for_selector("#found li")
    ready(page)
    assert page.locator("#found li").first.inner_text().startswith("kitchen/table.off")
    assert page.evaluate("[...document.querySelectorAll('#found img')].every(picture => picture.naturalWidth > 0)")
    choose(page, table)
    page.evaluate("document.querySelector('#found').replaceChildren()")
    page.click("text=Find objects like this one")
    page.wait_for_selector("#found li")
    assert page.locator("#found li").first.inner_text().startswith("kitchen/table.off")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_wider_than_the_screen_and_text_can_be_read(opened, searched, table, scheme, size):  # noqa: F811
    page = opened(scheme=scheme, size=size, server=searched)
    assert overflow(page) == 0
    page.fill("#words", "a table")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found li")
    choose(page, table, name="a_very_long_name_without_any_place_to_break_it_in_two.off")
    page.fill("#parts", "leg, top")
    page.click("text=Colour the parts")
    page.wait_for_selector("#shares dl")
    ready(page)
    assert overflow(page) == 0 and drawn(pixels(page)) > 0.02
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(background) > 0.5) == (scheme == "light")
    assert [text for text, ink, paper in page.evaluate(TEXTS) if contrast(ink, paper) < 4.5] == []


def overflow(page):
    """Pixels by which the page is wider than the screen."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


TEXTS = """[...document.querySelectorAll("h1, h2, p, label, button, dt, dd span, textarea, input, select, li")]
  .filter(element => element.checkVisibility() && (element.value || element.textContent).trim() && !element.disabled)
  .map(element => {
    let behind = element;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const text = (element.value || element.textContent).trim().slice(0, 30);
    return [text, getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
  })"""


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)", by WCAG 2."""
    values = np.array([float(value) for value in colour.partition("(")[2].rstrip(")").split(",")[:3]]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    """Contrast of two colours, by WCAG 2."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_everything_can_be_done_by_keyboard(opened):
    page = opened()
    tab_to(page, "example")
    page.keyboard.press("Enter")
    page.wait_for_selector("#scores dl")
    ready(page)
    assert page.evaluate("document.activeElement.id") == "name"
    tab_to(page, "canvas")
    before = pixels(page)
    page.keyboard.press("ArrowLeft")
    turned = pixels(page)
    assert (turned != before).any()
    page.keyboard.press("+")
    assert drawn(pixels(page)) > drawn(turned)
    page.keyboard.press("0")
    np.testing.assert_array_equal(pixels(page), before)
    tab_to(page, "labels")
    page.keyboard.press("Control+A")
    page.keyboard.type("mug, car")
    page.keyboard.press("Enter")
    assert wait_until(lambda: page.locator("#scores dt").count() == 2)


def tab_to(page, wanted):
    """Press Tab until the element `wanted` has the focus, which can be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused, outline = page.evaluate(
            "[document.activeElement.id, getComputedStyle(document.activeElement).outlineWidth]"
        )
        if focused == wanted:
            assert outline == "3px"
            return
    pytest.fail(f"{wanted} is not reached by Tab")


def test_without_webgl_all_else_works(opened, table, browser, address):  # noqa: F811
    context = browser.new_context()
    context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page = context.new_page()
    page.goto(address)
    ready(page)
    choose(page, table)
    assert page.is_visible("#no-viewer") and page.locator("#scores dt").first.inner_text() == "table"
    context.close()
