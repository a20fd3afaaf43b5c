"""The stage `dataset`: documents and approved reviews become rows "type and keywords -> clause", split without leaks."""

__all__: list[str] = []
