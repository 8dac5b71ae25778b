"""Files: they are written whole, and read with their version and digest."""

from autoq.core.files._digest import digest_of
from autoq.core.files._names import file_name
from autoq.core.files._paths import made_folder, path_in_url, path_of
from autoq.core.files._shown_path import shown_path
from autoq.core.files._stored import (
    Format,
    read_arrays,
    read_npy,
    read_npz,
    read_record,
    stamped,
    unstamped,
    write_arrays,
    write_record,
)
from autoq.core.files._temporary import sweep_temporary, temporary_folder
from autoq.core.files._typed_yaml import parse_fields, read_yaml, yaml_value
from autoq.core.files._writing import (
    drafted,
    drafted_folder,
    drafted_once,
    drafted_together,
    removed,
    sweep,
    write_text,
)

__all__ = [
    "Format",
    "digest_of",
    "drafted",
    "drafted_folder",
    "drafted_once",
    "drafted_together",
    "file_name",
    "made_folder",
    "parse_fields",
    "path_in_url",
    "path_of",
    "read_arrays",
    "read_npy",
    "read_npz",
    "read_record",
    "read_yaml",
    "removed",
    "shown_path",
    "stamped",
    "sweep",
    "sweep_temporary",
    "temporary_folder",
    "unstamped",
    "write_arrays",
    "write_record",
    "write_text",
    "yaml_value",
]
