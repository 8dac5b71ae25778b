"""Models as folders, which Optimum Intel loads: the files beside the float model come along."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, run
from records import record

import autoq
from autoq.api import Candidate
from autoq.core import OutputError, PlanError
from autoq.export import read_provenance

BESIDE = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "openvino_tokenizer.xml"]
OTHERS = ["openvino_config.json", "model.safetensors", "README.md"]


@pytest.fixture
def source(tmp_path):
    """A folder as Optimum Intel writes it."""
    folder = tmp_path / "float"
    folder.mkdir()
    model = conv_net()
    model.output(0).get_tensor().add_names({"last_hidden_state"})
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)
    for name in [*BESIDE, *OTHERS]:
        (folder / name).write_text(name)
    return folder


def candidate(source):
    return Candidate(record(3), lambda _: autoq.read_model(source), None if source is None else str(source))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("as_file", [False, True])
def test_a_candidate_becomes_a_folder_with_the_files_beside_the_float_model(source, tmp_path, as_file):
    before = contents(source)
    named = source / "openvino_model.xml" if as_file else source
    folder = candidate(named).save(tmp_path / "deep" / "int8", layout="optimum")
    assert set(contents(folder)) == {"openvino_model.xml", "openvino_model.bin", *BESIDE}
    assert all((folder / name).read_text() == name for name in BESIDE)
    again = ov.Core().read_model(folder / "openvino_model.xml")
    np.testing.assert_array_equal(run(again, images(1)), run(conv_net(), images(1)))
    assert "last_hidden_state" in again.output(0).get_names()
    assert read_provenance(again)["plan"] == record(3).plan.to_dict()
    assert contents(source) == before


def test_other_files_in_the_folder_stay_and_earlier_ones_are_replaced(source, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "config.json").write_text("old")
    candidate(source).save(folder, layout="optimum")
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / "config.json").read_text() == "config.json"


def test_the_folder_of_the_float_model_is_not_written_over(source):
    before = contents(source)
    with pytest.raises(OutputError, match="is read and would be written over"):
        candidate(source).save(source, layout="optimum")
    assert contents(source) == before


def test_without_a_config_there_is_no_such_folder(source, tmp_path):
    (source / "config.json").unlink()
    with pytest.raises(OutputError, match=r"needs config\.json, but the float model has no config\.json beside it"):
        candidate(source).save(tmp_path / "out", layout="optimum")
    with pytest.raises(OutputError, match="the float model came from no file"):
        candidate(None).save(tmp_path / "out", layout="optimum")
    assert not (tmp_path / "out").exists()


def test_a_layout_that_is_not_there(source, tmp_path):
    with pytest.raises(PlanError, match="file layout 'optimun' is unknown: did you mean 'optimum'"):
        candidate(source).save(tmp_path / "out", layout="optimun")


def test_a_folder_is_read_as_the_model_in_it(source):
    assert autoq.read_model(source).output(0).get_names() == {"last_hidden_state", *conv_net().output(0).get_names()}
