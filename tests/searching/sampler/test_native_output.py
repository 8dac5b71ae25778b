"""What a solver prints by itself does not stand among the results of a command."""

import ctypes
import os
import subprocess
import sys

import pytest

from autoq.searching.sampler._native_output import native_output_among_errors


def test_lines_of_native_code_go_to_standard_error(capfd):
    printf = ctypes.CDLL(None).printf
    os.write(1, b"before\n")
    with native_output_among_errors():
        printf(b"from C\n")
        os.write(1, b"unbuffered\n")
    with pytest.raises(ValueError, match="kept"), native_output_among_errors():
        raise ValueError("kept")
    os.write(1, b"after\n")
    said = capfd.readouterr()
    assert said.out == "before\nafter\n"
    assert sorted(said.err.split("\n")) == ["", "from C", "unbuffered"]


def test_a_process_without_standard_output_solves_too():
    code = (
        "import os; os.close(1)\n"
        "from autoq.searching.sampler._native_output import native_output_among_errors\n"
        "with native_output_among_errors(): os.write(2, b'solved')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=True)
    assert done.stderr == b"solved"
