"""A prompt of a decoder, and the tokens that follow it one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.core import DecoderTime
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS, goes_on


@dataclass(frozen=True, slots=True)
class Continued:
    """A sample whose further tokens are timed, and the prompt apart from them.

    Attributes:
        prompt: Inputs of a stateful decoder.
    """

    prompt: Feed

    def step(self, number: int) -> Feed:
        """Inputs for one further token: the last one of the prompt again.

        Args:
            number: Number of tokens between it and the prompt.
        """
        mask, positions = self.prompt[ATTENTION_MASK], self.prompt[POSITION_IDS]
        return {
            INPUT_IDS: self.prompt[INPUT_IDS][:, -1:],
            ATTENTION_MASK: np.pad(mask, ((0, 0), (0, number + 1)), constant_values=1),
            POSITION_IDS: positions[:, -1:] + number + 1,
            BEAM_INDEX: np.arange(len(mask), dtype=self.prompt[BEAM_INDEX].dtype),
        }


def timed_part(sample: Feed, asked: DecoderTime, *models: ov.Model) -> Feed | Continued:
    """What is timed of a sample: the tokens that follow it, if that is asked for and all models are stateful decoders.

    Args:
        sample: Inputs of the models.
        asked: What is to be timed of decoders.
        models: The models that are compared.
    """
    return Continued(sample) if asked is DecoderTime.TOKENS and all(map(goes_on, models)) else sample
