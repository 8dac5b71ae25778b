"""Takes a picture of the MLflow UI on the charts of a store, in headless Chromium.

    make .venv/.autoq-pictures
    .venv/bin/python experiments/mlflow_screenshot.py experiments/images/mlflow.png

Needs a Chromium on the machine (Debian: `apt-get install chromium`).
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from playwright.sync_api import Page, sync_playwright

from autoq.tracking import chart_url

# Without these, Chromium calls home while the picture waits.
_OFFLINE = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@contextmanager
def served(store: str) -> Iterator[str]:
    """An MLflow server on a free port, for as long as the picture takes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--backend-store-uri",
        store,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/health")  # noqa: S310  # our own address
                break
            except urllib.error.URLError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def picture(page: Page, address: str, experiment_id: str, out: Path) -> None:
    """Opens the shared chart view, waits for its charts and keeps what is seen."""
    page.goto(f"{address}/{chart_url(experiment_id)}")
    page.get_by_text("Run Name").wait_for(timeout=60_000)
    assistant = page.locator('[data-component-id="mlflow.assistant.chat_panel.close"]')
    if assistant.count():
        assistant.click()
    page.get_by_text("speedup vs. accuracy_drop").wait_for(timeout=60_000)
    page.wait_for_timeout(4000)
    page.screenshot(path=out)


def main() -> None:
    """Takes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--store", default="sqlite:///mlflow.db")
    parser.add_argument("--experiment", default="autoq")
    options = parser.parse_args()
    found = MlflowClient(options.store).get_experiment_by_name(options.experiment)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None or browser_path is None:
        parser.error("there is no such experiment in the store, or no Chromium on this machine")
    with served(options.store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=_OFFLINE)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        picture(page, address, found.experiment_id, options.out)
        browser.close()


if __name__ == "__main__":
    main()
