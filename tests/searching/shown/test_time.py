"""Where the time went: a row for each part, in one order, with what trials tell of it."""

import csv
import io
import re

import pytest
from records import record

from autoq.searching.records import PARTS, Part
from autoq.searching.shown import TIME_COLUMNS, time_csv, time_html, time_metrics, time_rows, time_title

SECONDS = {"other": 1.0, "score": 6.0, "read": 2.0, "score float": 1.0}
RECORDS = [record(number, seconds={"score": taken}) for number, taken in enumerate((1.0, 2.0, 30.0))]
ROWS = time_rows(SECONDS, RECORDS)


def test_each_part_has_a_row_with_its_share_and_what_a_trial_takes():
    assert [(row.part, row.seconds, row.share, row.trial_s) for row in ROWS] == [
        (Part.READ, 2.0, 0.2, None),
        (Part.SCORE_FLOAT, 1.0, 0.1, None),
        (Part.SCORE, 6.0, 0.6, 2.0),
        (Part.OTHER, 1.0, 0.1, None),
    ]
    assert time_title(ROWS) == "Where the time went: 10.0 s"


def test_every_part_says_what_happens_in_it():
    rows = time_rows(dict.fromkeys(Part, 1.0), [])
    assert [row.part for row in rows] == list(Part)
    assert len({row.meaning for row in rows}) == len(Part)
    assert set(PARTS) < set(Part)


def test_a_search_without_seconds_has_no_shares():
    assert time_rows({}, RECORDS) == ()
    assert [row.share for row in time_rows({"read": 0.0}, [])] == [0.0]


def test_csv_and_metrics_have_the_same_numbers():
    told = list(csv.DictReader(io.StringIO(time_csv(ROWS))))
    assert [(line["part"], float(line["seconds"])) for line in told] == [(row.part, row.seconds) for row in ROWS]
    assert [line["trial_s"] for line in told] == ["", "", "2.0", ""]
    assert time_metrics(ROWS) == {
        "seconds/read": 2.0,
        "seconds/score_float": 1.0,
        "seconds/score": 6.0,
        "seconds/other": 1.0,
    }


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_the_page_has_the_words_of_each_row(row):
    lines = re.findall("<tr>(.*?)</tr>", time_html(ROWS))
    cells = [tuple(re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)) for line in lines]
    assert cells[0] == TIME_COLUMNS
    assert row.texts in cells
