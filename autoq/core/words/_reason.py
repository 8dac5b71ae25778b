"""The message of an exception as one line, which is never empty."""

from __future__ import annotations

from autoq.core.words._urls import without_passwords

# Lines of OpenVINO's messages that name source files and checks in them. Another line says what is wrong.
_NATIVE = b"Exception from "
_SOURCE_LINES = ("Exception from ", "Check '", "While validating node ")


def reason(error: BaseException) -> str:
    """The line of an exception that says what is wrong.

    1. An OpenVINO message: the last line that says more than a place in a source file.
    2. An OpenVINO message with only such lines: the check that failed, without its place.
    3. Any other message: its first line.
    4. No message: the message of the exception that caused this one, or that was handled at the time.
    5. No message at all: the type of the exception.

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
    """The text of an exception. A native message that Python could not decode is decoded as far as possible."""
    if isinstance(error, UnicodeDecodeError) and error.object.startswith(_NATIVE):
        return error.object.decode("utf-8", "backslashreplace")
    return str(error)


def named_reason(error: BaseException) -> str:
    """The type of an exception and its message: "ValueError: ..."; only the type without a message."""
    name, said = type(error).__name__, reason(error)
    return said if said.startswith(name) else f"{name}: {said}"
