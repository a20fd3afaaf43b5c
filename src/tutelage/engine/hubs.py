"""Models of Hugging Face and ModelScope by their id: downloaded when a recipe names one, into the cache of the hub's own library."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import ExtraMissing, InputError, ServiceUnavailable

HUB_ID = re.compile(r"(?:(?P<hub>hf|ms):)?(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
HUBS = {"hf": "Hugging Face", "ms": "ModelScope"}
# What a model folder needs; the weights of older folders, which are no safetensors, only where there are none.
FILES = ("*.json", "*.safetensors", "*.jinja", "vocab.txt", "merges.txt")
OLDER = ("pytorch_model*.bin",)
NOT_FOUND = 404
INSTALL_MODELSCOPE = "pip install 'tutelage[modelscope]'"


@dataclass(frozen=True)
class HubId:
    """A model of a hub: "hf" or "ms", owner/name, and a branch, tag or commit ("" for the hub's newest)."""

    hub: str
    name: str
    revision: str

    def __str__(self) -> str:
        return f"{self.hub}:{self.name}" + (f"@{self.revision}" if self.revision else "")


def hub_id(text: str) -> HubId | None:
    """What `hf:owner/name`, `ms:owner/name` or owner/name (Hugging Face), each with an @revision or none, stands for."""
    found = HUB_ID.fullmatch(text)
    return HubId(found["hub"] or "hf", found["name"], found["revision"] or "") if found else None


def fetch(model: HubId) -> Path:
    """The folder of the model, downloaded once.

    Raises ServiceUnavailable if the hub does not answer and the model is not in its cache, InputError if the hub has no such
    model or does not give it to you, and ExtraMissing without ModelScope's library.
    """
    return _from_modelscope(model) if model.hub == "ms" else _from_hugging_face(model)


def _from_hugging_face(model: HubId) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    revision = model.revision or None
    try:
        folder = Path(snapshot_download(model.name, revision=revision, allow_patterns=list(FILES)))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(model.name, revision=revision, allow_patterns=[*FILES, *OLDER]))
    except GatedRepoError:
        raise InputError(f"base model {str(model)!r}: Hugging Face gives it only to those who accepted its terms. Accept them on its page, "
                         "put your token into the environment variable HF_TOKEN, and run again.") from None
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise InputError(f"base model {str(model)!r}: there is no such folder or file here, and Hugging Face has no such model or revision "
                         f"that you may see. {_instead()}") from None
    except (HfHubHTTPError, OSError) as error:
        raise ServiceUnavailable(_silent(model, error)) from None
    return folder


def _from_modelscope(model: HubId) -> Path:
    try:
        from modelscope.hub.errors import AuthenticationError, HubError, NotExistError, PermissionDeniedError
        from modelscope.hub.snapshot_download import snapshot_download
        from requests import HTTPError
    except ImportError:
        raise ExtraMissing(f"base model {str(model)!r}: the package modelscope is not installed. Install it with `{INSTALL_MODELSCOPE}`, "
                           "or download the model elsewhere and give its folder.") from None
    logging.getLogger("modelscope_hub").setLevel(logging.ERROR)
    revision = model.revision or None
    unknown = f"base model {str(model)!r}: there is no such folder or file here, and ModelScope has no such model or revision. {_instead()}"
    try:
        folder = Path(snapshot_download(model.name, revision=revision, allow_patterns=list(FILES)))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(model.name, revision=revision, allow_patterns=[*FILES, *OLDER]))
    except NotExistError:
        raise InputError(unknown) from None
    except (AuthenticationError, PermissionDeniedError):
        raise InputError(f"base model {str(model)!r}: ModelScope does not give it to you. Accept its terms on its page, put your token "
                         "into the environment variable MODELSCOPE_API_TOKEN, and run again.") from None
    except HTTPError as error:
        if error.response is not None and error.response.status_code == NOT_FOUND:
            raise InputError(unknown) from None
        raise ServiceUnavailable(_silent(model, error)) from None
    except (HubError, OSError) as error:
        raise ServiceUnavailable(_silent(model, error)) from None
    return folder


def _silent(model: HubId, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (f"base model {str(model)!r}: {HUBS[model.hub]} did not answer ({reason}), there is no such folder or file here, and the model "
            f"was not downloaded before. {_instead()}")


def _instead() -> str:
    return "Download the model on a machine that reaches the hub, copy its folder here, and give that folder in place of the id."
