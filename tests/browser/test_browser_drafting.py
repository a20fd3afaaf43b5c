"""A drafter and a reviewer at work in a real browser, in both languages."""

from __future__ import annotations

import json

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web_site import DRAFT

pytestmark = pytest.mark.browser
EDITED = DRAFT.replace("三年", "五年")


def test_from_the_opening_keyword_to_the_approved_row(browser, site):
    browser.sign_in("drafter")
    assert browser.find("#keywords").get_attribute("value") == "保密期限"
    assert len(browser.all("#hits .hit")) >= 3
    browser.click("#ask button")
    browser.wait_for(lambda: 0 < len(browser.text("#draft-text")) < len(DRAFT))
    browser.picture("drafting-streaming-en")
    browser.wait_for(lambda: browser.text("#draft-text") == DRAFT)
    browser.wait_for(lambda: browser.find("#draft-use").is_displayed())
    assert browser.text("#draft-model") == "smollm2-135m-instruct\nhas passed no gate"
    browser.click("#draft-use")
    browser.wait_for(lambda: browser.all("#editor textarea"))
    browser.type("#editor textarea", EDITED)
    browser.wait_for(lambda: browser.all("#redline ins"))
    assert "三" in browser.text("#redline del")
    assert "五" in browser.text("#redline ins")
    browser.picture("editor-en")
    browser.click("#editor .primary")
    browser.wait_for(lambda: browser.path() == "/drafts")
    assert "waiting for review" in browser.text(".rows .state")
    browser.picture("drafts-en")

    browser.open("/reviews/1")
    assert not browser.all("button[value=approve]"), "the author must not see the button"
    assert "You wrote this draft" in browser.text("main")
    browser.sign_in("reviewer")
    browser.open("/reviews")
    browser.picture("reviews-en")
    browser.click(".rows a.button")
    browser.picture("review-en")
    browser.click("button[value=approve]")
    browser.wait_for(lambda: browser.all(".good-news"))
    [rows] = site.work.glob("reviews/*/rows.jsonl")
    row = json.loads(rows.read_text("utf-8"))
    assert (row["draft"], row["text"], row["author"], row["approver"]) == (DRAFT, EDITED, "drafter", "reviewer")
    assert browser.complaints() == []


def test_a_returned_draft_is_edited_again_in_chinese(browser, site):
    row = site.desk.new_draft(clause_type="confidentiality", keywords=["保密期限"], language="zh", model="library", is_gated=False,
                              draft=DRAFT, sources=["zh-confidentiality-term"], author="drafter")
    site.desk.submit_draft(row.id, author="drafter")
    browser.sign_in("reviewer")
    browser.open("/reviews/1?language=zh")
    browser.type("#comment", "请写明保密期限的起算点。")
    browser.picture("review-zh")
    browser.click("button[value=return]")
    browser.wait_for(lambda: "已退回" in browser.text("h1"))
    browser.sign_in("drafter")
    browser.open("/drafts?language=zh")
    assert "请写明保密期限的起算点。" in browser.text("main")
    browser.picture("drafts-zh")
    browser.click(".rows a.button")
    browser.type("textarea", EDITED)
    browser.wait_for(lambda: browser.all("#redline ins"))
    browser.picture("edit-draft-zh")
    browser.click(".editing .primary")
    browser.wait_for(lambda: browser.path() == "/drafts")
    assert site.desk.draft(1).text == EDITED
    assert "待审批" in browser.text(".rows .state")


def test_the_switch_shows_all_in_chinese_and_stays(browser):
    browser.sign_in("drafter")
    browser.click(".languages a[lang=zh-CN]")
    browser.wait_for(lambda: browser.text("h1") == "起草条款")
    browser.click("#ask button")
    browser.wait_for(lambda: browser.find("#draft-use").is_displayed())
    assert browser.text("#draft-use") == "采用此草稿"
    browser.picture("drafting-zh")
    browser.click("#hits .hit button")
    browser.wait_for(lambda: browser.all("#editor textarea"))
    assert "与条款库原文对照" in browser.text("#editor")
    browser.open("/reviews")
    assert browser.text("h1") == "审批"


def test_library_and_keywords_in_english(browser):
    browser.sign_in("drafter")
    browser.find("#type").send_keys("Limitation of liability")
    browser.type("#keywords", "liability cap, damages")
    browser.click("input[value=en]")
    browser.click("#ask button")
    browser.wait_for(lambda: "iability" in browser.text("#hits .hit .clause"))
    browser.type("#keywords", " , ")
    browser.click("#ask button")
    browser.wait_for(lambda: "Type one to 12 keywords" in browser.text("#hits"))


def test_stopping_stops_the_model(browser, base):
    base.reply, base.seconds = DRAFT * 20, 0.02
    browser.sign_in("drafter")
    browser.click("#ask button")
    browser.wait_for(lambda: len(browser.text("#draft-text")) > 5)
    browser.click("#draft-stop")
    browser.wait_for(lambda: browser.text("#draft-state") == "Stopped.")
    browser.wait_for(lambda: base.ended == base.begun == 1)
    assert base.tokens_made < 200


def test_everything_is_reached_with_the_keyboard_alone(browser, site):
    browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.open("/sign-in")
    browser.driver.switch_to.active_element.send_keys("drafter", Keys.TAB, "correct horse battery", Keys.ENTER)
    browser.wait_for(lambda: browser.path() == "/" and browser.all("#ask"))
    seen = []
    for _ in range(40):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = browser.driver.switch_to.active_element
        seen.append(focused.get_attribute("id") or focused.get_attribute("href") or focused.text)
        outline = focused.value_of_css_property("outline-style")
        assert outline != "none", f"{seen[-1]} shows no focus"
        if seen[-1] == "Use this clause":
            break
    ends = [place.rsplit("/", 1)[-1] for place in seen]
    assert ends[:9] == ["#content", "", "", "drafts", "reviews", "labels", "training", "scores", "?language=en"]
    focused.send_keys(Keys.ENTER)
    browser.wait_for(lambda: browser.all("#editor textarea"))
    browser.wait_for(lambda: browser.driver.switch_to.active_element.tag_name == "textarea")
    browser.driver.switch_to.active_element.send_keys(Keys.END, "x", Keys.TAB, Keys.ENTER)
    browser.wait_for(lambda: browser.path() == "/drafts")
    assert site.desk.drafts()[0].state == "submitted"


def test_text_of_a_model_is_never_markup(browser, base):
    base.reply = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    browser.sign_in("drafter")
    browser.click("#ask button")
    browser.wait_for(lambda: browser.find("#draft-use").is_displayed())
    assert browser.text("#draft-text") == base.reply
    browser.click("#draft-use")
    browser.wait_for(lambda: browser.all("#editor textarea"))
    browser.type("#editor textarea", "y" + base.reply)
    browser.wait_for(lambda: browser.all("#redline ins"))
    assert browser.driver.title != "owned"
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "#editor img, #draft img")
