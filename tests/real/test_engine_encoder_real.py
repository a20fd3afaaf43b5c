"""The packaged encoder all-MiniLM-L6-v2: its vectors find what is alike, and it loads as a classifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from tutelage.core.chat import NO_CHAT
from tutelage.core.errors import InputError
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder, load_classifier
from tutelage.engine.vocabulary import Vocabulary

pytestmark = pytest.mark.real
TEXTS = ("The Customer pays each invoice within thirty days.", "Invoices are due thirty days after receipt.",
         "This Agreement is governed by the laws of France.")


def vector(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """The mean of the last states, of length 1, as its authors use it."""
    with torch.inference_mode():
        return torch.nn.functional.normalize(model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0), dim=0)


def test_the_packaged_encoder_is_the_published_one_and_reads(tmp_path: Path) -> None:
    base = find_base("all-minilm-l6-v2")
    assert (base.kind, base.chat_format, base.licence) == ("encoder", NO_CHAT, "Apache-2.0")
    folder = as_folder(base, tmp_path)
    vocabulary = Vocabulary(folder)
    theirs = transformers.BertTokenizer.from_pretrained(base.folder)
    assert [vocabulary.framed(text) for text in TEXTS] == [theirs(text)["input_ids"] for text in TEXTS]
    classifier = load_classifier(folder, ("payment", "law"))
    pay, due, law = (vector(classifier.bert, vocabulary.framed(text)) for text in TEXTS)
    assert float(pay @ due) > 0.7 > 0.3 > float(pay @ law)
    with pytest.raises(InputError, match="'all-minilm-l6-v2': is an encoder"):
        base.check_drafts()
