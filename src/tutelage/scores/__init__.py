"""Scores: is the tuned model better than the base, is the copy as good, and may it be served?"""

from tutelage.scores.settings import ScoresSettings

__all__ = ["ScoresSettings"]
