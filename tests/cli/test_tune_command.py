"""`autoq tune`: what it writes and prints."""

import json
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, rows

import autoq
from autoq.cli import main

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

TUNE = ("tune", "int8.xml", "--data", "photos.npy", "-o", "tuned.xml", "--lr", "1e-3")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    teacher = conv_net(channels=8, classes=5)
    ov.save_model(teacher, "model.xml", compress_to_fp16=False)
    ov.save_model(autoq.quantize(teacher, images(60), progress=False), "int8.xml", compress_to_fp16=False)
    np.save("photos.npy", images(160, seed=1))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["autoq", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return call


def test_the_written_model_is_closer_to_the_float_model_and_the_course_is_printed(command):
    code, out, err = command(*TUNE, "--teacher", "model.xml", "--steps", "60", "--loss", "nmse", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["path"] == "tuned.xml"
    course = told["tuning"]
    assert course["best"] == min(check["held_out"] for check in course["checks"]) < course["start"]
    assert (course["steps"], course["end"], course["improved"]) == (60, "done", True)
    photos = images(100, seed=7)
    truth, before, after = (rows(ov.Core().read_model(name), photos) for name in ("model.xml", "int8.xml", "tuned.xml"))
    assert np.square(after - truth).sum() < 0.8 * np.square(before - truth).sum()


def test_a_file_in_half_precision_stays_one(command):
    narrow = autoq.prune("model.xml", images(60), ratio=0.25, multiple_of=2, progress=False)
    ov.save_model(narrow, "narrow.xml", compress_to_fp16=True)
    tune = ("tune", "narrow.xml", *TUNE[2:], "--teacher", "model.xml", "--steps", "60", "--loss", "nmse", "--json")
    code, out, err = command(*tune)
    assert code == 0, err
    assert json.loads(out)["tuning"]["improved"]
    assert Path("tuned.bin").stat().st_size == Path("narrow.bin").stat().st_size


def test_text_tells_the_figures_before_and_after(command):
    code, out, err = command(*TUNE, "--teacher", "model.xml", "--steps", "4", "--checkpoint", "kept")
    assert code == 0, err
    assert "held out: " in out
    assert "4 steps, the whole length." in out
    assert out.splitlines()[-1].startswith("tuned.xml: ")
    assert "step 4, " in err


def test_a_trial_of_a_run_is_tuned_by_the_float_model_of_the_run(command):
    data = images(60)
    targets = list(rows(ov.Core().read_model("model.xml"), data))
    space = {"precisions": "model", "presets": "performance", "range_estimators": "mean_min_max", "subset_sizes": 8}
    result = autoq.search(
        "model.xml",
        calibration=data[:20],
        validation=list(zip(data[20:], targets[20:], strict=True)),
        metric="negative_mse",
        space=space,
        n_trials=2,
        out="a run",
        tracking_uri="off",
        isolate=False,
        progress=False,
    )
    (int8,) = (record.number for record in result.records if record.origin == "int8")
    tune = ("tune", "a run", "--data", "photos.npy", "-o", "tuned.xml", "--lr", "1e-3", "--loss", "nmse")
    code, out, err = command(*tune, "--trial", str(int8), "--steps", "60", "--json")
    assert code == 0, err
    assert json.loads(out)["tuning"]["improved"]
    photos = images(100, seed=7)
    truth, after = (rows(ov.Core().read_model(name), photos) for name in ("model.xml", "tuned.xml"))
    before = rows(result.candidate(int8).model, photos)
    assert np.square(after - truth).sum() < 0.8 * np.square(before - truth).sum()
    code, _, err = command(*TUNE, "--trial", "3", "--steps", "4")
    assert (code, "'int8.xml' is no folder of a search" in err) == (2, True)


def test_what_is_missing_is_named(command):
    assert command(*TUNE, "--steps", "4") == (
        2,
        "",
        "error: --teacher is missing: pass the float model that the model was made of, or labelled data and a loss.\n",
    )
    code, _, err = command(*TUNE, "--teacher", "model.xml")
    assert (code, "give one of --epochs, --steps or --timeout" in err) == (2, True)
    code, _, err = command(*TUNE[:-1], "fast", "--teacher", "model.xml", "--steps", "4")
    assert (code, "lr is 'fast': it must be 'auto', or a learning rate above 0" in err) == (2, True)
