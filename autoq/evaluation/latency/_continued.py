"""A prompt of a decoder, and the tokens that follow it one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoq.calibration import Feed
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS


@dataclass(frozen=True, slots=True)
class Continued:
    """A sample of which only what follows the prompt is timed.

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
