"""A base's own chat template must frame turns as the format does by which it is trained."""

import pytest
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder

TURN = "<|im_start|>{{ m.role }}\\n{{ m.content }}<|im_end|>\\n"
FINE = "{% for m in messages %}" + TURN + "{% endfor %}"


def with_template(folder, template):
    make_tiny_model(folder)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def test_a_template_that_agrees_and_one_that_only_adds_words_pass(tmp_path):
    for name, template in (("fine", FINE), ("words", FINE.replace("{{ m.role }}", "{{ m.role }} (today: {{ messages | length }})"))):
        made = as_folder(find_base(str(with_template(tmp_path / name, template))), tmp_path / "cache" / name)
        assert (made / "chat.json").is_file()


@pytest.mark.parametrize("template", ["<|endoftext|>" + FINE, FINE.replace("<|im_end|>", "<|endoftext|>")])
def test_a_template_with_other_special_tokens_than_chat_json_is_refused_and_leaves_nothing(tmp_path, template):
    base = find_base(str(with_template(tmp_path / "mine", template)))
    assert base.chat_format == CHATML
    with pytest.raises(InputError, match=r"mine: its chat template frames a conversation by <\|.*, the chat format 'chatml' by "
                                         r"<\|im_start\|> <\|im_end\|> .*Correct chat\.json, or delete the template"):
        as_folder(base, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_template_that_cannot_be_rendered_is_refused(tmp_path):
    base = find_base(str(with_template(tmp_path / "mine", "<|im_start|>{{ raise_exception('no') }}")))
    with pytest.raises(InputError, match=r"mine: its chat template cannot be rendered \(no\), so it is not known whether it agrees"):
        as_folder(base, tmp_path / "cache")


def test_an_adapter_is_no_base(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"adapter: is an adapter, which is no model without the base .*Give the folder merged/"):
        find_base(str(tmp_path / "adapter"))
