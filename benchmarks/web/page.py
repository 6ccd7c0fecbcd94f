"""Measures in Chromium, on a throttled connection, when the largest content of a search page is painted, and how far
the page shifts while it loads. The time is compared with that of the same page with one image.

The page with one image comes from a second service, whose theme shows only the image of the first card. Each load has a
new browser context, so the browser has cached nothing. Loads of the two pages take turns. The figure is the ratio of
the medians.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.search.load import address
from benchmarks.support.report import RESULTS, Line, Table, keep, quantile
from benchmarks.support.site import encoder, serving, site
from db.errors import SettingsError
from db.roles import Role

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUERY = "red shoes"
MOST = 1.5  # goal: the ratio is at most this
SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
ALL, ONE = "all images", "one image"
_PAINTS = """() => new Promise(done => {
  const found = { paint: 0, shift: 0, what: "" };
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) [found.paint, found.what] = [one.startTime, one.element?.tagName ?? ""];
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) found.shift += one.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(found), 100);
})"""


@dataclass(frozen=True)
class Load:
    paint: float  # seconds from the start of the navigation to the largest contentful paint
    shift: float  # cumulative layout shift
    what: str  # name of the element that was painted


def run(rounds: int) -> None:
    with _services() as services, _chromium() as browser:
        loads = {screen: _in_turns(browser, screen, services, rounds) for screen in SCREENS}
    note = (
        f"Chromium loads the search page for “{QUERY}” in the sample catalog {rounds} times, over 1.6 Mbit/s with 150 "
        "ms latency."
    )
    keep("page", "The search page on a slow connection", *_report(loads), ("litestar", "playwright"), RESULTS, note)


@contextmanager
def _services() -> Iterator[dict[str, str]]:
    """Yields the address of a service for each kind of page."""
    from loader.sample import load_sample

    with site() as measured, tempfile.TemporaryDirectory() as theme:
        load_sample(measured.database)
        with encoder(measured):
            while measured.left():
                time.sleep(0.5)
            with psycopg.connect(address(measured.database, Role.ANALYST), autocommit=True) as conn:
                conn.execute("select shop.clip_text(%s)", (QUERY,))
        _show_one_image(Path(theme))
        with (
            serving(measured.environment) as (all_, _),
            serving(measured.environment, {"WINDOWSHOP_WEB_THEME": theme}) as (one, _),
        ):
            yield {ALL: all_, ONE: one}


def _show_one_image(theme: Path) -> None:
    """Write a theme whose cards have the page's own template, with the image of the first card only."""
    import web.page

    name = Path("templates") / "cards.html"
    ours = (Path(web.page.__file__).parent / name).read_text()
    changed = ours.replace("{% if card.image %}", "{% if card.image and loop.first %}")
    assert changed != ours
    (theme / name).parent.mkdir()
    (theme / name).write_text(changed)


@contextmanager
def _chromium() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("WINDOWSHOP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SettingsError("there is no Chromium; install Chromium, or set WINDOWSHOP_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _in_turns(browser: "Browser", screen: str, services: dict[str, str], rounds: int) -> dict[str, list[Load]]:
    found: dict[str, list[Load]] = {kind: [] for kind in services}
    for round_ in range(rounds + 1):
        for kind in sorted(services, reverse=bool(round_ % 2)):
            load = _load(browser, screen, services[kind])
            if round_:  # the first loads make the thumbnails
                found[kind].append(load)
    return found


def _load(browser: "Browser", screen: str, service: str) -> Load:
    context = browser.new_context(**SCREENS[screen])  # type: ignore[arg-type]
    try:
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.send("Network.emulateNetworkConditions", NETWORK)
        page.goto(f"{service}/?q={QUERY.replace(' ', '%20')}", wait_until="networkidle", timeout=120_000)
        found = page.evaluate(_PAINTS)
        return Load(found["paint"] / 1000, found["shift"], found["what"])
    finally:
        context.close()


def _report(loads: dict[str, dict[str, list[Load]]]) -> tuple[list[Line], dict[str, object], list[Table]]:
    lines, rows = [], []
    for screen, kinds in loads.items():
        medians = {kind: quantile([one.paint for one in found], 0.5) for kind, found in kinds.items()}
        ratio = medians[ALL] / medians[ONE]
        shift = max(one.shift for found in kinds.values() for one in found)
        what = f"{screen}: largest contentful paint of the search page, against the page with one image"
        lines.append(Line(what, f"{ratio:.2f}", f"<= {MOST}", ratio <= MOST))
        lines.append(Line(f"{screen}: cumulative layout shift, most", f"{shift:.4f}", "0", shift == 0))
        rows += [[screen, kind, *_quartiles(found), found[-1].what.lower()] for kind, found in kinds.items()]
    raw: dict[str, object] = {
        screen: {kind: [[one.paint, one.shift] for one in found] for kind, found in kinds.items()}
        for screen, kinds in loads.items()
    }
    table = Table("Largest contentful paint", ["screen", "page", "quartiles", "median", "element"], rows)
    return lines, raw, [table]


def _quartiles(found: Sequence[Load]) -> tuple[str, str]:
    paints = [one.paint for one in found]
    low, median, high = (quantile(paints, q) for q in (0.25, 0.5, 0.75))
    return f"{low:.2f} to {high:.2f} s", f"{median:.2f} s"
