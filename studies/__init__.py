"""Studies made with the library: the paper's figures, organisms, side effects, plans."""

from studies.simulation import SimulatedModel, random_model
from studies.stored import load_calibration, load_study

__all__ = ["SimulatedModel", "load_calibration", "load_study", "random_model"]
