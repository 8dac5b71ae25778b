"""Values that strangers give: of every type and size, near to what is valid and far from it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fuzz_verdict import PASSWORD
from hypothesis import strategies as st

# Names that people, programs and attackers choose.
ODD_NAMES: Sequence[str] = (
    "",
    " ",
    ".",
    "..",
    "../x",
    "/",
    "//x",
    "a/../../x",
    "a?b",
    "a#b",
    "%41",
    "%%",
    "%s%n",
    ":",
    "a:b",
    "~",
    "~root",
    "$HOME",
    "${HOME}",
    "-x",
    "--help",
    "[/b]",
    "[bold]x[/]",
    "[link=file:///etc]x",
    "it's",
    'say "x"',
    "`id`",
    "a;b",
    "a|b",
    "a&b",
    "<b>",
    "<script>alert(1)</script>",
    "</table>",
    "{x}",
    "{0}",
    "a=b",
    "a,b",
    "a\\b",
    "a\tb",
    "a\nb",
    "a\rb",
    "a\x00b",
    "\x1b[31mred",
    "\x7f",
    "\u2028",
    "\u202eright to left",
    "שלום",
    "模型",
    "é",
    "e\u0301",
    "🤖",
    "\udcff",
    "\ud800",
    "CON",
    "NUL",
    "a" * 255,
    "a" * 256,
    "a" * 300,
    "模" * 100,
    "a/" * 3000,
    " x ",
    "x.",
    "None",
    "off",
    "0",
    "' OR 1=1 --",
)

names = (
    st.sampled_from(ODD_NAMES) | st.text(max_size=20) | st.text(alphabet="ab/.%?#:[]'\"<>\\\x00\n\udcff模", max_size=12)
)
ODD_NUMBERS: Sequence[Any] = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**30,
    0.0,
    -0.0,
    0.5,
    1e-320,
    1e300,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
)
numbers = st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats() | st.builds(lambda: 10**5000)
texts = names | st.sampled_from(["1e9999", "nan", "inf", "-1", "1%", "%", "5 ms", "2MB", "1e400 GB", "0x10", "1_0"])
scalars = st.none() | numbers | texts | st.binary(max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.integers() | st.none(), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)


def deep(levels: int = 3000) -> list[Any]:
    """A list in a list, and so on."""
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def cyclic() -> list[Any]:
    """A list that holds itself."""
    found: list[Any] = []
    found.append(found)
    return found


anything = values | st.builds(deep) | st.builds(cyclic) | st.sampled_from([object(), int, lambda: 1, {1, 2}, range(3)])


@st.composite
def changed(draw: st.DrawFn, valid: Any, strangers: st.SearchStrategy[Any] = anything) -> Any:  # noqa: PLR0911
    """A copy of a plain value in which something at some depth is replaced, missing, added, or named otherwise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(strangers)
    if isinstance(valid, Mapping) and valid:
        key = draw(st.sampled_from(sorted(valid, key=str)))
        kind = draw(st.sampled_from(["inside", "inside", "inside", "inside", "missing", "more", "renamed"]))
        rest = {name: value for name, value in valid.items() if name != key}
        if kind == "missing":
            return rest
        if kind == "more":
            return {**valid, draw(names | st.integers() | st.none()): draw(strangers)}
        if kind == "renamed":
            return {**rest, draw(names): valid[key]}
        return {**valid, key: draw(changed(valid[key], strangers))}
    if isinstance(valid, list | tuple) and valid:
        place = draw(st.integers(0, len(valid) - 1))
        return [*valid[:place], draw(changed(valid[place], strangers)), *valid[place + 1 :]]
    return draw(strangers)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes cut off, flipped, doubled, moved, zeroed or put in."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        size = len(found)
        at = draw(st.integers(0, max(size - 1, 0)))
        length = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(["cut", "flip", "flip", "flip", "drop", "double", "zero", "ones", "put", "huge"]))
        if kind == "cut":
            del found[at:]
        elif kind == "flip" and size:
            found[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "drop":
            del found[at : at + length]
        elif kind == "double":
            found[at:at] = found[at : at + length]
        elif kind == "zero":
            found[at : at + length] = bytes(len(found[at : at + length]))
        elif kind == "ones":
            found[at : at + length] = b"\xff" * len(found[at : at + length])
        elif kind == "put":
            found[at:at] = draw(st.binary(max_size=16))
        elif kind == "huge":
            found[at : at + 8] = (2 ** draw(st.integers(20, 62))).to_bytes(8, "little")
    return bytes(found)


SECRET_STORE = f"postgresql://me:{PASSWORD}@localhost:1/none"
