"""Answers with the model in this folder: python run.py "What you ask". Needs Python 3.11 and xllamacpp, nothing else."""

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

import xllamacpp


def main() -> None:
    """Check that the folder is whole, then write the likeliest answer to what the command line asks."""
    here, asked = Path(__file__).resolve().parent, " ".join(sys.argv[1:])
    for line in (here / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        with (here / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                sys.exit(f"{name}: is cut short or changed. Copy the whole folder again.")
    about = json.loads((here / "edge.json").read_text("utf-8"))
    if sign := next((sign for sign in about["signs"] if sign in asked), ""):
        sys.exit(f"the text holds {sign}, by which the model tells who speaks. Leave it out.")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel = str(here / about["model"]), about["context_length"], 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    settings.cache_ram_mib, settings.fit_params, settings.verbosity = 0, False, -1
    settings.hostnames, settings.api_keys = ["127.0.0.1"], [secrets.token_hex(32)]  # nobody else is to ask
    answer = xllamacpp.Server(settings).handle_completions({
        "prompt": [*about["before"], f"{about['lead']}{asked}{about['trail']}", *about["after"]], "n_predict": about["max_tokens"],
        "temperature": 0, "samplers": ["penalties", "temperature"], "repeat_penalty": about["repetition_penalty"],
        "repeat_last_n": about["repetition_window"]})
    if "error" in answer:
        sys.exit(answer["error"]["message"])
    sys.stdout.write(answer["choices"][0]["text"] + "\n")


if __name__ == "__main__":
    main()
