"""Work in a thread, done while another process works for this one, and never while something is timed there."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Meanwhile:
    """A thread that does one piece of work after another.

    The caller closes it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], object]] = deque()
        self._has_thread = self._is_working = self._is_timed = self._is_closed = False
        self._error: BaseException | None = None

    def begin(self, *work: Callable[[], object]) -> None:
        """Adds pieces of work, which are done in this order."""
        with self._changed:
            self._waiting += work
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._work, daemon=True).start()

    def quiet(self, is_timed: bool) -> None:
        """Something is timed from now on, or no longer: returns when the thread is at rest, or at once.

        Raises:
            BaseException: As `check` does.
        """
        with self._changed:
            self._is_timed = is_timed
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (is_timed and self._is_working))
        if is_timed:
            self.check()

    def check(self) -> None:
        """Raises the error of a piece of work that failed, once.

        Raises:
            BaseException: The error of the first one that failed.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self) -> None:
        """Returns when all work is done; raises as `check` does. Nothing may be timed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_working and not self._waiting)
        self.check()

    def close(self) -> None:
        """Returns when the piece in work is done; the others are never begun."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_working)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or not self._is_timed)
                if not self._waiting:
                    self._has_thread = False
                    return
                work, self._is_working = self._waiting.popleft(), True
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # whoever waits for the work raises it
                self._error = self._error or error
            finally:
                with self._changed:
                    self._is_working = False
                    self._changed.notify_all()
