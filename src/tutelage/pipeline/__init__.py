"""The pipeline: a recipe becomes artifacts, stage by stage."""

__all__ = ["checks", "conduct", "recipe", "runs", "stages"]
