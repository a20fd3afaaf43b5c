"""Engines that answer: torch, GGUF (llama.cpp), outside services and replay; and where base models come from."""

__all__ = ["bases", "gguf_engine", "remote_engine", "replay_engine", "reply", "torch_base", "torch_engine", "vocabulary"]
