"""report.html as a browser shows it."""

from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from records import record
from test_report import info

from autoq.report import write_report
from autoq.searching.front import TrialTable
from autoq.searching.shown import ParetoFront

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt-get install chromium)"),
]

TOLD = "document.getElementById('told')"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("it's a report")
    records = [
        record(0, 0.0, 1.0, origin="float", fingerprint="float"),
        record(1, 0.004, 0.5, origin="int8"),
        record(2, 0.03, 0.4, feasible=False),
        record(3, 0.002, 0.7, origin="<sampler>"),
        *(record(number, 0.005 + number / 1e4, 0.6) for number in range(4, 40)),
    ]
    table = TrialTable.of(ParetoFront(records), info())
    return write_report(folder, info(model_name="net <img src=http://example.org/x>"), table, verdict="trial 1")


@pytest.fixture
def browser(page, tmp_path):
    with Browser(tmp_path) as opened:
        opened.open(page)
        yield opened


def test_a_trial_says_what_is_known_of_it_when_it_is_pointed_at(browser):
    assert browser.value(f"{TOLD}.hidden") is True
    browser.point_at('[data-trial="1"]')
    assert browser.value(f"{TOLD}.hidden") is False
    lines = browser.value(f"{TOLD}.innerText").splitlines()
    assert lines[0] == "trial 1 (int8)"
    assert "accuracy drop +0.0040 [+0.0030, +0.0050]" in lines
    assert "speed-up 2.000 [1.996, 2.004]" in lines
    assert any(line.startswith("1.00 ms, 0.0010 MB") for line in lines)
    assert any(line.startswith("recipe: int8, preset performance") for line in lines)
    # It can be read where it stands, and goes when the mouse does.
    box = f"(() => {{ const at = {TOLD}.getBoundingClientRect(); return [at.left, at.top, at.right - innerWidth]; }})()"
    left, top, over = browser.value(box)
    assert left >= 0
    assert top >= 0
    assert over <= 0
    browser.point_at("h1")
    assert browser.value(f"{TOLD}.hidden") is True


def test_it_says_so_to_who_has_no_mouse(browser):
    for _ in range(60):
        browser.press("Tab")
        if browser.value("document.activeElement.dataset.trial") == "3":
            break
    assert browser.value(f"{TOLD}.innerText").splitlines()[0] == "trial 3 (<sampler>)"
    assert browser.value("document.activeElement.getAttribute('aria-label')").startswith("trial 3 (<sampler>)")
    browser.press("Escape")
    assert browser.value(f"{TOLD}.hidden") is True


def test_the_legend_names_what_is_drawn_and_shows_and_hides_it(browser):
    entries = "[...document.querySelectorAll('figcaption [data-kind]')].map(part => part.innerText.trim())"
    assert browser.value(entries) == [
        "chosen: trial 1",
        "float model",
        "Pareto front, 95% intervals",
        "within the budget",
        "outside the budget",
    ]
    shown = "getComputedStyle(document.querySelector('.autoq-chart > svg [data-of=within]')).display"
    assert browser.value(shown) != "none"
    for expected in ("none", "inline"):
        browser.point_at("figcaption [data-kind=within] button", click=True)
        assert browser.value(shown) == expected


def test_it_asks_no_host_for_anything(browser, page):
    browser.point_at('[data-trial="1"]')
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []
    assert page.stat().st_size < 1_500_000


@pytest.mark.parametrize("width", [1200, 500])
def test_it_has_room_in_a_window_of_any_width(width, page, tmp_path):
    with Browser(tmp_path, width=width) as browser:
        browser.open(page)
        # Wide tables scroll by themselves; the page does not.
        assert browser.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth") is True
