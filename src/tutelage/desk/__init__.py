"""The desk: the database of people, keys, clauses, drafts and the audit chain. `desk.desk.open_desk` opens it."""

from tutelage.desk.errors import DeskBusy, DeskError
from tutelage.desk.records import AuditRow, DraftRow, DraftState, Key, User, UserRole

__all__ = ["AuditRow", "DeskBusy", "DeskError", "DraftRow", "DraftState", "Key", "User", "UserRole"]
