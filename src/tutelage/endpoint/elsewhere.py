"""Opens a model that a service answers for: vLLM started here, or services at addresses of the recipe."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from tutelage.core.engine import Engine
from tutelage.core.errors import InputError, ServiceUnavailable
from tutelage.endpoint.settings import EndpointSettings
from tutelage.engine.pooled_engine import PooledEngine
from tutelage.engine.remote_pool import CHECK_SECONDS, Pool
from tutelage.engine.vllm_process import ServiceProcess, free_port, vllm_command
from tutelage.engine.vocabulary import Vocabulary

KEY = "ENDPOINT_API_KEY"
MERGED = "merged"
SILENT_SECONDS = 120.0
Tell = Callable[[str, dict[str, object]], None]


def served_name(name: str, model_id: str) -> str:
    """The name under which a service must list the model: an older one under the same name is not taken for it."""
    return f"{name}-{model_id}"


def model_folder(copy: Path) -> Path:
    """The folder that the copy was made of. Raises InputError where the copy's shape was changed: that model has no folder of its own."""
    others = sorted(path.parent.name for path in copy.parent.glob("*/config.json") if path.parent.name != MERGED)
    folder = copy.parent / MERGED
    if others or not (folder / "config.json").is_file():
        raise InputError(f"{copy}: was scored after its shape was changed ({', '.join(others) or 'merged/ is gone'}), so a service would "
                         "answer with another model. Leave out model.trim, model.drop_layers and their kin, or set endpoint.engine: "
                         "llama.cpp.")
    return folder


def open_elsewhere(copy: Path, name: str, settings: EndpointSettings, *, tell: Tell, check_seconds: float = CHECK_SECONDS) -> Engine:
    """The engine of what serves the model whose copy passed. Waits until a service that is started here answers.

    Raises ServiceUnavailable if no address serves the model, ExtraMissing without vLLM.
    """
    folder = model_folder(copy)
    model = served_name(name, copy.parent.name)
    if settings.urls:
        pool = _pool(settings.urls, model, settings, os.environ.get(KEY, ""), tell, check_seconds)
        if not pool.is_up:
            pool.close()
            raise _nobody(pool, folder, model)
        return _engine(pool, folder, name, settings)
    port, key = free_port(), secrets.token_hex(32)
    command = vllm_command(folder, model=model, port=port, context_length=settings.context_length, parallel=settings.parallel,
                           gpus=settings.gpus)
    return open_started(command, f"http://127.0.0.1:{port}/v1", folder, name, settings, key=key, tell=tell)


def open_started(command: Sequence[str], address: str, folder: Path, name: str, settings: EndpointSettings, *, key: str,
                 tell: Tell) -> Engine:
    """The engine of a service that this command starts and that answers at `address`, to those who have the key."""
    process = ServiceProcess(command, name=name, key=key, tell=tell)
    pool = _pool([address], served_name(name, folder.parent.name), settings, key, tell, check_seconds=1.0)
    try:
        process.wait(lambda: pool.is_up)
    except BaseException:
        process.close()
        pool.close()
        raise
    return _engine(pool, folder, name, settings, restarts=process.restarts, closed=process.close)


def _pool(addresses: Sequence[str], model: str, settings: EndpointSettings, key: str, tell: Tell, check_seconds: float) -> Pool:
    return Pool(addresses, model=model, context_length=settings.context_length, key=key, timeout=SILENT_SECONDS, tell=tell,
                check_seconds=check_seconds)


def _engine(pool: Pool, folder: Path, name: str, settings: EndpointSettings, *, restarts: Callable[[], int] = lambda: 0,
            closed: Callable[[], None] = lambda: None) -> Engine:
    return PooledEngine(pool, name=name, vocabulary=Vocabulary(folder), context_length=settings.context_length,
                        parallel=settings.parallel, restarts=restarts, closed=closed)


def _nobody(pool: Pool, folder: Path, model: str) -> ServiceUnavailable:
    """Why no address can answer, with the command that would serve what is wanted."""
    whys = " ".join(state.why for state in pool.states())
    advice = f"Serve it there: vllm serve {folder} --served-model-name {model}"
    return ServiceUnavailable(f"endpoint.urls: no address serves the model {model}. {whys} {advice}")
