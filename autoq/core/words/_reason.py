"""What an exception says, in one line that is never empty."""

from __future__ import annotations

from autoq.core.words._urls import without_passwords

# Lines of OpenVINO's messages that name source files, and what was checked there: another one says what is wrong.
_NATIVE = b"Exception from "
_SOURCE_LINES = ("Exception from ", "Check '", "While validating node ")


def reason(error: BaseException) -> str:
    """The line of an exception that says what is wrong.

    1. Of an OpenVINO message: the last line that says more than a place in a source file.
    2. Where all of its lines are such: the check that failed, without the place.
    3. Of any other message: the first line.
    4. Without a message: that of the exception it was raised from, or in whose handling it arose.
    5. Without any: the exception's type.

    Returns:
        A line without white space around it and without passwords of URLs; never empty.
    """
    lines = [line.strip() for line in without_passwords(_words(error)).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        cause = error.__cause__ or error.__context__
        return type(error).__name__ if cause is None else f"{type(error).__name__}, after {named_reason(cause)}"
    telling = [line for line in lines if not line.startswith(_SOURCE_LINES) and "' Check '" not in line]
    if len(telling) == len(lines):
        return lines[0]
    if telling:
        return telling[-1]
    check = next((line for line in reversed(lines) if "Check '" in line), lines[-1])
    return check.partition(" failed at ")[0] + (" failed" if " failed at " in check else "")


def _words(error: BaseException) -> str:
    """What an exception says; a native message that Python could not decode, as far as it can be."""
    if isinstance(error, UnicodeDecodeError) and error.object.startswith(_NATIVE):
        return error.object.decode("utf-8", "backslashreplace")
    return str(error)


def named_reason(error: BaseException) -> str:
    """The type of an exception, and what it says: "ValueError: ..."; the type alone where it says nothing."""
    name, said = type(error).__name__, reason(error)
    return said if said.startswith(name) else f"{name}: {said}"
