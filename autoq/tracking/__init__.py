"""A search in MLflow. The only package that imports it."""

from autoq.tracking._caller import active_run_id
from autoq.tracking._mlflow import Figures, MlflowObserver
from autoq.tracking._open import chart_url, open_sentence
from autoq.tracking._sure import opens_surely

__all__ = ["Figures", "MlflowObserver", "active_run_id", "chart_url", "open_sentence", "opens_surely"]
