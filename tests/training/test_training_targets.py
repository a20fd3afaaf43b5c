"""Which layers a method works on, in each family of models; names that do not exist are refused with those that do."""

from types import SimpleNamespace
from typing import Any

import pytest
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from tutelage.core.errors import InputError
from tutelage.training.adapters import trainable
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings
from tutelage.training.targets import FAMILIES, adapter_places, layer_names, target_modules

LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1,
         "head_dim": 8, "vocab_size": 40}
BERT = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 40,
        "max_position_embeddings": 64}
GATED = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
ENCODER = ["dense", "key", "query", "value"]


def family(config: str, auto: Any, sizes: dict[str, object], linear: list[str], attention: list[str]) -> SimpleNamespace:
    return SimpleNamespace(config=config, auto=auto, sizes=sizes, linear=linear, attention=attention)


CAUSAL, LABELS = AutoModelForCausalLM, AutoModelForSequenceClassification
SHAPES = {
    "llama": family("LlamaConfig", CAUSAL, LLAMA, GATED, ["k_proj", "q_proj", "v_proj"]),
    "mistral": family("MistralConfig", CAUSAL, LLAMA, GATED, ["k_proj", "q_proj", "v_proj"]),
    "qwen2": family("Qwen2Config", CAUSAL, LLAMA, GATED, ["k_proj", "q_proj", "v_proj"]),
    "qwen3": family("Qwen3Config", CAUSAL, LLAMA, GATED, ["k_proj", "q_proj", "v_proj"]),
    "gemma3_text": family("Gemma3TextConfig", CAUSAL, LLAMA, GATED, ["k_proj", "q_proj", "v_proj"]),
    "gpt2": family("GPT2Config", CAUSAL, {"n_embd": 16, "n_layer": 3, "n_head": 2, "vocab_size": 40},
                   ["c_attn", "c_fc", "c_proj"], ["c_attn"]),
    "gpt_neox": family("GPTNeoXConfig", CAUSAL, BERT, ["dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"],
                       ["query_key_value"]),
    "biogpt": family("BioGptConfig", CAUSAL, BERT, ["fc1", "fc2", "k_proj", "out_proj", "q_proj", "v_proj"],
                     ["k_proj", "q_proj", "v_proj"]),
    "bert": family("BertConfig", LABELS, {**BERT, "num_labels": 4}, ENCODER, ["key", "query", "value"]),
    "roberta": family("RobertaConfig", LABELS, {**BERT, "num_labels": 4}, ENCODER, ["key", "query", "value"]),
    "t5": family("T5Config", AutoModelForSeq2SeqLM,
                 {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 3, "num_heads": 2, "vocab_size": 40},
                 ["k", "o", "q", "v", "wi", "wo"], ["k", "q", "v"])}
STACKS = {"t5": 2}  # encoder and decoder
ATTENTIONS = {"t5": 3}  # a layer each: its encoder's, and two of its decoder


def tiny(name: str) -> Any:
    shape = SHAPES[name]
    return shape.auto.from_config(getattr(transformers, shape.config)(**shape.sizes)).eval()


def asked(**settings: object) -> TrainingSettings:
    return TrainingSettings.model_validate(settings)


def last_parts(names: list[str]) -> list[str]:
    return sorted({name.rsplit(".", 1)[-1] for name in names})


def test_every_known_family_is_looked_at_here():
    assert set(SHAPES) == set(FAMILIES)
    assert len(SHAPES) == 11


@pytest.mark.parametrize("name", SHAPES)
def test_all_linear_layers_or_those_of_attention_are_found_by_architecture(name):
    model = tiny(name)
    assert last_parts(target_modules(model, asked())) == SHAPES[name].linear
    assert last_parts(target_modules(model, asked(targets=["attention"]))) == SHAPES[name].attention
    assert last_parts(target_modules(model, asked(targets=SHAPES[name].linear[:1]))) == SHAPES[name].linear[:1]


@pytest.mark.parametrize("name", SHAPES)
def test_lora_trains_in_the_chosen_layers_only_and_never_in_output_layers_of_the_base(name):
    model = tiny(name)
    chosen = tuple(f"base_model.model.{layer}." for layer in layer_names(model, 2, setting="layers"))
    weights = trainable(METHODS["lora"].attach(model, asked(layers=2, rank=2)))
    names = [weight for weight in weights if "lora_" in weight]
    assert all(weight.startswith(chosen) for weight in names)
    assert all(any(weight.startswith(layer) for weight in names) for layer in chosen)
    heads = {weight for weight in weights if "lora_" not in weight}
    assert all("classifier" in head for head in heads)
    assert bool(heads) == (SHAPES[name].auto is LABELS)  # an output layer that no base has is learned as well


@pytest.mark.parametrize("name", SHAPES)
def test_the_last_layers_are_those_with_the_highest_numbers(name):
    model = tiny(name)
    chosen = layer_names(model, 2, setting="last_layers")
    assert len(chosen) == 2 * STACKS.get(name, 1)
    assert {full.rsplit(".", 1)[1] for full in chosen} == {"1", "2"}
    names = set(trainable(METHODS["last_layers"].attach(model, asked(method="last_layers", last_layers=2))))
    assert all(weight.startswith((*(f"{full}." for full in chosen), "classifier.")) for weight in names)


@pytest.mark.parametrize("name", SHAPES)
def test_adapters_stand_behind_attention_and_feed_forward_part_of_each_layer(name):
    model = tiny(name)
    layers = 3 * STACKS.get(name, 1)
    assert len(adapter_places(model, after_attention=False)) == layers
    assert len(adapter_places(model, after_attention=True)) == layers + 3 * ATTENTIONS.get(name, 1)


def test_the_name_that_a_guide_gives_gpt2_is_refused_with_the_names_that_it_has():
    with pytest.raises(InputError, match=r"training\.targets: 'query_key_value' is no linear layer of this 'gpt2' model; it has c_attn, "
                                         r"c_fc, c_proj\. What makes queries, keys and values is c_attn there\. Name some of these, or "
                                         r"leave targets out for all of them\."):
        METHODS["lora"].attach(tiny("gpt2"), asked(targets=["query_key_value"]))


def test_layers_that_a_model_lacks_are_refused_with_how_many_it_has():
    with pytest.raises(InputError, match=r"training\.layers: the last 4 of the layers is asked for; this model has 3, numbered 0 to 2"):
        target_modules(tiny("llama"), asked(layers=4))
    with pytest.raises(InputError, match=r"training\.layers: number 3, 7 of the layers is asked for; this model has 3"):
        target_modules(tiny("llama"), asked(layers=[0, 3, 7]))
    with pytest.raises(InputError, match=r"training\.last_layers: the last 9 of the layers"):
        METHODS["last_layers"].attach(tiny("llama"), asked(method="last_layers", last_layers=9))


def test_adapters_in_an_unknown_family_are_refused_with_the_known_ones():
    model = tiny("llama")
    model.config.model_type = "brandnew"
    with pytest.raises(InputError, match="where adapters stand in 'brandnew' models is not known; it is for bert, biogpt, gemma3_text"):
        METHODS["adapter"].attach(model, asked(method="adapter"))


def test_qlora_on_a_model_without_linear_layers_is_refused():
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    from torch.nn import Identity, ModuleList

    model = tiny("llama")
    model.model.layers = ModuleList([Identity()])
    with pytest.raises(InputError, match="qlora needs linear layers, and this 'llama' model has none"):
        METHODS["qlora"].attach(model, asked(method="qlora"))


def test_a_model_without_layers_is_refused():
    from torch.nn import ModuleList

    model = tiny("llama")
    model.model.layers = ModuleList()
    with pytest.raises(InputError, match="the architecture 'llama' has no linear layer to tune"):
        target_modules(model, asked())
