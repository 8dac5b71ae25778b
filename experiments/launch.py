"""Launches the search that a YAML file describes.

    python experiments/launch.py EXPERIMENT.yaml [--quick]

The same as `autoq search`, for a checkout. Run again, it goes on where it was stopped.
"""

import sys

from autoq.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["search"]
    main()
