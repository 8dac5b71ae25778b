"""What the command line says in its own words: the command that goes on, and options in place of parameters."""

from autoq.cli.words._going_on import Keeping, command_line, go_on_sentence
from autoq.cli.words._options import in_options

__all__ = ["Keeping", "command_line", "go_on_sentence", "in_options"]
