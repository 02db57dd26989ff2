"""Label Studio as a reviewer sees it: a real Chromium, driven by Playwright."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Response, Route, StorageState, sync_playwright

from label_config.colors import luminance
from ml_backend.demo.label_studio_server import LabelStudioServer
from projection.records import Span
from tests.label_config.wcag import contrast

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SOURCE, TARGET = ".sf-source", ".sf-target [class*=htx-richtext]"  # where the two sentences are
MARK = ".sf-target .htx-highlight[data-label]"  # the last piece of each highlighted phrase of it
NEXT_SPAN = "Alt+."  # Label Studio's key for it
WIDTH, HEIGHT = 1366, 768  # a small laptop
SECONDS = 60_000  # Playwright counts in milliseconds

_SETTLE = 50  # milliseconds: what a key changes is drawn a moment later
_ASKING = "**/interactive-annotating*"
_ANSWERED = "() => !Htx.awaitingSuggestions"
_NO_MORE = "No More Tasks Left in Queue"
_NEXT = f"""before => document.body.innerText.includes("{_NO_MORE}")
  || (window.Htx?.task && Number(window.Htx.task.id) !== before)"""

_MARKS = "spans => spans.map(span => [span.dataset.label.split(':')[1], span.textContent])"
_TAGS = "spans => spans.map(span => getComputedStyle(span, '::after').content)"
_OUTLINED = """spans => spans
  .filter(span => getComputedStyle(span).outlineColor !== "rgba(0, 0, 0, 0)")
  .map(span => span.textContent)"""
_LIT = """chips => chips
  .filter(chip => !getComputedStyle(chip).boxShadow.startsWith("rgba(0, 0, 0, 0)"))
  .map(chip => chip.textContent)"""

# The colour of the text of an element, or of what CSS puts behind it, and the colour under it: both
# as they come to be on the screen, from all the translucent layers up to the page.
_COLOURS = """([element, pseudo]) => {
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const paint = (colour, alpha) => {
    pixel.globalAlpha = alpha;
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const hex = [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3);
    return "#" + hex.map(part => part.toString(16).padStart(2, "0")).join("");
  };
  const chain = [];
  for (let each = element; each; each = each.parentElement) chain.unshift(getComputedStyle(each));
  paint("white", 1);
  let under = "", opacity = 1;
  for (const style of chain) {
    opacity *= Number(style.opacity);
    under = paint(style.backgroundColor, opacity);
  }
  const own = pseudo ? getComputedStyle(element, pseudo) : chain[chain.length - 1];
  if (pseudo) under = paint(own.backgroundColor, opacity);
  return [paint(own.color, opacity), under];
}"""

# Where to press the mouse so that the caret comes to stand before code point `start`, and where to
# let go so that it stands after code point `end - 1`. A line break counts one, as in Label Studio.
_EDGES = r"""(root, [start, end]) => {
  const places = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ALL);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeName === "BR") places.push(null);
    if (node.nodeType !== Node.TEXT_NODE) continue;
    for (const {index, segment} of new Intl.Segmenter().segment(node.data)) {
      for (const point of segment) places.push([node, index, index + segment.length, segment]);
    }
  }
  const edge = ([node, from, to, text], before) => {
    const range = document.createRange();
    range.setStart(node, from);
    range.setEnd(node, to);
    const boxes = range.getClientRects();
    const box = before ? boxes[0] : boxes[boxes.length - 1];
    const rightToLeft = /\p{Script=Arabic}|\p{Script=Hebrew}/u.test(text);
    const inside = box.width / 4;
    const x = before !== rightToLeft ? box.left + inside : box.right - inside;
    return [x, box.top + box.height / 2];
  };
  return [edge(places[start], true), edge(places[end - 1], false)];
}"""


def chromium() -> str | None:
    """The browser to use: `CHROMIUM`, or the one on the path."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


class ReviewPage:
    """A logged-in browser tab."""

    def __init__(self, page: Page, server: LabelStudioServer) -> None:
        self.page, self.server = page, server

    def log_in(self) -> None:
        account = self.server.account
        self.page.goto(f"{self.server.url}/user/login/", wait_until="domcontentloaded")
        self.page.fill("input[name=email]", account.user)
        self.page.fill("input[name=password]", account.password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/login" not in url, wait_until="commit")

    # Going somewhere

    def open(self, url: str) -> None:
        """Open a task, and wait until its sentence and its predicted entities are there."""
        # By way of another page: only the address after # and ? differs between two tasks.
        self.page.goto("about:blank")
        self.page.goto(url, wait_until="domcontentloaded")
        self.await_task()

    def open_tab(self, url: str) -> None:
        """Open a Data Manager tab, and wait for its rows."""
        self.page.goto("about:blank")
        self.page.goto(url, wait_until="domcontentloaded")
        self.page.wait_for_selector("text=Label All Tasks")
        self.page.wait_for_load_state("networkidle")

    def open_stream(self, url: str) -> None:
        """Open a Data Manager tab, start to label all its tasks, and wait for the first."""
        self.open_tab(url)
        self.page.click("text=Label All Tasks")
        self.await_task()

    def await_task(self) -> None:
        self.page.wait_for_selector(f"{TARGET} [class*=richtext__line]")
        self.page.wait_for_load_state("networkidle")

    # What is to be seen

    @property
    def task(self) -> int:
        """The id of the task on screen."""
        return int(self.page.evaluate("window.Htx.task.id"))

    def marked(self) -> list[list[str]]:
        """Label and words of everything highlighted in the target sentence, in reading order."""
        marks: list[list[str]] = self.page.eval_on_selector_all(MARK, _MARKS)
        return marks

    def tags(self, box: str = TARGET) -> list[str]:
        """What stands behind each highlighted phrase, in reading order, as CSS computes it."""
        tags: list[str] = self.page.eval_on_selector_all(f"{box} .htx-highlight[data-label]", _TAGS)
        shown = ["".join(re.findall(r'"([^"]*)"', tag)) for tag in tags]
        return [tag.replace("\u2060", "") for tag in shown]

    def chip_tags(self) -> list[str]:
        """What stands behind each English entity, in reading order."""
        tags: list[str] = self.page.eval_on_selector_all(
            ".sf-chip[data-tag]", "chips => chips.map(chip => chip.dataset.tag)"
        )
        return tags

    def outlined(self) -> list[str]:
        """The phrases of the target sentence that are outlined because something is doubtful."""
        words: list[str] = self.page.eval_on_selector_all(MARK, _OUTLINED)
        return words

    def lit_chips(self) -> list[str]:
        """The source phrases that are lit up because their mark is selected or pointed at."""
        words: list[str] = self.page.eval_on_selector_all(".sf-chip", _LIT)
        return words

    def lit_marks(self) -> list[str]:
        """The phrases of the target that are lit up because their chip is pointed at."""
        words: list[str] = self.page.eval_on_selector_all(MARK, _LIT)
        return words

    def contrasts(self, what: str, pseudo: str = "") -> list[float]:
        """How far the text of all such elements, or of what is behind it, is from what is under it:
        the ratio that WCAG 2.1 defines, from 1 to 21.
        """
        found = self.page.query_selector_all(what)
        pairs = [self.page.evaluate(_COLOURS, [each, pseudo]) for each in found]
        return [contrast(text, under) for text, under in pairs]

    def brightness(self) -> float:
        """The relative luminance of what is behind the sentences."""
        box = self.page.query_selector(".sf-target")
        _, under = self.page.evaluate(_COLOURS, [box, ""])
        return luminance(under)

    def is_waiting(self) -> bool:
        """Whether the page says that an answer is under way."""
        return self.page.locator(".sf-wait").is_visible()

    def selected(self) -> str:
        """The words of the selected region; empty if none is."""
        self.page.wait_for_timeout(_SETTLE)
        words: list[str] = self.page.eval_on_selector_all(
            ".htx-highlight.__active", "spans => spans.map(span => span.textContent)"
        )
        return "".join(words)

    def source(self) -> str:
        """The text of the source sentence, as it stands in the page."""
        return self.page.text_content(SOURCE) or ""

    def conflicts(self) -> str:
        """What is said between the two sentences."""
        return self.page.inner_text(".sf-conflicts")

    def ran(self) -> bool:
        """Whether something has set `window.ran`; a script in an image, put there now, must."""
        before = bool(self.page.evaluate("!!window.ran"))
        image = "<img src=x onerror=window.ran=1>"
        self.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", image)
        self.page.wait_for_function("() => window.ran")
        return before

    def overflow(self) -> int:
        """How many pixels of the labeling area the window does not show."""
        pixels: int = self.page.eval_on_selector(
            "[class*=main-content]", "area => area.scrollHeight - area.clientHeight"
        )
        return pixels

    def picture(self, path: Path) -> None:
        """Take a picture of the window."""
        self._prepare(path)
        self.page.screenshot(path=path, animations="disabled")

    def picture_of_task(self, path: Path) -> None:
        """Take a picture of the task and what is known of it, without the rest of the window."""
        self._prepare(path)
        self.page.locator(".lsf-editor").screenshot(path=path, animations="disabled")

    def _prepare(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)

    # What a reviewer does

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as Playwright names them: `1`, `Alt+.`, `Backspace`."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(_SETTLE)

    def select(self, text: str) -> None:
        """Click on the highlighted phrase of the target that reads `text`, or begins so."""
        self.page.locator(f"{TARGET} .htx-highlight").filter(has_text=text).first.click()

    def point_at(self, what: str, text: str) -> None:
        """Move the mouse over the first of such elements that reads `text`."""
        self.page.locator(what).filter(has_text=text).first.hover()

    def drag_over(self, span: Span, box: str = TARGET) -> None:
        """Drag the mouse over the code points of `span` in one of the two sentences."""
        (x, y), (to_x, to_y) = self._edges(span, box)
        self._drag(x, y, to_x, to_y)

    def can_drag_ends(self) -> bool:
        """Whether the selected region shows something to drag its ends by."""
        return self.page.locator("area.__resize_right").is_visible()

    def drag_end(self, end: int) -> None:
        """Drag the right end of the selected region to before code point `end` of the target."""
        handle = self.page.locator("area.__resize_right").bounding_box()
        assert handle, "no region is selected, or its ends cannot be dragged"
        _, (to_x, to_y) = self._edges(Span(end - 1, end), TARGET)
        self._drag(handle["x"] + 1, handle["y"] + handle["height"] / 2, to_x, to_y)

    @contextmanager
    def answers_held(self) -> Iterator[list[Route]]:
        """What the page asks the backend is held back until the block ends; the held questions."""
        asked: list[Route] = []

        def hold(route: Route) -> None:
            asked.append(route)

        self.page.route(_ASKING, hold)
        yield asked
        self._await_held(asked, 1)
        for route in asked:
            route.continue_()
        self.page.unroute(_ASKING)
        self.await_answer()

    def await_questions(self, asked: list[Route], count: int) -> None:
        """Wait until so many are held back, and the page says that it waits for an answer."""
        self.page.locator(".sf-wait").wait_for()
        self._await_held(asked, count)

    def _await_held(self, asked: list[Route], count: int) -> None:
        for _ in range(SECONDS // _SETTLE):
            if len(asked) >= count:
                return
            self.page.wait_for_timeout(_SETTLE)
        raise AssertionError(f"{len(asked)} questions, not {count}")

    def await_answer(self) -> None:
        """Wait until the page has taken up the answer to its last question."""
        self.page.wait_for_function(_ANSWERED)
        self.page.wait_for_timeout(_SETTLE)

    def await_draft(self) -> None:
        """Wait until Label Studio has saved what is on the screen, some seconds after a change."""
        with self.page.expect_response(_is_draft) as told:
            pass
        assert told.value.ok, told.value.status_text

    def submit(self) -> None:
        """Submit by keyboard, and wait until Label Studio has it."""
        self._decide("Control+Enter")

    def skip(self) -> None:
        """Skip by keyboard, and wait until Label Studio has it."""
        self._decide("Control+Space")

    def await_next(self, before: int) -> bool:
        """In a stream: wait for the task after `before`. False if there are no more."""
        self.page.wait_for_function(_NEXT, arg=before)
        if self.page.get_by_text(_NO_MORE).count():
            return False
        self.await_task()
        return True

    def set_theme(self, theme: str) -> None:
        """Switch Label Studio to `light` or `dark`, with the button it has for that."""
        for _ in range(4):
            self.page.wait_for_timeout(_SETTLE)
            if self.page.get_attribute("html", "data-color-scheme") == theme:
                return
            self.page.click("text=/^(Auto|Light|Dark)$/")
        raise AssertionError(f"there is no {theme} theme")

    def _decide(self, key: str) -> None:
        with self.page.expect_response(_is_decision) as told:
            self.page.keyboard.press(key)
        assert told.value.ok, told.value.status_text

    def _edges(self, span: Span, box: str) -> list[list[float]]:
        edges: list[list[float]] = self.page.eval_on_selector(box, _EDGES, [span.start, span.end])
        return edges

    def _drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move((x + to_x) / 2, (y + to_y) / 2, steps=4)
        mouse.move(to_x, to_y, steps=4)
        mouse.up()


def _is_draft(answer: Response) -> bool:
    return answer.request.method in ("POST", "PATCH") and "/drafts" in answer.url


def _is_decision(answer: Response) -> bool:
    return answer.request.method in ("POST", "PATCH") and "/annotations" in answer.url


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser, and nothing of an earlier one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


_logged_in: dict[str, StorageState] = {}  # cookies by the address of the server


@contextmanager
def reviewing(
    browser: Browser, server: LabelStudioServer, width: int = WIDTH, height: int = HEIGHT
) -> Iterator[ReviewPage]:
    """A window of its own, which shares nothing but the login with others."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, storage_state=_logged_in.get(server.url)
    )
    try:
        context.set_default_timeout(SECONDS)
        page = ReviewPage(context.new_page(), server)
        if server.url not in _logged_in:
            page.log_in()
            _logged_in[server.url] = context.storage_state()
        yield page
    finally:
        context.close()
