"""What is printed while MLflow is asked to print nothing."""

import sys
import threading
import warnings

from autoq.stores import StoreWarning
from autoq.tracking._store import quiet


def test_only_what_the_asking_thread_prints_is_lost(capsys):
    def other():
        sys.stderr.write("of another thread\n")

    with quiet():
        sys.stderr.write("of MLflow\n")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    sys.stderr.write("afterwards\n")
    assert capsys.readouterr().err == "of another thread\nafterwards\n"


def test_warnings_about_a_store_are_printed(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_, **__: sys.stderr.write(f"{message}\n")
        with quiet():
            warnings.warn("waiting for the store", StoreWarning, stacklevel=1)
            warnings.warn("some advice", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "waiting for the store\n"
