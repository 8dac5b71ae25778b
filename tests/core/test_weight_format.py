"""Formats of compressed weights."""

import pytest

from autoq.core import CB4, PlanError, WeightFormat, WeightMode

# What NNCF 3.4 has: mode, bits, type of numbers, type of scales, default group size, default backup.
TABLE = [
    ("int8_asym", 8, "u8", "f16", -1, "int8_asym"),
    ("int8_sym", 8, "i8", "f16", -1, "int8_asym"),
    ("int4_asym", 4, "u4", "f16", 128, "int8_asym"),
    ("int4_sym", 4, "i4", "f16", 128, "int8_asym"),
    ("int3_sym", 3, "u3", "f16", 128, "int8_asym"),
    ("int2_sym", 2, "u2", "f16", 128, "int8_asym"),
    ("nf4", 4, "nf4", "f16", 128, "int8_asym"),
    ("fp4", 4, "f4e2m1", "f16", 128, "fp8_e4m3"),
    ("mxfp4", 4, "f4e2m1", "f8e8m0", 32, "mxfp8_e4m3"),
    ("mxfp8_e4m3", 8, "f8e4m3", "f8e8m0", 32, "mxfp8_e4m3"),
    ("fp8_e4m3", 8, "f8e4m3", "f16", 128, "fp8_e4m3"),
    ("nvfp4", 4, "f4e2m1", "f8e4m3", 16, "int8_asym"),
    ("cb4", 4, "u4", "f16", -1, "int8_asym"),
]


def test_the_table_of_modes():
    found = []
    for mode in WeightMode:
        form = WeightFormat.default(mode, (-1.0, 1.0) if mode is WeightMode.CODEBOOK else ())
        found.append((str(mode), form.bits, form.storage, form.scale_type, form.group_size, str(form.backup)))
        assert WeightFormat.from_dict(form.to_dict()) == form
    codebooks = [(name, 4, "u4", "f16", -1, "int8_asym") for name in ("codebook", "adaptive_codebook")]
    assert found == [*TABLE, *codebooks]


def test_a_learned_codebook_is_a_format_of_its_own():
    form = WeightFormat("adaptive_codebook", 32, (-1.0, 0.0, 1.0), "i8")
    learned = form.with_entries((-127.0, 3.0, 90.0))
    assert (form.is_learned, learned.is_learned, str(learned)) == (True, False, "codebook g32")
    assert learned.to_dict() == {
        "mode": "codebook",
        "group_size": 32,
        "codebook": [-127.0, 3.0, 90.0],
        "codebook_type": "i8",
    }
    assert [WeightFormat.from_dict(each.to_dict()) for each in (form, learned)] == [form, learned]


@pytest.mark.parametrize(
    ("entries", "bits", "storage"), [(16, 4, "u4"), (17, 8, "u8"), (256, 8, "u8"), (257, 16, "u16")]
)
def test_a_codebook_decides_the_bits_of_an_index(entries, bits, storage):
    form = WeightFormat(WeightMode.CODEBOOK, codebook=tuple(map(float, range(entries))))
    assert (form.bits, form.storage, form.largest) == (bits, storage, entries - 1)
    assert WeightFormat(WeightMode.CB4).codebook == CB4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("int5", 64), "weight mode 'int5' is unknown"),
        (("int4_sym", 0), "group_size is 0"),
        (("int4_sym", 2.5), "group_size is 2.5"),
        (("int8_sym", 64), "mode 'int8_sym' has one scale for each channel"),
        (("mxfp4", 64), "mode 'mxfp4' has groups of 32 only"),
        (("nvfp4", 32), "mode 'nvfp4' has groups of 16 only"),
        (("int4_sym", 64, (1.0, 2.0)), "codebook goes with mode 'codebook'"),
        (("codebook", -1), "needs 2 to 65536 finite numbers"),
        (("adaptive_codebook", -1, tuple(map(float, range(257)))), "needs 2 to 256 finite numbers"),
        (("codebook", -1, (1.0, 2.0), "f8"), "codebook type 'f8' is unknown"),
        (("int4_sym", 64, (), "f16"), "codebook_type goes with mode 'codebook'"),
        (("codebook", -1, (1.0, 1.0)), "that ascend"),
        (("codebook", -1, (1.0, float("inf"))), "finite"),
    ],
)
def test_what_is_no_format_is_refused(arguments, said):
    with pytest.raises(PlanError, match=said):
        WeightFormat(*arguments)


def test_words_of_formats_are_read_as_they_are_written():
    modes = [mode for mode in WeightMode if not mode.endswith("codebook")]
    forms = [WeightFormat.default(mode) for mode in modes]
    able = [form.mode for form in forms if not (form.has_fixed_groups or form.is_eight_bit_integer)]
    forms += [WeightFormat(mode, size) for mode in able for size in (-1, 32, 128)]
    assert [WeightFormat.parse(str(form)) for form in forms] == forms
    assert len({str(form) for form in forms}) == len(set(forms))


@pytest.mark.parametrize(
    ("word", "mode", "group_size"),
    [
        ("int8_asym", "int8_asym", -1),
        ("int4_sym", "int4_sym", 128),
        ("int4_sym g-1", "int4_sym", -1),
        (" INT4_SYM  g64 ", "int4_sym", 64),
        ("mxfp4", "mxfp4", 32),
        ("nvfp4 g16", "nvfp4", 16),
        ("cb4", "cb4", -1),
    ],
)
def test_what_words_of_formats_mean(word, mode, group_size):
    assert WeightFormat.parse(word) == WeightFormat(WeightMode.parse(mode), group_size)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("int5_sym g64", "weight mode 'int5_sym' is unknown: did you mean"),
        ("float", "weight mode 'float' is unknown"),
        ("int4_sym 64", "weight format 'int4_sym 64' is unknown"),
        ("int4_sym g1.5", "weight format 'int4_sym g1.5' is unknown"),
        ("int4_sym g0", "group_size is 0"),
        ("int4_sym g" + "9" * 5000, "is unknown"),
        ("int8_sym g64", "mode 'int8_sym' has one scale for each channel"),
        ("mxfp4 g64", "mode 'mxfp4' has groups of 32 only"),
        ("codebook", "has entries of its own"),
        ("adaptive_codebook", "has entries of its own"),
        ("", "weight format '' is unknown"),
        (64, "weight format 64 is unknown"),
        (None, "weight format None is unknown"),
    ],
)
def test_words_that_are_no_format_are_refused(word, said):
    with pytest.raises(PlanError, match=said):
        WeightFormat.parse(word)
