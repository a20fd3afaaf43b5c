"""Rules that the database itself keeps, written once and rendered as triggers for SQLite and for PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Guard:
    """Refuse `when` (INSERT, UPDATE or DELETE) on `table` if `condition` over NEW and OLD holds, saying `refusal`."""

    name: str
    table: str
    when: Literal["INSERT", "UPDATE", "DELETE"]
    condition: str
    refusal: str

    def for_sqlite(self) -> list[str]:
        """Statements that set the guard up in SQLite."""
        return [f"CREATE TRIGGER {self.name} BEFORE {self.when} ON {self.table} FOR EACH ROW WHEN {self.condition} "
                f"BEGIN SELECT RAISE(ABORT, '{self.refusal}'); END"]

    def for_postgresql(self) -> list[str]:
        """Statements that set the guard up in PostgreSQL."""
        row = "OLD" if self.when == "DELETE" else "NEW"
        return [f"CREATE FUNCTION {self.name}() RETURNS trigger AS $guard$ BEGIN IF {self.condition} THEN "
                f"RAISE EXCEPTION '{self.refusal}' USING ERRCODE = 'check_violation'; END IF; RETURN {row}; END $guard$ LANGUAGE plpgsql",
                f"CREATE TRIGGER {self.name} BEFORE {self.when} ON {self.table} FOR EACH ROW EXECUTE FUNCTION {self.name}()",
                *([f"CREATE TRIGGER {self.name}_truncate BEFORE TRUNCATE ON {self.table} FOR EACH STATEMENT EXECUTE FUNCTION {self.name}()"]
                  if self.when == "DELETE" else [])]


ALLOWED_MOVES = "".join((
    "((OLD.state = 'draft' AND NEW.state = 'submitted')",
    " OR (OLD.state = 'submitted' AND NEW.state IN ('approved', 'returned'))",
    " OR (OLD.state = 'returned' AND NEW.state IN ('draft', 'submitted')))"))
FIXED = ("id", "clause_type", "keywords", "language", "model", "is_gated", "draft", "sources", "author", "created_at")

DRAFT_PERMISSION_GUARDS = (
    Guard("drafts_permission", "drafts", "UPDATE", "NEW.permission <> OLD.permission", "desk: who may use a draft does not change"),)

FIRST_GUARDS = (
    Guard("drafts_begin", "drafts", "INSERT",
          "NEW.state <> 'draft' OR NEW.approver IS NOT NULL OR EXISTS (SELECT 1 FROM drafts WHERE id = NEW.id)",
          "desk: a draft begins anew, in state draft and without an approver"),
    Guard("drafts_final", "drafts", "UPDATE", "OLD.state = 'approved'", "desk: an approved draft is final"),
    Guard("drafts_move", "drafts", "UPDATE", f"NEW.state <> OLD.state AND NOT {ALLOWED_MOVES}",
          "desk: a draft moves from draft to submitted, then to approved or returned, and from returned back"),
    Guard("drafts_fixed", "drafts", "UPDATE", " OR ".join(f"NEW.{column} <> OLD.{column}" for column in FIXED),
          "desk: only text, state, comment and approver of a draft change"),
    Guard("drafts_read", "drafts", "UPDATE", "OLD.state = 'submitted' AND NEW.text <> OLD.text",
          "desk: the text of a submitted draft is what is being read and does not change"),
    Guard("drafts_approver", "drafts", "UPDATE",
          "NEW.state IN ('approved', 'returned') AND NOT EXISTS "
          "(SELECT 1 FROM users WHERE name = NEW.approver AND role IN ('reviewer', 'admin'))",
          "desk: only a reviewer or an admin decides"),
    Guard("drafts_stay", "drafts", "DELETE", "1 = 1", "desk: drafts are never deleted"),
    Guard("users_anew", "users", "INSERT", "EXISTS (SELECT 1 FROM users WHERE name = NEW.name OR folded = NEW.folded)",
          "desk: there is a user of that name"),
    Guard("users_name", "users", "UPDATE", "NEW.name <> OLD.name OR NEW.folded <> OLD.folded", "desk: the name of a user does not change"),
    Guard("audit_append", "audit", "INSERT",
          "NOT EXISTS (SELECT 1 FROM audit_head WHERE number = NEW.number - 1 AND hash = NEW.previous)",
          "desk: the audit chain grows at its end only"),
    Guard("audit_unchanged", "audit", "UPDATE", "1 = 1", "desk: the audit chain never changes"),
    Guard("audit_whole", "audit", "DELETE", "1 = 1", "desk: the audit chain never shrinks"),
    Guard("audit_head_forward", "audit_head", "UPDATE", "NEW.number <> OLD.number + 1", "desk: the audit chain grows by one"),
    Guard("audit_head_stays", "audit_head", "DELETE", "1 = 1", "desk: the audit chain keeps its head"),
)

ITEM_FIXED = ("id", "number", "text", "heading", "language", "document_id", "source")
ANSWERS = "(SELECT count(*) FROM labels WHERE item = NEW.id AND clause_type "  # ... = a type, or <> 'skip')
IS_CONFIRMED = "EXISTS (SELECT 1 FROM label_items WHERE id = NEW.item AND clause_type IS NOT NULL)"

LABEL_GUARDS = (
    Guard("label_items_begin", "label_items", "INSERT",
          "NEW.clause_type IS NOT NULL OR EXISTS (SELECT 1 FROM label_items WHERE id = NEW.id)",
          "desk: a clause to be labelled begins anew and without a confirmed type"),
    Guard("label_items_fixed", "label_items", "UPDATE", " OR ".join(f"NEW.{column} <> OLD.{column}" for column in ITEM_FIXED),
          "desk: the text of a clause to be labelled and its source do not change"),
    Guard("label_items_final", "label_items", "UPDATE",
          "OLD.clause_type IS NOT NULL AND (NEW.clause_type IS NULL OR NEW.clause_type <> OLD.clause_type "
          "OR NEW.confirmed_at IS NULL OR NEW.confirmed_at <> OLD.confirmed_at)",
          "desk: a confirmed type is final"),
    Guard("label_items_majority", "label_items", "UPDATE",
          f"OLD.clause_type IS NULL AND NEW.clause_type IS NOT NULL AND {ANSWERS}= NEW.clause_type) * 2 <= {ANSWERS}<> 'skip')",
          "desk: only a type that more than half of those who answered gave is confirmed"),
    Guard("label_items_stay", "label_items", "DELETE", "1 = 1", "desk: clauses to be labelled are never deleted"),
    Guard("labels_person", "labels", "INSERT", "NOT EXISTS (SELECT 1 FROM users WHERE name = NEW.person)",
          "desk: a label is given by a user"),
    Guard("labels_anew", "labels", "INSERT", "EXISTS (SELECT 1 FROM labels WHERE item = NEW.item AND person = NEW.person)",
          "desk: a person labels a clause once"),
    Guard("labels_open", "labels", "INSERT", IS_CONFIRMED, "desk: the labels of a confirmed clause are final"),
    Guard("labels_final", "labels", "UPDATE", IS_CONFIRMED, "desk: the labels of a confirmed clause are final"),
    Guard("labels_fixed", "labels", "UPDATE", "NEW.item <> OLD.item OR NEW.person <> OLD.person",
          "desk: a label stays with its clause and its person"),
    Guard("labels_independent", "labels", "UPDATE",
          "OLD.clause_type <> 'skip' AND EXISTS "
          "(SELECT 1 FROM labels WHERE item = OLD.item AND person <> OLD.person AND clause_type <> 'skip')",
          "desk: a label does not change once another person has answered"),
    Guard("labels_stay", "labels", "DELETE", "1 = 1", "desk: labels are never deleted"),
)

RECEIPT_GUARDS = (
    Guard("receipts_append", "receipts", "INSERT",
          "NOT (NEW.number = 1 AND NEW.previous = '') AND NOT EXISTS "
          "(SELECT 1 FROM receipts WHERE number = NEW.number - 1 AND hash = NEW.previous)",
          "desk: the receipts grow at their end only"),
    Guard("receipts_unchanged", "receipts", "UPDATE", "1 = 1", "desk: a receipt never changes"),
    Guard("receipts_whole", "receipts", "DELETE", "1 = 1", "desk: receipts are never deleted"),
    Guard("receipts_head_forward", "receipts_head", "UPDATE", "NEW.number <= OLD.number", "desk: the receipts only grow"),
    Guard("receipts_head_stays", "receipts_head", "DELETE", "1 = 1", "desk: the receipts keep their head"),
)
