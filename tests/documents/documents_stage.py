"""Texts of our own, and the stage run on a folder of them as the pipeline runs it."""

from dataclasses import dataclass
from pathlib import Path

from tutelage.core.events import Event, Events, Recorder
from tutelage.core.files import read_rows
from tutelage.core.history import Fate
from tutelage.core.records import Document
from tutelage.core.store import Artifact, Store, content_id
from tutelage.documents import make
from tutelage.documents.settings import DocumentsSettings

LEASE = ("The tenant shall pay the rent on the first day of each month. The landlord shall keep the roof and the walls in repair. "
         "Either party may end this lease by three months' notice in writing, given to the other party at its address.\n")
SUPPLY = ("The supplier delivers the goods to the warehouse of the buyer within ten days of the order. The buyer examines the goods "
          "and tells the supplier of any defect within five days, or it is deemed to have accepted them.\n")
CHINESE = ("甲方应当在收到发票之日起三十日内支付全部费用。乙方应当对在履行本合同过程中知悉的甲方商业秘密承担保密义务，"
           "保密期限为本合同终止后三年。任何一方违约的，应当赔偿对方因此遭受的全部损失，并承担相应的违约责任。\n")


@dataclass(frozen=True)
class Made:
    artifact: Artifact
    events: list[Event]

    @property
    def documents(self) -> list[Document]:
        return list(read_rows(self.artifact.file("documents.jsonl"), Document))

    @property
    def fates(self) -> list[Fate]:
        return list(self.artifact.history())

    def dropped(self) -> dict[str, Fate]:
        return {fate.name: fate for fate in self.fates if fate.what == "dropped"}


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


def make_documents(root: Path, settings: DocumentsSettings, work: Path) -> Made:
    recorder = Recorder()
    inputs = make.fingerprint(settings, root)
    artifact_id = content_id("documents", version=1, settings=settings, parents={}, inputs=inputs)
    store = Store(work)
    with store.making("documents", artifact_id, version=1, recipe="test", settings=settings, parents={}, inputs=inputs,
                      events=Events(recorder)) as making:
        make.make(making, root=root)
    artifact = store.look_up("documents", artifact_id)
    assert artifact is not None
    return Made(artifact, recorder.events)
