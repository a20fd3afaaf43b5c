"""What may be asked of the training stage."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tutelage.core.settings import Settings

READ_BY_TASKS = {("dpo", "kto"): ("beta",), ("orpo",): ("odds_weight",),
                 ("distillation",): ("student_layers", "student_from", "temperature", "teacher_share", "teacher_top_k")}
READ_BY = {("last_layers",): ("last_layers",), ("last_layers", "lora"): ("prefix_cache",), ("qlora",): ("bits",),
           ("adapter",): ("bottleneck", "adapter_places"),
           ("lora", "qlora"): ("rank", "alpha", "dropout", "rslora", "dora", "layers", "targets")}


TOGETHER = {"task": ("sft", "pretraining", "classification"), "method": ("full", "frozen_embeddings", "last_layers", "lora")}


class Devices(Settings):
    """How many processes share a training, on how many machines, and how."""

    processes: Literal["all"] | Annotated[int, Field(ge=1)] = 1
    """Processes that train together on each machine, one for each GPU: a number, or "all" for as many as there are GPUs. Without a GPU
    they divide the processor's cores, which gains no speed."""

    sharing: Literal["auto", "ddp", "fsdp", "zero2", "zero3"] = "auto"
    """What each process holds: "ddp" the whole model, "fsdp" a part of every weight, for models that one GPU cannot hold. "auto" takes
    ddp where the memory suffices, else fsdp. "zero2" and "zero3" are DeepSpeed's ways (need `tutelage[deepspeed]`): the whole model
    and a part of gradients and optimiser, or a part of the weights too."""

    machines: int = Field(default=1, ge=1)
    """Machines that train together, with one work folder that all of them see. `tutelage make` runs on the first; on each of the others
    run `tutelage join`."""

    address: str = ""
    """With `machines`: the name or IP address by which the others reach the first machine. Left out: its host name."""

    @model_validator(mode="after")
    def _shared_by_several(self) -> Self:
        """Refuse a way to share, or an address, that nothing would look at."""
        if self.processes == 1 and self.machines == 1 and self.sharing != "auto":
            raise ValueError(f"sharing is {self.sharing!r}, but only one process trains. Raise processes, or leave sharing out.")
        if self.machines == 1 and self.address:
            raise ValueError(f"address is {self.address!r}, but only one machine trains. Raise machines, or leave address out.")
        return self


class TrainingSettings(Settings):
    """How the base model is tuned. The defaults suit a 135 M model on two cores in about seven minutes."""

    base: str = "smollm2-135m-instruct"
    """The model to tune: the name of a packaged model, a model folder, a .gguf file, or hf:owner/name or ms:owner/name of a model hub."""

    task: Literal["sft", "pretraining", "classification", "dpo", "orpo", "kto", "distillation"] = "sft"
    """What is learned: "sft" replies to prompts, "pretraining" plain texts, all of their tokens; "classification" the kind of a text;
    "dpo" and "orpo" which of two replies is better, "kto" which replies are wanted; "distillation" what the base says, by a student
    of fewer layers."""

    method: Literal["full", "frozen_embeddings", "last_layers", "lora", "adapter", "qlora"] = "lora"
    """How weights are changed. "lora" learns small additions to linear layers and leaves the base as it is; "qlora" does so while
    the base is kept in few bits (needs `tutelage[qlora]`); "adapter" adds small layers of their own, which cannot be exported;
    "full" changes all weights, "frozen_embeddings" all but those of embeddings and output layer, "last_layers" those of the last
    layers."""

    last_layers: int = Field(default=4, ge=1)
    """For "last_layers": how many layers are trained, counted from the end."""

    prefix_cache: bool = True
    """For "last_layers", and "lora" with only the last `layers`: what the frozen layers compute of a row that is seen again is kept on
    the disk in 16 bits, and not computed again. Much faster; losses change by about one in ten thousand."""

    trim: Literal["none", "vocabulary"] = "none"
    """"vocabulary" trains on a base with only the tokens that the training rows use and the commonest others: faster, and with smaller
    copies. Any text can still be written; one unlike the training rows takes more tokens. The scores compare with the whole base."""

    trim_tokens: int = Field(default=30_000, ge=0)
    """With `trim`: where the training rows use fewer tokens than this, the vocabulary's own first ones of the same characters fill up; 0
    adds none."""

    rank: int = Field(default=16, ge=1, le=256)
    """For "lora" and "qlora": width of the low-rank additions. More holds more, and costs a little more time."""

    alpha: int = Field(default=32, ge=1)
    """For "lora" and "qlora": strength of the additions, which are scaled by alpha / rank."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """For "lora" and "qlora": share of the adapter's inputs that is switched off at random while training. Above 0 the fast path is
    not taken."""

    rslora: bool = False
    """For "lora" and "qlora": scale by alpha / sqrt(rank), so that high ranks learn as fast as low ones."""

    dora: bool = False
    """For "lora" and "qlora": learn the size of each row of a weight apart from its direction. Slower; helps most at low ranks."""

    layers: Literal["all"] | Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=0)], ...] = "all"
    """For "lora" and "qlora": the layers that are added to: "all", a number for the last so many, or a list of numbers, the first
    layer being 0."""

    targets: tuple[str, ...] = ()
    """For "lora" and "qlora": names of the linear layers that are added to, such as `q_proj`; `attention` stands for those that make
    queries, keys and values, whatever the model calls them. Empty: all linear layers."""

    bits: Literal[4, 8] = 4
    """For "qlora": bits of a weight of the base while it trains."""

    bottleneck: int = Field(default=64, ge=1)
    """For "adapter": width of the added layers."""

    adapter_places: Literal["houlsby", "pfeiffer"] = "houlsby"
    """For "adapter": behind attention and feed-forward part of each layer ("houlsby"), or behind the latter only ("pfeiffer")."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Highest step size; left out, the method's own (2e-3 for LoRA, 1e-4 for full tuning). Outside the method's sane range a warning is
    given. The upper end suits short trainings."""

    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the step size falls after the warm-up: to 0 along a cosine or a line, or not at all."""

    warmup_steps: int = Field(default=5, ge=0)
    """Steps over which the step size rises to its highest value."""

    batch_rows: int = Field(default=8, ge=1)
    """Rows that one optimiser step learns from."""

    micro_batch_tokens: int = Field(default=1024, ge=1)  # a GB less than 2048 at the same speed, docs/stages/training.md
    """Tokens that are computed at once: less memory for a little speed. It does not change what is learned."""

    beta: float = Field(default=0.1, gt=0)  # Rafailov et al. 2023, appendix B, and Ethayarajh et al. 2024, section 4.2
    """For "dpo" and "kto": how strongly the model is held to its base. Higher moves it less."""

    odds_weight: float = Field(default=0.1, gt=0)  # Hong et al. 2024, section 5 and appendix: 0.1 for most models
    """For "orpo": weight of the preference beside the learning of the chosen reply (the paper's lambda)."""

    student_layers: int = Field(default=0, ge=0)
    """For "distillation": layers of the student, chosen among those of the base, its teacher. 0: half of them."""

    student_from: Literal["influence", "even"] = "influence"
    """For "distillation": which layers of the base the student begins as: "influence" those that change most of what passes through them,
    measured on training rows; "even" evenly spread, the first and the last among them."""

    temperature: float = Field(default=2.0, ge=1)  # DistilBERT's (Sanh et al. 2019)
    """For "distillation": both models' logits are divided by it, so that unlikely outcomes teach more."""

    teacher_share: float = Field(default=0.7, gt=0, le=1)  # DistilBERT weighs them 5 to 2
    """For "distillation": weight of the teacher's answers; the rest is that of the right ones."""

    teacher_top_k: int = Field(default=64, ge=1)
    """For "distillation": likeliest outcomes of the teacher that are kept for each position; all others count as one."""

    minutes: float | None = Field(default=None, gt=0)
    """How long the training may take, with loading, measurements and proof. A probe then chooses `maximum_steps`, `validate_every` and,
    for "lora" and "qlora", `layers` and `rank`, as far as these are left at their defaults; each choice is told with its reason."""

    maximum_steps: int = Field(default=70, ge=1)
    """Optimiser steps at most. Rows are seen again when they do not suffice."""

    maximum_tokens: int = Field(default=1024, ge=8)
    """Longest row, prompt and reply together. Nothing is cut unless `too_long` says so."""

    too_long: Literal["drop", "refuse", "truncate", "split"] = "drop"
    """What happens to rows over `maximum_tokens`: "drop" leaves them out; "refuse" ends the run; "truncate" cuts the middle out of the
    longest message of the user, never a reply, and of a plain text the end; "split" makes pieces of a plain text (pretraining only).
    The tokens lost are reported."""

    watch: Literal["loss", "score"] = "loss"
    """What of the validation rows decides which weights are kept and when to stop: their loss, or the share of them that is right
    (classification and preference only)."""

    validate_every: int = Field(default=20, ge=1)
    """Steps between two measurements on all validation rows. The first is before the training, the last after it."""

    patience: int = Field(default=3, ge=1)
    """Measurements in a row without enough gain after which the training stops early."""

    minimum_gain: float = Field(default=0.002, ge=0)
    """Fall of the validation loss, in nats a token (or a row), or rise of the share that is right, that counts as a gain."""

    checkpoint_every: int = Field(default=10, ge=1)
    """Steps between two checkpoints: a killed run goes on from the last one."""

    threads: int | None = Field(default=None, ge=1)
    """Processor threads; left out, all cores. Another number may change the last digits of the weights."""

    devices: Devices = Devices()
    """Several processes for one training: for the tasks sft, pretraining and classification, and the methods full, frozen_embeddings,
    last_layers and lora. What is learned is the same but for rounding."""

    seed: int = 0
    """Fixes the first weights of the adapter and the order of the rows."""

    @model_validator(mode="after")
    def _only_what_is_read(self) -> Self:
        """Refuse a setting that the method or the task would not look at, so that none is ignored in silence."""
        for kind, chosen, readers in (("method", self.method, READ_BY), ("task", self.task, READ_BY_TASKS)):
            for known, names in readers.items():
                for name in names:
                    value = getattr(self, name)
                    if chosen not in known and value != type(self).model_fields[name].default:
                        raise ValueError(f"{name} is {value!r}, but the {kind} {chosen} does not read it; {' and '.join(known)} "
                                         f"{'does' if len(known) == 1 else 'do'}. Leave {name} out, or choose another {kind}.")
        if self.trim == "none" and self.trim_tokens != type(self).model_fields["trim_tokens"].default:
            raise ValueError(f"trim_tokens is {self.trim_tokens}, but trim is 'none', which does not read it. Set trim: vocabulary, or "
                             "leave trim_tokens out.")
        if self.too_long == "split" and self.task != "pretraining":
            raise ValueError(f"too_long is 'split', but the task {self.task} learns from prompts or whole texts, whose pieces would teach "
                             "something else; only pretraining can split. Set too_long: truncate or drop, or raise maximum_tokens.")
        return self

    @model_validator(mode="after")
    def _can_be_shared(self) -> Self:
        """Refuse what several processes cannot train."""
        name, count = ("processes", self.devices.processes) if self.devices.processes != 1 else ("machines", self.devices.machines)
        if count == 1:
            return self
        for kind, chosen in (("task", self.task), ("method", self.method)):
            if chosen not in TOGETHER[kind]:
                raise ValueError(f"devices.{name} is {count}, but the {kind} {chosen} is trained by one process only; "
                                 f"{', '.join(TOGETHER[kind])} can be shared. Leave devices out, or choose another {kind}.")
        if self.minutes is not None:
            raise ValueError(f"minutes is {self.minutes:g} and devices.{name} {count}, but what several processes take is not probed. "
                             "Leave minutes out and set maximum_steps, or leave devices out.")
        return self
