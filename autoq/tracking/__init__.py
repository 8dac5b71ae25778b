"""A search in MLflow. The only package that imports it."""

from autoq.tracking._mlflow import MlflowObserver, chart_url, open_sentence

__all__ = ["MlflowObserver", "chart_url", "open_sentence"]
