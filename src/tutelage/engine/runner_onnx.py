"""Answers with the model in this folder: python run.py "What you ask". Needs Python 3.11, numpy, onnxruntime and tokenizers."""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def main() -> None:
    """Check that the folder is whole, then write the likeliest answer to what the command line asks."""
    here, asked = Path(__file__).resolve().parent, " ".join(sys.argv[1:])
    for line in (here / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        with (here / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                sys.exit(f"{name}: is cut short or changed. Copy the whole folder again.")
    about, tokenizer = json.loads((here / "edge.json").read_text("utf-8")), Tokenizer.from_file(str(here / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # signs of the chat in what is asked are read as plain text
    words = tokenizer.encode(f"{about['lead']}{asked}{about['trail']}", add_special_tokens=False).ids
    new = ids = [*about["before"], *words, *about["after"]]
    if len(ids) + about["max_tokens"] > about["context_length"]:
        sys.exit(f"the text is too long: it takes {len(ids)} tokens of {about['context_length'] - about['max_tokens']}.")
    options, answer = onnxruntime.SessionOptions(), list[int]()
    options.intra_op_num_threads = max(1, (os.cpu_count() or 2) - 1)
    session = onnxruntime.InferenceSession(str(here / about["model"]), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs() if one.name.startswith("past.")]
    cache = dict.fromkeys(names, np.zeros((1, about["groups"], 0, about["head_size"]), np.float32))
    while len(answer) < about["max_tokens"] and about["end"] not in answer:
        given = {"input_ids": [new], "position_ids": [range(len(ids) - len(new), len(ids))], "attention_mask": [[1] * len(ids)],
                 "places": [len(new) - 1]}
        arrays = {name: np.array(value, np.int64) for name, value in given.items()} | cache
        logits, *kept = session.run(["logits", *(name.replace("past", "present") for name in names)], arrays)
        cache, scores, seen = dict(zip(names, kept, strict=True)), logits[0, 0].astype(float), ids[-about["repetition_window"]:]
        scores[seen] = np.where(scores[seen] > 0, scores[seen] / about["repetition_penalty"], scores[seen] * about["repetition_penalty"])
        new = [int(scores.argmax())]
        answer, ids = answer + new, ids + new
    sys.stdout.write(tokenizer.decode(answer) + "\n")


if __name__ == "__main__":
    main()
