"""Takes the picture of a report for the documentation.

    python -m tests.label_studio.report_picture REPORT [--out docs/images/report.png]

REPORT is a folder `spanferry report` wrote. Only the top of the page is taken.
"""

import argparse
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from ml_backend.report.page import PAGE
from tests.label_studio.pages import SWITCHES, chromium

WIDTH, HEIGHT = 1000, 760


def take(
    report: Path,
    out: Path,
    *,
    width: int = WIDTH,
    height: int | None = HEIGHT,
    scheme: Literal["light", "dark"] = "light",
) -> None:
    """Take a picture of the page of a report; `height` None takes all of it."""
    page = (report / PAGE).resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(SWITCHES))
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height or HEIGHT},
                color_scheme=scheme,
                device_scale_factor=1.5,
            )
            tab = context.new_page()
            tab.goto(page.as_uri())
            tab.screenshot(path=out, full_page=height is None)
        finally:
            browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the picture of a report.")
    parser.add_argument("report", type=Path, help="folder of `spanferry report`")
    parser.add_argument("--out", type=Path, default=Path("docs/images/report.png"))
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--whole", action="store_true", help="the page to its end")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    arguments = parser.parse_args()
    take(
        arguments.report,
        arguments.out,
        width=arguments.width,
        height=None if arguments.whole else HEIGHT,
        scheme=arguments.scheme,
    )


if __name__ == "__main__":
    main()
