"""A search in MLflow. The only package that imports it."""

from autoq.tracking._mlflow import MlflowObserver, open_sentence

__all__ = ["MlflowObserver", "open_sentence"]
