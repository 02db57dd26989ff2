"""Label Studio as a reviewer sees it: a real Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ml_backend.label_studio_server import LabelStudioServer

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SECONDS = 60_000  # Playwright counts in milliseconds

_MARKS = "spans => spans.map(span => [span.dataset.label.split(':')[1], span.textContent])"


def chromium() -> str | None:
    """The browser to use: `CHROMIUM`, or the one on the path."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


class ReviewPage:
    """A logged-in browser tab."""

    def __init__(self, page: Page, server: LabelStudioServer) -> None:
        self.page, self._server = page, server

    def log_in(self) -> None:
        account = self._server.account
        self.page.goto(f"{self._server.url}/user/login/", wait_until="domcontentloaded")
        self.page.fill("input[name=email]", account.user)
        self.page.fill("input[name=password]", account.password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/login" not in url, wait_until="commit")

    def open(self, url: str) -> None:
        """Open a task, and wait until its sentence and its predicted entities are there."""
        # By way of another page: only the address after # and ? differs between two tasks.
        self.page.goto("about:blank")
        self.page.goto(url, wait_until="domcontentloaded")
        self.page.wait_for_selector(".sf-target [class*=richtext__line]")
        self.page.wait_for_load_state("networkidle")

    def open_tab(self, url: str) -> None:
        """Open a Data Manager tab, and wait for its rows."""
        self.page.goto("about:blank")
        self.page.goto(url, wait_until="domcontentloaded")
        self.page.wait_for_selector("text=Label All Tasks")
        self.page.wait_for_load_state("networkidle")

    def marked(self) -> list[list[str]]:
        """Label and words of everything highlighted in the target sentence, in reading order."""
        marks: list[list[str]] = self.page.eval_on_selector_all(".sf-target .htx-highlight", _MARKS)
        return marks

    def select_first(self) -> None:
        """Select the first highlighted entity, which shows where it comes from."""
        marks = self.page.locator(".sf-target .htx-highlight")
        if marks.count():
            marks.first.click()

    def source(self) -> str:
        """The text of the source box, as one reads it."""
        return self.page.inner_text(".sf-source")

    def submit(self) -> None:
        """Submit by keyboard, and wait until Label Studio has it."""
        with self.page.expect_response(lambda answer: "/annotations" in answer.url) as told:
            self.page.keyboard.press("Control+Enter")
        assert told.value.ok, told.value.status_text

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=path, animations="disabled")


@contextmanager
def reviewing(
    server: LabelStudioServer, width: int = 1500, height: int = 950
) -> Iterator[ReviewPage]:
    """A browser window, logged in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        try:
            context = browser.new_context(viewport={"width": width, "height": height})
            context.set_default_timeout(SECONDS)
            page = ReviewPage(context.new_page(), server)
            page.log_in()
            yield page
        finally:
            browser.close()
