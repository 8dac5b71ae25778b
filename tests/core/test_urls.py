"""Passwords in URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import ConfigError, reason, shown_url, without_passwords


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:se@cr/et@host:5432/db", "postgresql+psycopg://me:***@host:5432/db"),
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("postgresql://host/db?user=me&password=secret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"),
        ("mlruns", "mlruns"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert shown_url(url) == shown
    assert without_passwords(f"store {url!r} is away: {url}") == f"store {shown!r} is away: {shown}"


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="'\""), min_size=3, max_size=30))
def test_no_error_says_a_password(password):
    secret = f"\u2603{password}"
    url = f"postgresql://me:{secret}@host/db"
    assert secret not in shown_url(url)
    assert secret not in str(ConfigError(f"storage {url} is away"))
    assert secret not in reason(OSError(f"cannot open {url}: away"))


def test_texts_without_urls_stay_as_they_are():
    for text in ("a@b: c", "time 12:30 @ noon", "http://127.0.0.1:5000/#/experiments/1", "x?password", ""):
        assert without_passwords(text) == text
