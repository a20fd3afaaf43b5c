"""The web room: pages for drafting and review, the clause API and the OpenAI-compatible API. `app.create_app` puts them together."""

__all__ = ["app", "site"]
