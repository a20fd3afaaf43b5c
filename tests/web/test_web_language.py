"""The pages in English and Chinese, and the texts that they use."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

PAGES = ("/", "/drafts", "/reviews", "/labels", "/training", "/scores")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_the_language_switch_is_remembered(site, visit):
    client = visit(site, "drafter")
    assert '<html lang="en">' in client.get("/").text
    assert '<html lang="zh-CN">' in client.get("/?language=zh").text
    assert '<html lang="zh-CN">' in client.get("/drafts").text
    assert '<html lang="en">' in client.get("/drafts?language=en").text


def test_an_unknown_language_changes_nothing(site, visit):
    assert '<html lang="en">' in visit(site, "drafter").get("/?language=xx").text


def test_a_person_is_greeted_in_their_own_language(site, visit):
    site.desk.add_user("译者", "long enough password", role="drafter", language="zh")
    assert '<html lang="zh-CN">' in visit(site, "译者").get("/").text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_switch_a_title_and_one_heading(site, visit, path):
    for language, word in (("en", "Sign out"), ("zh", "退出登录")):
        page = visit(site, "drafter").get(f"{path}?language={language}").text
        assert word in page
        assert 'href="?language=en"' in page
        assert 'href="?language=zh"' in page
        assert page.count("<h1") == 1
        assert "web." not in re.sub(r"<[^>]*>", "", page)


def test_the_english_frame_of_a_page_has_no_chinese_but_the_switch_and_the_content(site, visit):
    page = visit(site, "drafter").get("/drafts?language=en").text
    assert CHINESE.findall(page) == list("中文")


def test_every_text_of_the_pages_is_used_and_every_used_one_is_there():
    texts = json.loads((files("tutelage.core") / "messages" / "web.json").read_text("utf-8"))
    room = files("tutelage.web")
    sources = [path for path in [*room.iterdir(), *(room / "templates").iterdir()] if path.name.endswith((".py", ".html"))]
    assert len(sources) >= 28
    source = "\n".join(path.read_text("utf-8") for path in sources)
    named = set(re.findall(r"[\"'](web\.[a-z_.]+[a-z])[\"']", source))
    families = tuple(re.findall(r"f\"(web\.[a-z_.]+\.)\{", source))
    assert named <= set(texts)
    assert {key for key in texts if key not in named and not key.startswith(families)} == set()
    assert len(texts) > 130


def test_templates_hold_no_script_no_style_and_no_event_handler():
    templates = list((files("tutelage.web") / "templates").iterdir())
    assert len(templates) >= 15
    for template in templates:
        html = template.read_text("utf-8")
        assert not re.search(r"<style|style=|\son[a-z]+=|javascript:|\|safe|<script(?! src)|https?://", html), template.name
