"""The parts of a search, by which its wall time is told."""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """A part of a search, in the order in which parts are shown."""

    READ = "read"
    OPEN = "open"
    CALIBRATE = "calibrate"
    START = "start"
    SCORE_FLOAT = "score float"
    TIME_FLOAT = "time float"
    REFUSALS = "refusals"
    SENSITIVITIES = "sensitivities"
    PROFILES = "profiles"
    RECIPES = "recipes"
    PROPOSE = "propose"
    BUILD = "build"
    SEND = "send"
    COMPILE = "compile"
    SCORE = "score"
    TIME = "time"
    RECORD = "record"
    TRACK = "track"
    TUNE = "tune"
    CLOSE = "close"
    HELD_OUT = "held out"
    PREDICTIONS = "predictions"
    FILES = "files"
    OTHER = "other"


# The parts whose seconds each trial tells. Recording a trial ends after its record is written.
PARTS = (Part.PROPOSE, Part.BUILD, Part.SEND, Part.COMPILE, Part.SCORE, Part.TIME)
