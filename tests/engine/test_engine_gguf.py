"""The GGUF engine and the reading of GGUF files: damage is named, the hidden door is locked, both tokenizers agree."""

from __future__ import annotations

import random
import unicodedata
import urllib.error
import urllib.request

import pytest

from tutelage.core.errors import InputError
from tutelage.core.records import Answer, Sampling
from tutelage.engine.gguf_engine import GgufEngine, _start
from tutelage.engine.gguf_file import read_metadata
from tutelage.engine.llama_library import LlamaVocabulary
from tutelage.engine.vocabulary import Vocabulary

PIECES = ("The ", "fee", "2024", "12.5", "½", "²", "保密", "期限", "\t", "\n", "\r\n", "  ", "   ", "'s", "'S", "n't", "’s", "é", "e\u0301",
          "\u00a0", "\u3000", "\u2003", "(a)", "--", "§", "<|im_end|>", "a1b2", "ⅷ", "١٢", "😀", "👩‍👧", "\u200b", "\x00", "\x85", "\u2028",
          "кот", "한국", "\ufeff", "$1,000", " '", " \n x", "\u180e", "𝟙", "①", "\x1c", "\x0b")


def random_texts(count: int) -> list[str]:
    draw = random.Random(7)
    ranges = ((0, 0x7F), (0, 0x2FFF), (0x3000, 0x9FFF), (0xE000, 0x1FFFF))
    mixed = ["".join(draw.choice(PIECES) for _ in range(draw.randint(1, 12))) for _ in range(count // 2)]
    wild = ["".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(20)) for _ in range(count // 2)]
    # Code points without a character yet: the two programs follow different years of Unicode there.
    return mixed + ["".join(sign for sign in text if unicodedata.category(sign) not in ("Cn", "Co")) for text in wild]


def test_llama_cpp_and_tokenizer_json_spell_thousands_of_texts_alike(tiny, tiny_gguf):
    ours, theirs = Vocabulary(tiny), LlamaVocabulary(tiny_gguf)
    texts = random_texts(4000)
    assert len(texts) == 4000
    assert [text for text in texts if ours.tokenize(text) != theirs.tokenize(text)] == []
    assert [token for token in range(theirs.size) if ours.bytes_of(token) != theirs.bytes_of(token)] == []
    assert theirs.size == ours.size > 300
    theirs.close()


def test_characters_of_several_tokens_come_whole_and_with_all_their_tokens(engines):
    engine = engines["gguf"]
    words = "保密期限为三年。😀"
    ids = engine.tokenize(words)
    found = [token for chunk in (("保", 3), ("密", 3)) for token in engine._token_ids(engine.tokenize(chunk[0])[-1], chunk[0].encode())]
    assert found == engine.tokenize("保") + engine.tokenize("密")
    assert engine.detokenize(ids) == words
    answer = engine.generate([ids], Sampling(max_tokens=200, temperature=1.5, seed=5), end_ids=())[0]
    assert len(answer.token_ids) in range(197, 201)  # up to three bytes of a last character may be cut off by the limit
    assert engine.detokenize(answer.token_ids) == answer.text


def test_the_http_door_of_llama_cpp_is_locked(tiny_gguf):
    server = _start(tiny_gguf, context_length=256, parallel=1, threads=1)
    asked = urllib.request.Request(f"{server.listening_address}/v1/completions", data=b'{"prompt": "x"}')
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(asked, timeout=10)


def test_no_prompt_is_read_from_a_cache_so_that_no_key_sees_what_another_asked(engines):
    engine, prompt, sampling = engines["gguf"], [*range(3, 103)], Sampling(max_tokens=2)
    engine.generate([prompt], sampling, end_ids=())
    asked = {**engine._request(sampling, None), "prompt": prompt, "stream": False}
    for _ in range(2):
        told = engine._server.handle_completions(asked)["timings"]
        assert (told["cache_n"], told["prompt_n"]) == (0, 100)
    reused = {**asked, "cache_prompt": True, "id_slot": 0}  # what is not asked for: llama.cpp would do it
    engine._server.handle_completions(reused)
    assert engine._server.handle_completions(reused)["timings"]["cache_n"] > 0


def test_a_token_outside_the_vocabulary_is_refused_and_the_engine_goes_on(engines):
    for ask in (engines["gguf"].stream, lambda prompt, *rest, **more: engines["gguf"].generate([prompt], *rest, **more)):
        with pytest.raises(InputError, match="token id 99999 is outside the vocabulary of"):
            ask([1, 99999], Sampling(max_tokens=4), end_ids=())
    with pytest.raises(InputError, match="token id 99999 is outside the vocabulary of"):
        engines["gguf"].score([[1, 99999]], [1])
    assert isinstance(engines["gguf"].generate([[1, 77]], Sampling(max_tokens=4), end_ids=())[0], Answer)


def test_more_context_than_the_model_was_made_for_is_refused(tiny_gguf):
    with pytest.raises(InputError, match="context_length is 4096; this model was made for at most 2048"):
        GgufEngine(tiny_gguf, name="tiny", context_length=4096)


def test_scores_of_a_row_longer_than_one_batch_equal_those_of_torch(engines):
    draw = random.Random(3)
    row = [draw.randrange(3, 300) for _ in range(700)]  # llama.cpp reads 512 at once
    exact, copy = (engines[name].score([row], [500])[0] for name in ("torch", "gguf"))
    assert len(copy) == 200
    assert [score.logprob for score in copy] == pytest.approx([score.logprob for score in exact], abs=0.03)


def test_chances_are_the_scores_with_the_likeliest_tokens_best_first(engines):
    draw = random.Random(4)
    row = [draw.randrange(3, 300) for _ in range(600)]
    engine = engines["gguf"]
    found = engine.chances(row, 550, likeliest=5)
    assert [chance.logprob for chance in found] == [score.logprob for score in engine.score([row], [550])[0]]
    assert [chance.token_id for chance in found] == row[550:]
    for place, chance in enumerate(found[:3], start=550):
        assert chance.likeliest[0].token_id == engine.best_next([row[:place]])[0]
        told = [other.logprob for other in chance.likeliest]
        assert told == sorted(told, reverse=True)
        again = [engine.score([[*row[:place], other.token_id]], [place])[0][0].logprob for other in chance.likeliest]
        assert told == pytest.approx(again, abs=0.03)  # a batch of another length rounds its 16-bit keys and values differently
    assert [chance.likeliest for chance in engine.chances(row[:5], 1, likeliest=0)] == [()] * 4


def test_memory_is_the_file_and_the_keys_and_values(engines, tiny_gguf):
    # 2 (keys, values) x 2 layers x 2 heads x 16 wide x 2 bytes x 2,048 tokens x 4 places = 2,097,152
    assert engines["gguf"].memory_bytes() == tiny_gguf.stat().st_size + 2_097_152


def test_the_head_of_a_file_is_read(tiny_gguf):
    facts = read_metadata(tiny_gguf)
    assert facts["general.architecture"] == "llama"
    assert facts["llama.block_count"] == 2
    assert facts["tokenizer.ggml.pre"] == "smollm"
    assert facts["tokenizer.ggml.eos_token_id"] == 2


@pytest.mark.parametrize("keep", [10, 100, 3000, 20000, -1], ids=["magic", "facts", "vocabulary", "weights", "last-byte"])
def test_a_file_cut_short_is_named_before_anything_is_loaded(tiny_gguf, tmp_path, keep):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"cut\.gguf: .*cut short.*Copy or make it again"):
        GgufEngine(cut, name="cut")


def test_another_kind_of_file_and_no_file_are_named(tmp_path):
    page = tmp_path / "page.gguf"
    page.write_text("<html>not found</html>", encoding="utf-8")
    with pytest.raises(InputError, match="is no GGUF file: it begins with b'<htm'"):
        read_metadata(page)
    with pytest.raises(InputError, match="there is no such file; expected a GGUF model"):
        read_metadata(tmp_path / "none.gguf")


def test_vectors_are_the_mean_of_the_hidden_states_of_the_same_weights_in_torch(engines):
    texts = ["payment within thirty days", "保密期限为三年。" * 80]
    gguf, torch = engines["gguf"], engines["torch"]
    assert len(gguf.tokenize(texts[1])) > 512  # llama.cpp reads it in two parts
    found = gguf.embed(texts)
    assert (found.dtype, found.shape) == ("float32", (2, 64))
    assert found == pytest.approx(torch.embed(texts), abs=2e-3)  # the file holds its weights in 16 bits
    assert gguf.vectors([gguf.tokenize(texts[0])]) == pytest.approx(found[:1], abs=1e-6)
    assert gguf.embed([]).shape == (0, 64)
    scored = gguf.score([gguf.tokenize(texts[0])], [1])  # the scorer goes on scoring
    assert gguf.score([gguf.tokenize(texts[0])], [1]) == scored
    with pytest.raises(InputError, match="token id 999999 is outside the vocabulary"):
        gguf.vectors([[999_999]])
