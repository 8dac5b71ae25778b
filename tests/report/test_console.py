"""What is drawn on a terminal, and what a log gets."""

import io
import os
import pty
import re

import pytest
from records import record
from rich.console import Console
from terminal import Screen
from test_report import RECORDS, info

from autoq.report import LiveTable, console_of, progress_bar
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront

LOUD = {
    "FORCE_COLOR": "1",
    "TTY_COMPATIBLE": "1",
    "TTY_INTERACTIVE": "1",
    "CLICOLOR_FORCE": "1",
    "COLORTERM": "truecolor",
}


def search_on(console, folder, records=RECORDS, **changes):
    with LiveTable(console) as table:
        for done in range(3):
            table.on_stage("collecting calibration statistics", done, 3)
        table.on_start(info(**changes), [])
        for index in range(len(records)):
            table.on_trial(records[index], ParetoFront(records[: index + 1]))
        table.on_stage("measuring 3 finalists together")
        table.on_finish(records, ParetoFront(records), folder)


@pytest.mark.parametrize("env", [{}, LOUD, {"CI": "true", "GITHUB_ACTIONS": "true"}, {"NO_COLOR": "1"}])
def test_a_file_gets_one_line_a_trial_and_no_control_character(env, tmp_path, monkeypatch):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        console = console_of(log)
        with progress_bar("measuring", console=console) as step:
            step(1, 2)
        search_on(console, tmp_path)
        log.seek(0)
        text = log.read()
    assert all(character.isprintable() or character == "\n" for character in text)
    lines = text.splitlines()
    assert [line.split()[1] for line in lines if re.match(r"trial +\d", line)] == ["0", "1", "2", "3", "4"]
    assert max(map(len, lines)) <= 150
    assert "measuring 1/2" not in text


@pytest.mark.parametrize(("term", "drawable"), [("dumb", False), ("DUMB", False), ("unknown", False), ("xterm", True)])
def test_a_terminal_that_cannot_move_its_cursor_is_a_log(term, drawable, monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", term)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        console = console_of(file)
        assert console.is_terminal is drawable
        console.print("x", end="")
        file.flush()
        assert os.read(ours, 100) == b"x"
    os.close(ours)


def test_without_colours_a_terminal_still_has_its_table(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    search_on(Console(file=stream, force_terminal=True, width=80), tmp_path)
    screen = Screen(80)
    screen.feed(stream.getvalue().replace("\n", "\r\n"))
    assert "\n1 int8 " in screen.text
    assert "[3" not in stream.getvalue().replace("[3m", "")


def test_names_and_messages_are_told_in_whatever_a_console_can_write(tmp_path):
    bad = "no\nsuch\x1b[2Jop \x07模型"
    failed = record(4, state=TrialState.FAILED, evaluation=None, error=bad)
    for force in (False, True):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
        console = Console(file=stream, force_terminal=force, width=80, color_system=None)
        search_on(console, tmp_path, [*RECORDS[:4], failed], model_name=bad, metric=bad)
        stream.flush()
        text = raw.getvalue().decode("ascii")
        assert "\x07" not in text
        assert "\x1b[2J" not in text
        assert r"no suchop  \u6a21\u578b" in text
        if not force:
            assert "\x1b" not in text
            assert r"trial   4 tpe       failed: no suchop  \u6a21\u578b" in text
            assert "1 int8" in text


def test_a_search_that_fails_leaves_what_it_had(tmp_path):
    stream = io.StringIO()

    def search():
        with LiveTable(Console(file=stream, force_terminal=True, width=80, color_system=None)) as table:
            table.on_start(info(), [])
            table.on_trial(RECORDS[0], ParetoFront(RECORDS[:1]))
            table.on_trial(RECORDS[1], ParetoFront(RECORDS[:2]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search()
    screen = Screen(80)
    screen.feed(stream.getvalue().replace("\n", "\r\n"))
    assert screen.cursor_is_shown
    assert "\n1 int8 " in screen.text
    assert "trial 1 " not in screen.text  # the bar is gone
