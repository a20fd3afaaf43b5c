"""Whether llama.cpp itself takes a text under a grammar, character by character, without a model's weights."""

from __future__ import annotations

import ctypes

from tutelage.engine.llama_library import LlamaVocabulary, library


class Candidate(ctypes.Structure):
    _fields_ = (("id", ctypes.c_int32), ("logit", ctypes.c_float), ("p", ctypes.c_float))


class Candidates(ctypes.Structure):
    _fields_ = (("data", ctypes.POINTER(Candidate)), ("size", ctypes.c_size_t), ("selected", ctypes.c_int64), ("sorted", ctypes.c_bool))


class GrammarReader:
    """Reads texts with the vocabulary of a GGUF file."""

    def __init__(self, vocabulary: LlamaVocabulary, *, end: str = "<|im_end|>") -> None:
        self._vocabulary = vocabulary
        self._end = vocabulary.special(end)
        self._library = library()
        for name, result, arguments in (
                ("llama_sampler_init_grammar", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]),
                ("llama_sampler_apply", None, [ctypes.c_void_p, ctypes.POINTER(Candidates)]),
                ("llama_sampler_accept", None, [ctypes.c_void_p, ctypes.c_int32]), ("llama_sampler_free", None, [ctypes.c_void_p])):
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments

    def takes(self, grammar: str, text: str) -> bool:
        """Whether the grammar derives exactly this text."""
        return self._read(grammar, [*self._vocabulary.tokenize(text), self._end])

    def begins(self, grammar: str, text: str) -> bool:
        """Whether the grammar derives some text that begins so."""
        return self._read(grammar, self._vocabulary.tokenize(text))

    def _read(self, grammar: str, tokens: list[int]) -> bool:
        sampler = self._library.llama_sampler_init_grammar(self._vocabulary._handle, grammar.encode(), b"root")
        assert sampler, f"llama.cpp does not read this grammar:\n{grammar}"
        try:
            for token in tokens:
                one = Candidate(token, 0.0, 0.0)
                candidates = Candidates(ctypes.pointer(one), 1, -1, False)
                self._library.llama_sampler_apply(sampler, ctypes.byref(candidates))
                if one.logit == float("-inf"):
                    return False
                self._library.llama_sampler_accept(sampler, token)
            return True
        finally:
            self._library.llama_sampler_free(sampler)
