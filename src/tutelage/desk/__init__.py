"""The desk: the database of people, keys, clauses, drafts and the audit chain. `desk.desk.open_desk` opens it."""

from tutelage.desk.errors import DeskBusy, DeskError
from tutelage.desk.records import Agreement, AuditRow, DraftRow, DraftState, Key, LabelAnswer, LabelCounts, User, UserRole

__all__ = ["Agreement", "AuditRow", "DeskBusy", "DeskError", "DraftRow", "DraftState", "Key", "LabelAnswer", "LabelCounts", "User",
           "UserRole"]
