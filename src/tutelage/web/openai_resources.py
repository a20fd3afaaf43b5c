"""The resources of OpenAI's API beside models, chats and texts, each in a file of its own."""

from __future__ import annotations

from fastapi import APIRouter

from tutelage.endpoint.meter import Meter
from tutelage.guard.moderation import MODEL_FILE, open_moderator
from tutelage.web.openai_embeddings import embedding_routes
from tutelage.web.openai_moderations import moderation_routes
from tutelage.web.openai_responses import responses_routes
from tutelage.web.openai_stored import stored_routes
from tutelage.web.site import Site
from tutelage.web.streaming import Turns


def resource_routes(site: Site, turns: Turns, meter: Meter) -> list[APIRouter]:
    """Their routes. Raises ArtifactError if there is a moderation model that cannot be read."""
    moderator = open_moderator(site.work / MODEL_FILE)
    return [embedding_routes(site, turns, meter), moderation_routes(moderator, meter), responses_routes(site, turns, meter),
            stored_routes(site)]
