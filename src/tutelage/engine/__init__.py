"""Engines that answer: torch, GGUF (llama.cpp) and replay; and where base models come from."""

__all__ = ["bases", "gguf_engine", "replay_engine", "reply", "torch_base", "torch_engine", "vocabulary"]
