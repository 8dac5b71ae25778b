"""Objects on their way to another process: a user's objects by value, models as unnamed files of OpenVINO's format."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import cloudpickle
import openvino as ov

from autoq.core import AutoqError, ModelError, named_reason, reason, temporary_folder
from autoq.evaluation.isolation._channel import Message
from autoq.graph import core


@contextmanager
def packed(value: Any) -> Iterator[tuple[Message, Sequence[int]]]:  # anything that can be pickled
    """An object as a message.

    Functions and classes that no module holds (of `__main__`, of a notebook, lambdas) cross by value. A model crosses
    as two files that are unlinked as soon as they are written: nothing is left behind, however a process ends.

    Args:
        value: The object; models may stand anywhere in it.

    Yields:
        Bytes, and descriptors of the files that belong to them; the files are open until the end of the context.

    Raises:
        PicklingError: The object cannot be pickled.
        ModelError: A model cannot be written.
    """
    with ExitStack() as stack:
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, stack)
        _dump(pickler, value)
        yield buffer.getbuffer(), pickler.files


def check_packed(value: Any) -> None:  # anything
    """Checks that an object can be packed. Its bytes are not kept, and no model is written.

    Raises:
        PicklingError: The object cannot be pickled.
    """
    _dump(_Checker(_Nowhere()), value)


def _dump(pickler: cloudpickle.Pickler, value: Any) -> None:
    try:
        pickler.dump(value)
    except AutoqError:
        raise
    except Exception as error:
        msg = named_reason(error)
        raise pickle.PicklingError(msg) from error


def unpacked(message: Message, files: Sequence[int]) -> Any:  # what was packed
    """Reads the object of a message, and closes its files.

    Raises:
        Exception: Importing its modules or making the object failed; errors of any type are passed on.
    """
    try:
        return _Unpickler(io.BytesIO(message), files).load()
    finally:
        for file in files:
            os.close(file)


def files_of_modules() -> dict[str, str]:
    """Files of the modules of this process, by name of the module.

    No import path may lead to such a file.
    """
    specs = {name: getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if "." not in name}
    return {name: spec.origin for name, spec in specs.items() if spec and spec.origin and spec.origin.endswith(".py")}


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:  # whatever has bytes
        return memoryview(data).nbytes


class _Shapes(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """A pickler that knows the shapes of OpenVINO."""

    def reducer_override(self, obj: Any) -> Any:  # any object
        if isinstance(obj, ov.PartialShape):
            return ov.PartialShape, (str(obj),)
        return super().reducer_override(obj)


class _Checker(_Shapes):
    """A pickler that takes each model as one that can be written."""

    def persistent_id(self, obj: Any) -> int | None:  # any object
        return 0 if isinstance(obj, ov.Model) else None


class _Pickler(_Shapes):
    """A pickler that keeps the files of the models that it meets."""

    def __init__(self, buffer: io.BytesIO, stack: ExitStack) -> None:
        super().__init__(buffer)
        self.files: list[int] = []
        self._stack = stack

    def persistent_id(self, obj: Any) -> tuple[int, int] | None:  # any object
        if not isinstance(obj, ov.Model):
            return None
        first = len(self.files)
        with temporary_folder() as folder:
            xml = folder / "model.xml"
            try:
                ov.serialize(obj, xml)
            except RuntimeError as error:
                msg = f"model {obj.get_friendly_name()!r} cannot be sent to another process: {reason(error)}"
                raise ModelError(msg) from error
            for path in (xml, xml.with_suffix(".bin")):
                file = os.open(path, os.O_RDONLY)
                self._stack.callback(os.close, file)
                self.files.append(file)
        return first, first + 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, files: Sequence[int]) -> None:
        super().__init__(buffer)
        self._files = files

    def persistent_load(self, pid: tuple[int, int]) -> ov.Model:
        xml, weights = (f"/proc/self/fd/{self._files[index]}" for index in pid)
        return core().read_model(xml, weights)
