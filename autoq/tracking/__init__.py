"""A search in MLflow. The only package that imports it."""

from autoq.tracking._mlflow import Figures, MlflowObserver
from autoq.tracking._open import chart_url, open_sentence

__all__ = ["Figures", "MlflowObserver", "chart_url", "open_sentence"]
