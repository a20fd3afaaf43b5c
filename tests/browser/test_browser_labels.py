"""Two people name the same clause in a real browser, with the keyboard, in both languages."""

from __future__ import annotations

import json

import pytest
from selenium.webdriver.common.keys import Keys
from web_site import put_dataset

pytestmark = pytest.mark.browser
LEASE = ("The obligations of confidence set out in this Agreement shall continue to bind each party for a period of five years after the "
         "expiry or earlier termination of this Agreement, whatever the reason for its end.")
WITNESS = "IN WITNESS WHEREOF the parties have signed."
LATE = "任何一方未按本合同约定的期限付款的，每逾期一日，应按逾期金额的万分之五向对方支付违约金；逾期超过三十日的，对方有权解除合同。"
COPIES = "本合同一式两份，双方各执一份，自双方签字盖章之日起生效。"
ENGLISH = [{"id": "c1", "text": LEASE, "heading": "9. Continuing obligations", "suggested": "confidentiality", "source": "services.docx"},
           {"id": "c2", "text": WITNESS, "heading": "", "suggested": "", "source": "services.docx"}]
CHINESE = [{"id": "z1", "text": LATE, "heading": "第八条　逾期责任", "suggested": "breach", "source": "采购合同.docx", "language": "zh"},
           {"id": "z2", "text": COPIES, "heading": "", "suggested": "", "source": "采购合同.docx", "language": "zh"}]


def visible_types(browser) -> list[str]:
    return [label.text for label in browser.all("#types label") if label.is_displayed()]


def keys(browser, *pressed: str) -> None:
    browser.driver.switch_to.active_element.send_keys(*pressed)


def test_two_people_label_a_clause_with_the_keyboard_and_agree(browser, site):
    put_dataset(site.work, "d1", ENGLISH)
    browser.sign_in("drafter")
    browser.open("/labels")
    assert browser.text("#clause") == LEASE
    assert browser.find("#types input:checked").get_attribute("value") == "confidentiality"
    assert len(visible_types(browser)) == 42
    browser.picture("labels-en")
    browser.open("/labels")
    keys(browser, "surv")  # the filter has the focus
    assert visible_types(browser) == ["Survival"]
    assert browser.find("#types input:checked").get_attribute("value") == "survival"
    keys(browser, Keys.ENTER)
    browser.wait_for(lambda: "You said: Survival. Nobody else has answered yet." in browser.text("main"))
    assert browser.text("#clause").startswith("IN WITNESS")

    browser.sign_in("reviewer")
    browser.open("/labels")
    assert browser.text("#clause") == LEASE, "a clause that somebody answered comes first"
    assert "Survival" not in browser.text("#agreement")
    keys(browser, "存续")  # the other language is searched as well
    assert visible_types(browser) == ["Survival"]
    keys(browser, Keys.ENTER)
    browser.wait_for(lambda: "So did drafter: the type is confirmed" in browser.text("#told"))
    assert "100 % the same" in browser.text("#agreement")
    browser.picture("labels-agreed-en")
    [rows] = site.work.glob("labels/*/rows.jsonl")
    row = json.loads(rows.read_text("utf-8"))
    assert (row["id"], row["clause_type"], row["people"]) == ("c1", "survival", ["drafter", "reviewer"])
    assert browser.complaints() == []


def test_people_differ_in_chinese_and_a_third_person_decides(browser, site):
    put_dataset(site.work, "d1", CHINESE)
    for name, typed in (("drafter", "违约"), ("reviewer", "付款")):
        browser.sign_in(name)
        browser.open("/labels?language=zh")
        browser.type("#filter", typed)
        browser.click("button[value=type]")
        browser.wait_for(lambda: browser.all("#told"))
    assert "意见尚不一致" in browser.text("#told")
    assert "drafter" in browser.text("#disputed")
    browser.picture("labels-differ-zh")
    browser.sign_in("second_drafter")
    browser.open("/labels?language=zh")
    assert browser.find("#types input:checked").get_attribute("value") == "breach"
    browser.picture("labels-zh")
    browser.open("/labels")
    keys(browser, Keys.ENTER)
    browser.wait_for(lambda: "已确认" in browser.text("#told"))
    browser.click("button[value=none]")
    browser.wait_for(lambda: "您已完成全部标注" in browser.text("main"))
    browser.picture("labels-done-zh")
    assert [row.clause_type for row in site.desk.labels.confirmed()] == ["breach"]
    assert browser.complaints() == []


def test_the_list_is_walked_with_arrow_keys_and_says_when_nothing_matches(browser, site):
    put_dataset(site.work, "d1", ENGLISH[1:])
    browser.sign_in("drafter")
    browser.open("/labels")
    assert not browser.find("button[value=type]").is_enabled(), "nothing is suggested and nothing chosen"
    keys(browser, Keys.ARROW_DOWN)
    first, second = visible_types(browser)[:2]
    assert browser.text("#types label:has(:checked)") == first
    keys(browser, Keys.ARROW_DOWN)
    assert browser.text("#types label:has(:checked)") == second
    keys(browser, Keys.ARROW_UP, Keys.ARROW_UP)
    assert browser.text("#types label:has(:checked)") == visible_types(browser)[-1]
    keys(browser, "no such type")
    assert visible_types(browser) == []
    assert browser.text("#filter-found") == "No type matches."
    assert not browser.find("button[value=type]").is_enabled()
    browser.picture("labels-no-match-en")
    browser.click("button[value=skip]")
    browser.wait_for(lambda: "You skipped the clause." in browser.text("#told"))
