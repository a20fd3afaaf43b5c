"""A run writes the labels that a crash kept from being written, before it plans the dataset."""

from pathlib import Path

from small_flow import write_flow

from tutelage.core.files import read_rows
from tutelage.core.records import ConfirmedLabel, Unlabelled
from tutelage.desk.desk import open_desk
from tutelage.pipeline.conduct import make
from tutelage.pipeline.recipe import load_recipe


def test_confirmed_labels_are_written_before_the_dataset_is_planned(tmp_path: Path) -> None:
    recipe, work = write_flow(tmp_path), tmp_path / "work"
    work.mkdir()
    desk = open_desk(f"sqlite:///{work}/desk.sqlite")
    desk.labels.fill([Unlabelled(id=f"c{number}", text="One year.", heading="", language="en", suggested="", document_id="d", source="a")
                      for number in (1, 2)], dataset="d1")
    for person, item in (("ann", "c1"), ("bo", "c1"), ("ann", "c2")):
        if desk.user(person) is None:
            desk.add_user(person, f"password of {person}", role="drafter")
        desk.labels.put(item, person=person, clause_type="term", needed=2)
    desk.close()

    def written() -> list[str]:
        return sorted(row.id for path in work.glob("labels/*/rows.jsonl") for row in read_rows(path, ConfirmedLabel))

    make(load_recipe(recipe), work, until="documents")
    assert written() == ["c1"]
    make(load_recipe(recipe, changes=["reviews.labels_needed=1"]), work, until="documents")
    assert written() == ["c1", "c2"]
