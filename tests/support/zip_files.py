"""Zip files for tests."""

import io
import zipfile
from collections.abc import Callable, Mapping


def zipped(members: Mapping[str, bytes | str], change: Callable[[zipfile.ZipInfo], None] = lambda info: None) -> bytes:
    """An archive with these members; `change` is done to the header of each."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, content)
    return data.getvalue()
