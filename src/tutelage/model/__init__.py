"""The model stage: adapter and base become one model, and a copy for llama.cpp that is proven to be the same model."""

__all__ = ["make", "settings"]
