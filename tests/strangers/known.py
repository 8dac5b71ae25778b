"""What is known about strangers that do not go the way of all others, and whose doing it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """What is expected of a stranger.

    Attributes:
        unread: Words of OpenVINO's reader, which does not read the file; empty where it does.
        nothing: There is nothing to quantize: all of it came quantized.
        warned: Words of a warning that is right.
        device: OpenVINO's CPU computes what is quantized, by autoq and by the peer, otherwise than OpenVINO's
            reference does, which is right.
        peer: Words of the error with which NNCF does not quantize it, or with which what it makes does not compile.
        times_peer: Largest error beside that of the peer, where it is above what is fine.
    """

    unread: str = ""
    nothing: bool = False
    warned: str = ""
    device: bool = False
    peer: str = ""
    times_peer: float = 1.1


ORDINARY = Known()
KNOWN: Mapping[str, Known] = {
    "file_ort_operators_onnx": Known(unread="com.microsoft.QGemm"),
    "operators_on_integers_by_channel": Known(unread="QLinearConv-11"),
    "file_convolutional_integers_tflite": Known(nothing=True),
    "file_classifier_uint8_tflite": Known(nothing=True),
    "convolutions_for_two_rates": Known(
        warned="no calibration sample runs the else branch", peer="Calibration dataset must not be empty"
    ),
    "gemm_in_all_its_forms": Known(device=True, peer="list index out of range"),
    "gru_of_the_other_kind": Known(peer="expects Constant for port 3"),
    # What the loop repeats is in int8 here; the peer leaves it in float.
    "loop_as_long_as_asked": Known(times_peer=4.0),
    "matrix_on_the_left": Known(peer="cannot reshape array"),
    # Its means have 17 values a sample, of which the extremes are taken here. The mean of eight samples' extremes,
    # which the peer takes, does well by chance.
    "patches_of_an_image": Known(times_peer=1.4),
    "torch_in_bfloat16": Known(peer="could not broadcast input array"),
    "weights_that_are_computed": Known(peer="cannot reshape array"),
}


def known(name: str) -> Known:
    return KNOWN.get(name, ORDINARY)
