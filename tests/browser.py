"""A page in headless Chromium, driven over a pipe by the DevTools protocol: it hovers, clicks, tells each request."""

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Browser:
    """One page.

    Attributes:
        requests: Addresses that the page asked for, the page itself first.
        complaints: What the page wrote to the console, and errors of its scripts.
    """

    def __init__(self, profile: Path, *, width: int = 1200, height: int = 1000) -> None:
        ours, theirs = os.pipe(), os.pipe()
        flags = [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
        # Chromium reads commands from file 3, and answers on file 4.
        shell = f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]} 2>/dev/null >/dev/null'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", str(CHROMIUM), *flags],
            pass_fds=[ours[0], theirs[1]],
            stdin=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._out, self._in = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._rest, self._ids = b"", itertools.count(1)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        target = self._ask("Target.getTargets", session=None)["targetInfos"][0]["targetId"]
        attached = self._ask("Target.attachToTarget", session=None, targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()
        self._in.close()
        self._process.terminate()
        self._process.wait()

    def open(self, path: Path) -> None:
        """Opens a file, and waits until it is loaded."""
        self._loaded = False
        self._ask("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._hear(self._read())

    def value(self, script: str) -> object:
        """What an expression of JavaScript is in the page."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def point_at(self, selector: str, *, click: bool = False) -> None:
        """Moves the mouse onto the middle of an element, as a hand does."""
        script = f"""(() => {{
            const part = document.querySelector({json.dumps(selector)});
            part.scrollIntoView({{block: "center"}});
            const at = part.getBoundingClientRect();
            return [at.left + at.width / 2, at.top + at.height / 2];
        }})()"""
        x, y = self.value(script)
        self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if click:
            for what in ("mousePressed", "mouseReleased"):
                self._ask("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Presses a key."""
        for what in ("keyDown", "keyUp"):
            self._ask(
                "Input.dispatchKeyEvent", type=what, key=key, code=key, windowsVirtualKeyCode={"Tab": 9}.get(key, 27)
            )

    def _ask(self, method: str, *, session: str | None = "own", **parameters: object) -> dict:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._hear(answer)

    def _read(self) -> dict:
        while b"\0" not in self._rest:
            part = os.read(self._in.fileno(), 65536)
            assert part, "Chromium ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _hear(self, event: dict) -> None:
        method, given = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method in {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}:
            self.complaints.append(json.dumps(given))
