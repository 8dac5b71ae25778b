"""Draws the front of a run with that of another one behind it, of the same model and a longer search.

.venv/bin/python experiments/front_picture.py runs/cifar10_repvgg runs/longer experiments/images/front.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from autoq import SearchResult
from autoq.searching.shown import plot_table


def main() -> None:
    """Draws what the command line names."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("run", type=Path, help="folder of a search")
    command.add_argument("behind", type=Path, help="folder of the longer one")
    command.add_argument("picture", type=Path, help="the PNG to write")
    options = command.parse_args()
    result, longer = SearchResult.load(options.run), SearchResult.load(options.behind)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = plot_table(result.table, figure.add_subplot(), behind=longer.front)
    axes.set_title(f"{result.info.model_name} on {result.info.settings['hardware']['name']}")
    figure.savefig(options.picture, dpi=130)


if __name__ == "__main__":
    main()
