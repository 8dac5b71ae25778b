"""Names that people choose, as names of files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import file_name


@pytest.mark.parametrize("name", ["resnet50", "resnet 50", "v1.2_b=4+x-y", "A", "x" * 100])
def test_a_plain_name_is_kept(name):
    assert file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "../x",
            "/",
            "a/b",
            "a\\b",
            "a?b",
            "[/b]",
            "it's",
            "a\0b",
            "a\nb",
            "a.",
            ".hidden",
            "-rf",
        ),
        *("模型", "\udc80", "x " * 150, "x" * 101),
    ],
)
def test_any_other_becomes_one_file_inside_its_folder(name, tmp_path):
    path = tmp_path / file_name(name)
    path.write_text("x", "ascii")
    assert list(tmp_path.iterdir()) == [path]
    assert path.name.isascii()
    assert not path.name.startswith((".", "-"))


def test_what_can_be_read_of_a_name_stays_readable():
    assert file_name("a?b").startswith("a_b-")
    assert file_name("../my model").startswith("my_model-")


@given(st.lists(st.text(st.characters() | st.sampled_from("ab./-_"), max_size=120), unique=True, max_size=5))
def test_two_names_are_never_one_file(names):
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(0 < len(file) <= 100 and file.isascii() and "/" not in file for file in files)
    # What a name became can be a name itself, and is then another file.
    assert not {file_name(file) for name, file in zip(names, files, strict=True) if name != file} & set(files)
