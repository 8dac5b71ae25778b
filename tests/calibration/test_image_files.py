"""Images that a list names, with their classes."""

import numpy as np
import pytest
from networks import conv_net
from PIL import Image

import autoq
from autoq.calibration import as_inputs, data_files
from autoq.core import ConfigError, DataError
from autoq.evaluation.scoring import ValidationSet

NAMES = ("a.png", "deeper/b.png", "c.JPG")


@pytest.fixture
def write(tmp_path):
    """Three photos, and a list of them."""
    (tmp_path / "deeper").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((8, 8, 3), 40 * number + 40, np.uint8)).save(tmp_path / name)

    def written(text, encoding="utf-8"):
        path = tmp_path / "list.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return written


LISTS = {
    "numbers without names of columns": ("a.png,2\ndeeper/b.png,0\nc.JPG,7\n", {}, (2, 0, 7), ()),
    "names of columns": ("file,label\na.png, 2\ndeeper/b.png,0\n\nc.JPG,7\n", {}, (2, 0, 7), ()),
    "numbers of pandas": ("file,label\na.png,2.0\ndeeper/b.png,0.0\nc.JPG,7.0\n", {}, (2, 0, 7), ()),
    "words": ("file,animal\na.png,cat\ndeeper/b.png,ant\nc.JPG,cat\n", {}, (1, 0, 1), ("ant", "cat")),
    "an index before them": (
        ",path,Class\n0,a.png,cat\n1,deeper/b.png,ant\n2,c.JPG,cat\n",
        {},
        (1, 0, 1),
        ("ant", "cat"),
    ),
    "semicolons": ("file;label;split\na.png;1;val\ndeeper/b.png;0;val\nc.JPG;1;val\n", {}, (1, 0, 1), ()),
    "columns by name": (
        "label,file,animal\n5,a.png,cat\n5,deeper/b.png,ant\n5,c.JPG,cat\n",
        {"label": "animal", "path": "file"},
        (1, 0, 1),
        ("ant", "cat"),
    ),
    "columns by place": ("5,a.png,3\n5,deeper/b.png,1\n5,c.JPG,3\n", {"label": 2}, (3, 1, 3), ()),
    "an order of classes": (
        "a.png,cat\ndeeper/b.png,ant\nc.JPG,bee\n",
        {"classes": ["cat", "bee", "ant"]},
        (0, 2, 1),
        ("cat", "bee", "ant"),
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_names_files_and_classes(name, encoding, write):
    text, options, labels, classes = LISTS[name]
    path = write(text, encoding)
    images = autoq.images(path, scale=1, **options)
    assert (images.labels, images.classes) == (labels, classes)
    pairs = ValidationSet.of(conv_net(), images)
    assert [target for _, target in pairs] == list(labels)
    seen = [int(feed["image"].mean().round(-1)) for feed, _ in pairs]
    assert seen == [40, 80, 120]
    assert [int(feed["image"].mean().round(-1)) for feed in as_inputs(conv_net(), images)] in ([40, 80, 120],)


def test_a_path_alone_is_a_list_of_images_or_a_table(write):
    path = write(LISTS["words"][0])
    with pytest.warns(UserWarning, match="does not say how to scale"):
        assert [target for _, target in ValidationSet.of(conv_net(), path)] == [1, 0, 1]
    given = {"images": str(path), "scale": 1, "classes": ["cat", "ant"]}
    assert [target for _, target in ValidationSet.of(conv_net(), given)] == [0, 1, 0]
    files = {path, *(path.parent / name for name in NAMES)}
    assert set(data_files(path)) == set(data_files(given)) == files
    # Beside features, a path is one of the texts of a table.
    write("file,width,height,label\na.png,2,4,1\n")
    assert data_files(path) == (path,)
    assert data_files(write("")) == (path,)


WRONG = {
    "missing file": ("a.png,1\nd.png,0\n", {}, DataError, r"list.csv', line 2: '.*/d.png' does not exist; paths start"),
    "no file": ("a.png,1\n,0\n", {}, DataError, r"line 2: .* does not exist"),
    "no image": ("file,label\na.mp3,1\n", {}, DataError, r"line 2: none of 'a.mp3', '1' ends as an image does"),
    "nothing": ("", {}, DataError, r"names no image"),
    "names alone": ("file,label\n", {}, DataError, r"names no image"),
    "short line": ("a.png,1\nc.JPG\n", {}, DataError, r"line 2: 1 values, but there are 2 columns"),
    "another column": (
        "file,label\na.png,1\n",
        {"label": "class"},
        ConfigError,
        r"label is 'class', but .* has no such column: its columns are 'file', 'label'\.",
    ),
    "another place": ("a.png,1\n", {"path": 2}, ConfigError, r"path is 2, .*: it has no names, so write 0 to 1\."),
    "which": (
        "file,animal,split\na.png,cat,val\n",
        {},
        ConfigError,
        r"has the columns 'file', 'animal', 'split': which is the class\? Write label='\.\.\.'",
    ),
    "half a class": ("a.png,1\nc.JPG,0.5\n", {}, DataError, r"line 2: '0\.5' is no class, since others have numbers"),
    "no number": ("a.png,1\nc.JPG,nan\n", {}, DataError, r"line 2: 'nan' is no class"),
    "below zero": ("a.png,1\nc.JPG,-1\n", {}, DataError, r"line 2: '-1' is no class.*whole number from 0\."),
    "a word": ("a.png,1\nc.JPG,cat\n", {}, DataError, r"line 2: 'cat' is no class, since others have numbers"),
    "a number": ("a.png,cat\nc.JPG,1\n", {}, DataError, r"line 2: '1' is no class, since others are names, as 'cat'"),
    "empty": ("a.png,cat\nc.JPG,\n", {}, DataError, r"line 2: '' is no class"),
    "none of the classes": (
        "a.png,cat\nc.JPG,bat\n",
        {"classes": ["cat", "ant"]},
        DataError,
        r"line 2: 'bat' is none of the 2 classes: did you mean 'cat'",
    ),
    "more than classes": ("a.png,2\n", {"classes": ["a", "b"]}, DataError, r"'2' is no class.* from 0, and below 2\."),
    "classes twice": ("a.png,2\n", {"classes": ["a", "a"]}, ConfigError, r"classes is .*: write a list of different"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_list_is_named(name, write):
    text, options, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        autoq.images(write(text), **options)


def test_columns_are_for_lists_and_classes_for_what_has_them(write, tmp_path):
    write("a.png,1\n")
    with pytest.raises(ConfigError, match=r"path is 'file', but it goes with a \.csv, and not with '.*/deeper'"):
        autoq.images(tmp_path / "deeper", path="file")
    with pytest.raises(ConfigError, match=r"classes is \('a',\), but it goes with a folder or a \.csv"):
        autoq.images([tmp_path / "a.png"], classes=["a"])
    folder = autoq.images(tmp_path, classes=["none", "deeper"])
    assert folder.labels == (None, None, 1)
    with pytest.raises(DataError, match=r"'deeper' is none of the 1 classes"):
        autoq.images(tmp_path, classes=["other"])
    one = write("a.png\nc.JPG\n")
    assert len(as_inputs(conv_net(), autoq.images(one, scale=1))) == 2
    with pytest.raises(DataError, match=r"a\.png' has no class: .* or list them with their classes in a \.csv"):
        ValidationSet.of(conv_net(), autoq.images(one, scale=1))
