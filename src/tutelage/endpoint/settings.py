"""What may be asked of the endpoint."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tutelage.core.settings import Settings

LEAST_CONTEXT = 256
Address = Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$")]


class EndpointSettings(Settings):
    """How the model that passed its gate is served."""

    name: str = Field(default="tutelage-draft", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Name of the model for clients (the `model` field of a request). Letters, digits, dot, dash, underscore."""
    context_length: int = Field(default=2048, ge=LEAST_CONTEXT, le=131072)
    """Tokens of prompt and reply together; a request that does not fit is refused, never cut."""
    parallel: int = Field(default=2, ge=1, le=64)
    """Requests answered at the same time; each has its own share of memory for its context."""
    override_people: int = Field(default=1, ge=1, le=2)
    """How many different reviewers must answer for a copy whose scores decide nothing (`tutelage override`) before it is served."""
    waiting: int = Field(default=16, ge=0, le=10_000)
    """Requests that may wait for their turn; the next one is refused with 429 and a time to wait."""
    deadline: float = Field(default=600.0, gt=0, le=86_400)
    """Seconds in which a request must be answered, waiting included; later it ends with 503."""
    stored: int = Field(default=1000, ge=0, le=1_000_000)
    """Chat completions that one key may keep at a time (`store: true` in a request); 0: none. Nothing is kept unless it is asked."""
    receipts: Literal["on", "off"] = "on"
    """Whether each answer leaves a signed receipt in the desk: what answered, on what evidence, for whom; never prompt or answer."""
    threads: int | None = Field(default=None, ge=1, le=256)
    """Processor threads of the engine; left out: all cores but one, at least one."""
    memory_gb: float | None = Field(default=None, gt=0, le=4096)
    """Memory, in GB of 10^9 bytes, that served models may take together; one that does not fit is refused before it is loaded. Left out:
    80 % of what is free when the service starts."""
    stop_seconds: float = Field(default=30.0, ge=0, le=3600)
    """Seconds that answers under way may go on after the service was told to stop; then they are cut off."""
    engine: Literal["llama.cpp", "vllm"] = "llama.cpp"
    """What answers: "llama.cpp" reads the copy that passed, on this machine; "vllm" is started here for the merged model, or stands at
    `urls`."""
    urls: tuple[Address, ...] = Field(default=(), max_length=64)
    """With "vllm": addresses, each ending in /v1, of services that serve the merged model under the name NAME-MODELID (vLLM, or any with
    OpenAI's /completions that takes token ids). Requests are spread over them; left out: vLLM is started on this machine."""
    gpus: int = Field(default=1, ge=1, le=64)
    """With "vllm" and no `urls`: how many GPUs of this machine share the model."""

    @model_validator(mode="after")
    def _one_engine(self) -> EndpointSettings:
        if self.engine != "vllm" and (self.urls or self.gpus != 1):
            raise ValueError(f"names {'urls' if self.urls else 'gpus'}, which belong to another engine than {self.engine}. "
                             "Set engine: vllm, or leave them out.")
        if self.urls and self.gpus != 1:
            raise ValueError("names urls and gpus; the services at urls have their own GPUs. Leave gpus out.")
        if len(set(self.urls)) != len(self.urls):
            raise ValueError("names an address in urls twice. Leave one out.")
        return self
