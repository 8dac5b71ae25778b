"""What is read is not written over, whatever it is called."""

from pathlib import Path

import pytest

from autoq.core import OutputError, check_not_inputs


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.xml").write_text("model")
    Path("m.bin").write_text("weights")
    Path("deep").mkdir()
    Path("deep/m.xml").write_text("another")
    Path("link.xml").symlink_to("m.xml")
    Path("here").symlink_to(".")
    Path("hard.bin").hardlink_to("m.bin")
    return tmp_path


READ = [Path("m.xml"), Path("m.bin")]


@pytest.mark.parametrize(
    "written",
    ["m.xml", "./m.xml", "deep/../m.xml", "here/m.xml", "here/here/m.bin", "link.xml", "hard.bin", "absolute"],
)
def test_a_file_that_is_read_is_refused_by_any_name(place, written):
    path = place / "m.xml" if written == "absolute" else Path(written)
    with pytest.raises(OutputError, match=r"is read.*written over; name another path"):
        check_not_inputs([Path("new.xml"), path], READ)


@pytest.mark.parametrize("written", ["new.xml", "deep/m.xml", "deep/new.xml", "absent/m.xml", "n\0l", "x" * 300])
def test_any_other_file_may_be_written(place, written):
    check_not_inputs([Path(written)], [*READ, Path("absent"), Path("n\0l"), Path("y" * 300)])


def test_a_link_to_nothing_is_no_input(place):
    Path("dangling.xml").symlink_to("nowhere")
    check_not_inputs([Path("dangling.xml")], [*READ, Path("dangling.xml")])


def test_a_folder_that_is_replaced_holds_no_input(place):
    for read in (Path("deep/m.xml"), Path("here/deep/m.xml")):
        with pytest.raises(OutputError, match=r"'deep' holds '.*deep/m\.xml', which is read"):
            check_not_inputs([Path("deep")], [read])
    check_not_inputs([Path("deep")], READ)
