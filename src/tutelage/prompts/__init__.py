"""Prompts: what is said to a model, the same in training and in serving."""

__all__ = ["clause", "instructed", "paraphrase", "preferred", "translate", "with_clause"]
