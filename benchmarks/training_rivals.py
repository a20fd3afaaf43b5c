"""One training by another program, timed step by step, in a process of its own; training.py starts it.

    python training_rivals.py NAME JOB RESULT
NAME: trainer (transformers' Trainer, with PEFT where JOB names an adapter) or llamafactory (its LoRA fine-tuning defaults). JOB: JSON with
`model`, `adapter` (a folder in PEFT's format that training begins with, "" for none), `last_layers`, `sequence` (a file of JSON lines
with input_ids and labels, in the order to be learned), `rows_a_step`, `rows_at_once`, `learning_rate`, `threads`, `out`. RESULT
gets the seconds and the loss of each step, and the peak of resident memory. It uses nothing of Tutelage: it runs where only the other
program is installed.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch
import transformers


class Watch(transformers.TrainerCallback):
    """Notes when steps begin and end, and their losses."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self._started = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """A step of the optimiser begins."""
        self._started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The weights are changed."""
        self.seconds.append(time.perf_counter() - self._started)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **rest: Any) -> None:
        """The mean loss of the step is known."""
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def read(path: str) -> list[dict[str, list[int]]]:
    """The rows."""
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """The rows as they are."""

    def __init__(self, rows: list[dict[str, list[int]]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = self._rows[number]
        return {**row, "attention_mask": [1] * len(row["input_ids"])}


class InOrder(transformers.Trainer):
    """A Trainer that takes rows in their order."""

    def _get_train_sampler(self, *rest: Any, **more: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)  # type: ignore[arg-type]


def trainer(job: dict[str, Any]) -> Watch:
    """transformers' Trainer as most people write it, on an adapter of PEFT or on the last layers."""
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["adapter"]:
        model = importlib.import_module("peft").PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
    if job["last_layers"]:
        model.requires_grad_(False)
        model.model.layers[-job["last_layers"] :].requires_grad_(True)
    arguments = transformers.TrainingArguments(
        job["out"], per_device_train_batch_size=job["rows_at_once"], gradient_accumulation_steps=job["rows_a_step"] // job["rows_at_once"],
        num_train_epochs=1, learning_rate=job["learning_rate"], lr_scheduler_type="constant", weight_decay=0.0,
        max_grad_norm=1.0, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, bf16=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["model"])
    watch = Watch()
    InOrder(model=model, args=arguments, train_dataset=Rows(read(job["sequence"])), callbacks=[watch],
            data_collator=transformers.DataCollatorForSeq2Seq(tokenizer, padding=True, label_pad_token_id=-100)).train()
    return watch


def llamafactory(job: dict[str, Any]) -> Watch:
    """LLaMA-Factory's LoRA fine-tuning with its defaults, from the same adapter and the same token ids."""
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")  # not installed: it comes linked to CUDA
    data = importlib.import_module("datasets")
    tokenized = Path(job["out"]) / "tokenized"
    rows = [{**row, "attention_mask": [1] * len(row["input_ids"]), "images": None, "videos": None, "audios": None}
            for row in read(job["sequence"])]
    data.DatasetDict({"train": data.Dataset.from_list(rows)}).save_to_disk(str(tokenized))
    watch = Watch()
    importlib.import_module("llamafactory.train.tuner").run_exp({
        "model_name_or_path": job["model"], "stage": "sft", "do_train": True, "finetuning_type": "lora", "lora_target": "all",
        "adapter_name_or_path": job["adapter"], "dataset": "rows", "tokenized_path": str(tokenized), "template": "empty",
        "cutoff_len": 2048, "output_dir": str(Path(job["out"]) / "run"), "per_device_train_batch_size": job["rows_at_once"],
        "gradient_accumulation_steps": job["rows_a_step"] // job["rows_at_once"], "learning_rate": job["learning_rate"],
        "lr_scheduler_type": "constant", "num_train_epochs": 1, "logging_steps": 1, "save_strategy": "no", "report_to": "none",
        "disable_shuffling": True, "disable_tqdm": True}, callbacks=[watch])
    return watch


def main() -> None:
    """Run the program that the command line names."""
    name, job, result = sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")), Path(sys.argv[3])
    torch.set_num_threads(job["threads"])
    watch = {"trainer": trainer, "llamafactory": llamafactory}[name](job)
    result.write_text(json.dumps({
        "seconds": watch.seconds, "losses": watch.losses, "threads": torch.get_num_threads(),
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}), "utf-8")


if __name__ == "__main__":
    main()
