"""The training stage: the dataset tunes a base model; an adapter comes out, with proof that the tune took."""

from tutelage.training.settings import TrainingSettings

__all__ = ["TrainingSettings"]
