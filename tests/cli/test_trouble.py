"""What is said and kept of an error that nobody foresaw."""

from autoq.cli._trouble import CommandPlace, told


def test_no_password_is_said_or_kept(tmp_path):
    try:
        try:
            raise OSError("cannot open postgresql://me:secret@host/db")
        except OSError as error:
            raise ValueError("http://me:secret@host is away") from error
    except ValueError as error:
        said = told(error, CommandPlace(tmp_path))
    (kept,) = tmp_path.iterdir()
    assert str(kept) in said
    assert "http://me:***@host is away" in said
    # The lines of the program are those of this test, and show it.
    lines = [line for line in kept.read_text().splitlines() if "raise" not in line]
    assert not any("secret" in line for line in lines)
    assert sum("me:***@host" in line for line in lines) == 2
