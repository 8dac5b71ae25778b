"""Tables and pictures for notebooks: what is drawn lies where its numbers are."""

import re

import numpy as np
import pytest

from autoq.core import Bar, Estimate, bars_svg, brief_html, html_table, intervals_svg, paragraph


def tags(name, content):
    """Attributes of all tags of that name."""
    return [
        dict(re.findall(r'([\w-]+)="([^"]*)"', found)) for found in re.findall(rf"<{name}(?: ([^>]*?))?/?>", content)
    ]


def numbers(name, key, content):
    return np.array([float(found[key]) for found in tags(name, content)])


def test_bars_are_as_long_as_their_shares_and_between_their_texts():
    shares = [1.0, 0.5, 0.0, 1.5, -0.5]
    drawn = bars_svg([Bar(f"bar {n}", share, f"{share:.0%}", n == 1) for n, share in enumerate(shares)], label="x")
    lengths, starts = numbers("rect", "width", drawn), numbers("rect", "x", drawn)
    np.testing.assert_allclose(lengths, np.clip(shares, 0, 1) * lengths[0], atol=0.1)
    assert lengths[0] > 200
    left, right = numbers("text", "x", drawn).reshape(-1, 2).T
    assert ((left < starts) & (starts - left < 20)).all()
    assert [found.get("text-anchor") for found in tags("text", drawn)] == ["end", None] * 5
    assert ((right > starts + lengths) & (right - starts - lengths < 20)).all()
    assert right.max() < numbers("svg", "width", drawn)[0] - 60
    fills = [found["fill"] for found in tags("rect", drawn)]
    assert len(set(fills)) == 2
    assert fills.count(fills[1]) == 1
    assert tags("rect", bars_svg([Bar("usual", 1.0, "")], label="x"))[0]["fill"] == fills[0]


def test_rows_stand_below_each_other_with_their_texts_beside_them():
    drawn = bars_svg([Bar("bar", 0.5, "half")] * 4, label="x")
    tops, heights = numbers("rect", "y", drawn), numbers("rect", "height", drawn)
    assert len(set(np.diff(tops))) == 1
    gap = np.diff(tops)[0] - heights[0]
    assert 0 < gap < heights[0]
    total = numbers("svg", "height", drawn)[0]
    assert tags("svg", drawn)[0]["viewBox"] == f"0 0 720 {total:.0f}"
    # As much room above the first as below the last.
    assert total - tops[-1] - heights[-1] == tops[0] == gap / 2
    for texts in numbers("text", "y", drawn).reshape(-1, 2).T:
        assert ((texts > tops + heights / 2) & (texts < tops + heights)).all()


ROWS = [
    ("exact", Estimate(1.0, 1.0, 1.0), "1"),
    ("one side", Estimate(-0.5, -2.0, -0.25), "-0.5"),
    ("unknown", Estimate.unknown(2.0), "2"),
    ("wide", Estimate(0.0, -3.0, 4.0), "0"),
]


def ends(drawn):
    """Left and right end of each interval."""
    return np.array(re.findall(r'd="M([\d.-]+) [\d.]+H([\d.-]+)M', drawn), float)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e6])
def test_intervals_lie_on_one_axis_in_any_unit(unit):
    rows = [(n, Estimate(e.value * unit, e.low * unit, e.high * unit), text) for n, e, text in ROWS]
    drawn = intervals_svg(rows, label="x", zero=True)
    left, right = ends(drawn).T
    points, zero = numbers("circle", "cx", drawn), numbers("line", "x1", drawn)
    expected = [(e.low, e.value, e.high) if e.known else (e.value,) * 3 for _, e, _ in ROWS]
    step = (right[3] - left[3]) / 7
    np.testing.assert_allclose(np.stack([left, points, right], 1), left[3] + step * (np.array(expected) + 3), atol=0.2)
    assert zero == pytest.approx(left[3] + 3 * step, abs=0.2)
    assert (tags("line", drawn)[0]["x2"], tags("line", drawn)[0]["y1"]) == (tags("line", drawn)[0]["x1"], "0")
    names, texts = numbers("text", "x", drawn).reshape(-1, 2).T
    assert (names < left).all()
    assert (names == names[0]).all()
    assert ((texts > right) & (texts < right + 20)).all()
    # The widest has most of the room between names and texts, with a margin on both sides.
    assert right[3] - left[3] > 0.85 * (720 - 300 - 2 * 90)
    assert left[3] - 300 == pytest.approx(540 - right[3], abs=0.2)
    assert texts.max() < 720 - 90


def test_marks_of_intervals_stand_in_their_rows():
    drawn = intervals_svg(ROWS, label="x", zero=True)
    middle = numbers("circle", "cy", drawn)
    height = numbers("svg", "height", drawn)[0]
    assert list(middle) == [height * (n + 0.5) / 4 for n in range(4)]
    assert numbers("line", "y2", drawn)[0] == height
    for texts in numbers("text", "y", drawn).reshape(-1, 2).T:
        assert ((texts > middle) & (texts < middle + 8)).all()
    for path, (left, right), at in zip(tags("path", drawn), ends(drawn), middle, strict=True):
        y, top = f"{at:.0f}", f"{at - 4:.0f}"
        assert path["d"] == f"M{left:.1f} {y}H{right:.1f}M{left:.1f} {top}v8M{right:.1f} {top}v8"


@pytest.mark.parametrize("value", [0.0, 3.0, -1e6])
def test_a_single_number_without_interval_is_drawn(value):
    drawn = intervals_svg([("one", Estimate.unknown(value), "")], label="x")
    assert 300 < numbers("circle", "cx", drawn)[0] < 540
    assert not tags("line", drawn)


def test_0_is_on_the_axis_if_it_is_marked():
    drawn = intervals_svg([("one", Estimate(5, 4, 6), "")], label="x", zero=True)
    assert 300 < numbers("line", "x1", drawn)[0] < ends(drawn)[0, 0]


@pytest.mark.parametrize("picture", ["bars", "intervals"])
def test_of_a_long_name_the_end_is_drawn_and_no_text_is_markup(picture):
    name, label = "<i>" + "x" * 60 + "<b>end", 'a "label" & more'
    if picture == "bars":
        drawn = bars_svg([Bar(name, 1.0, "<u>")], label=label)
        assert "<title>&lt;i&gt;xxx" in drawn
    else:
        drawn = intervals_svg([(name, Estimate(1, 0, 2), "<u>")], label=label)
    assert re.search(r'text-anchor="end">…x+&lt;b&gt;end</text>', drawn)
    assert "&lt;u&gt;</text>" in drawn
    assert not {"<i>", "<b>", "<u>"} & set(re.findall(r"<\w+>", drawn))
    assert tags("svg", drawn)[0]["aria-label"] == "a &quot;label&quot; &amp; more"
    assert "<title>a &quot;label&quot; &amp; more</title>" in drawn


def test_a_table_has_its_words_at_the_left():
    table = html_table(["name", "<n>"], [["a&b", "1"], ["c", "2"]], words=[0])
    assert re.findall(r"<(th|td) ([^>]*)>([^<]*)<", table) == [
        ("th", 'class="word"', "name"),
        ("th", "", "&lt;n&gt;"),
        ("td", 'class="word"', "a&amp;b"),
        ("td", "", "1"),
        ("td", 'class="word"', "c"),
        ("td", "", "2"),
    ]
    assert table.count("<tr>") == 3


def test_the_parts_of_an_object_follow_its_title():
    shown = brief_html("a < b", [paragraph("x & y"), paragraph("z")])
    assert shown.endswith("<p><b>a &lt; b</b></p><p>x &amp; y</p><p>z</p></div>")
