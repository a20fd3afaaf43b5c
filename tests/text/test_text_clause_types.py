"""Typing: each of the 42 types by its heading in both languages, by its own words, and none where there is a doubt."""

import pytest

from tutelage.core.language import catalogue
from tutelage.core.records import Language
from tutelage.text.clause_types import CLAUSE_TYPES, heading_types, opening_type, told_types, type_of

ENGLISH: dict[str, tuple[str, str]] = {
    "acceptance": ("Acceptance", "You accept these terms when you open the box."),
    "amendment": ("Amendment", "A change of this contract needs the signatures of both parties."),
    "assignment": ("Assignment", "The Buyer transfers its rights only to a bank."),
    "attribution": ("Attribution", "Each copy names the Author and keeps this notice."),
    "audit": ("Audit Rights", "An accountant may inspect the ledgers once a year."),
    "breach": ("Breach", "A party in default answers for the damage."),
    "confidentiality": ("Confidentiality", "The recipes stay secret among the cooks."),
    "contributions": ("Contributions", "What a member submits to the project belongs to all."),
    "copyright": ("Copyright", "The copyright of the maps lies with the surveyor."),
    "data_protection": ("Privacy", "The shop stores the addresses and other personal data of guests for a month."),
    "definitions": ("Definitions", "Words in capitals mean what this list says."),
    "delivery": ("Delivery", "The mill ships the flour on Mondays."),
    "disclaimer_of_warranty": ("Disclaimer", "The lender gives no guarantee that the tools are fit for the work."),
    "dispute_resolution": ("Arbitration", "Three wise persons arbitrate each quarrel in Riverton."),
    "entire_agreement": ("Entire Agreement", "Nothing that was said before this agreement counts."),
    "export_control": ("Export", "The goods leave the country only with a permit for export."),
    "fees_payment": ("Payment", "The guest pays on arrival."),
    "force_majeure": ("Force Majeure", "Floods and strikes excuse a delay."),
    "government_use": ("Government Users", "Agencies of the government have the rights of any other user."),
    "governing_law": ("Governing Law", "The laws of Riverton apply."),
    "indemnification": ("Indemnification", "The Tenant defends the Landlord against the claims of visitors."),
    "independent_contractors": ("Independent Contractors", "Neither party is the agent of the other."),
    "insurance": ("Insurance", "The Carrier insures the cargo against fire."),
    "intellectual_property": ("Ownership", "The drawings stay the property of the studio."),
    "license_grant": ("License Grant", "The Author permits the School to print the songs."),
    "limitation_of_liability": ("Limitation of Liability", "Damages do not exceed the price."),
    "non_compete": ("Non-Compete", "The Baker opens no shop that competes in the same street."),
    "non_solicitation": ("Non-Solicitation", "Neither party hires the staff of the other."),
    "notices": ("Notices", "Letters go to the address on the first page."),
    "patents": ("Patents", "The patent on the valve is not touched."),
    "redistribution": ("Redistribution", "Copies go to anyone who asks."),
    "restrictions": ("Restrictions", "The model is not for weapons."),
    "severability": ("Severability", "If one sentence is void, the others stand."),
    "source_code": ("Source Code", "The source comes with each program."),
    "support_maintenance": ("Support", "The Vendor assists by telephone on weekdays."),
    "survival": ("Survival", "Sections 4 and 7 survive the end of this contract."),
    "term": ("Term", "It lasts for one year from the effective date."),
    "termination": ("Termination", "Each party may cancel by letter."),
    "third_party_software": ("Third Party Software", "Components of other makers have terms of their own."),
    "trademarks": ("Trademarks", "The logo stays with the maker."),
    "waiver": ("Waiver", "A failure to act gives nothing up."),
    "warranty": ("Warranty", "The goods are free of defects for a year."),
}
CHINESE: dict[str, tuple[str, str]] = {
    "acceptance": ("合同生效", "本合同经双方签字后生效。"),
    "amendment": ("合同变更", "变更须采用书面形式。"),
    "assignment": ("权利转让", "买方只能向银行转让债权。"),
    "attribution": ("署名", "每份副本均须注明作者。"),
    "audit": ("审计", "会计师每年可以查阅一次账簿。"),
    "breach": ("违约责任", "违约的一方赔偿损失。"),
    "confidentiality": ("保密", "配方属于秘密，厨师不得泄露。"),
    "contributions": ("贡献", "成员提交的内容归全体所有。"),
    "copyright": ("著作权", "地图的著作权归测绘人。"),
    "data_protection": ("个人信息保护", "旅店仅保存一个月的个人信息。"),
    "definitions": ("定义", "下列名词的含义见本表。"),
    "delivery": ("交货", "面粉厂每周一发货。"),
    "disclaimer_of_warranty": ("免责声明", "出借人不保证工具适用。"),
    "dispute_resolution": ("争议解决", "发生争议时，双方先行协商。"),
    "entire_agreement": ("完整协议", "本文件取代此前的全部约定。"),
    "export_control": ("出口管制", "货物出口须经批准。"),
    "fees_payment": ("付款方式", "客人到店时付款。"),
    "force_majeure": ("不可抗力", "洪水属于不可抗力。"),
    "government_use": ("政府使用", "政府部门与其他用户权利相同。"),
    "governing_law": ("适用法律", "双方选择河镇的法律。"),
    "indemnification": ("损失赔偿", "承租人补偿出租人的损失。"),
    "independent_contractors": ("双方关系", "任何一方都不是另一方的代理人。"),
    "insurance": ("保险", "承运人为货物投保火险。"),
    "intellectual_property": ("知识产权", "图纸归工作室所有。"),
    "license_grant": ("授权", "作者许可学校印制歌曲。"),
    "limitation_of_liability": ("责任限制", "赔偿以价款为限。"),
    "non_compete": ("竞业限制", "面包师不在同一条街从事竞争业务。"),
    "non_solicitation": ("禁止招揽", "任何一方不聘用对方的员工。"),
    "notices": ("通知", "信函寄往首页所列地址。"),
    "patents": ("专利", "阀门的专利不受影响。"),
    "redistribution": ("再分发", "任何人可以分发。"),
    "restrictions": ("使用限制", "模型不得用于武器。"),
    "severability": ("可分割性", "一句无效，其他各句仍然成立。"),
    "source_code": ("源代码", "程序附有源代码。"),
    "support_maintenance": ("售后维护", "卖方在工作日提供电话支持。"),
    "survival": ("继续有效", "第四条在合同结束后有效。"),
    "term": ("合同期限", "期限一年。"),
    "termination": ("合同终止", "双方可以书面终止合同。"),
    "third_party_software": ("第三方组件", "第三方组件另有约定。"),
    "trademarks": ("商标", "商标归制造人。"),
    "waiver": ("弃权", "未行使权利不等于放弃。"),
    "warranty": ("质量", "货物符合约定的标准。"),
}


def test_there_are_42_types_and_the_cases_cover_all_of_them() -> None:
    assert len(CLAUSE_TYPES) == 42
    assert set(ENGLISH) == set(CHINESE) == set(CLAUSE_TYPES)


@pytest.mark.parametrize(("key", "case"), ENGLISH.items())
def test_an_english_heading_with_a_text_on_its_theme_gives_the_type(key: str, case: tuple[str, str]) -> None:
    assert type_of(*case, "en") == key
    assert type_of(case[0].upper(), case[1].upper(), "en") == key


@pytest.mark.parametrize(("key", "case"), CHINESE.items())
def test_a_chinese_heading_with_a_text_on_its_theme_gives_the_type(key: str, case: tuple[str, str]) -> None:
    assert type_of(*case, "zh") == key


@pytest.mark.parametrize(("text", "language", "expected"), [
    ("This agreement is governed by the laws of Riverton.", "en", "governing_law"),
    ("No waiver of one breach is a waiver of the next.", "en", "waiver"),
    ("If any provision of this lease is unenforceable, the rest of it stands.", "en", "severability"),
    ("THE MAPS ARE PROVIDED \"AS IS\".", "en", "disclaimer_of_warranty"),
    ("You may not export the device to a country under embargo.", "en", "export_control"),
    ("You may not assign this agreement to anyone.", "en", "assignment"),
    ("因本合同引起的争议，双方应当提交仲裁委员会仲裁。", "zh", "dispute_resolution"),
    ("逾期付款的，每日支付违约金。", "zh", "breach"),
    ("因不可抗力不能履行合同的，免除责任。", "zh", "force_majeure"),
])
def test_a_text_without_a_heading_is_typed_by_the_phrase_that_opens_it(text: str, language: Language, expected: str) -> None:
    assert type_of("", text, language) == expected


@pytest.mark.parametrize(("heading", "text", "language"), [
    ("", "The parties met in Riverton on a sunny day.", "en"),
    ("Weather", "It rains in Riverton in spring.", "en"),
    ("Termination", "The parties met in Riverton on a sunny day.", "en"),
    ("Termination and Renewal of Insurance", "The parties met in Riverton on a sunny day.", "en"),
    ("", "双方在河镇见面，天气晴朗。", "zh"),
    ("终止", "双方在河镇见面，天气晴朗。", "zh"),
    ("", "", "en"),
])
def test_a_text_that_says_nothing_of_a_type_has_none_even_under_its_heading(heading: str, text: str, language: Language) -> None:
    assert type_of(heading, text, language) is None


def test_a_heading_of_several_types_lets_the_text_decide() -> None:
    heading = "Governing Law and Assignment"
    assert set(heading_types(heading, "en")) >= {"governing_law", "assignment"}
    assert type_of(heading, "Neither party may assign this agreement.", "en") == "assignment"
    assert type_of(heading, "This agreement is governed by the laws of Riverton.", "en") == "governing_law"
    assert type_of(heading, "The law says who may assign what.", "en") is None


def test_a_text_that_says_what_a_word_means_is_a_definition_whatever_its_heading() -> None:
    assert type_of("Termination", "\"Goods\" means the flour that the mill has terminated.", "en") == "definitions"
    assert type_of("终止", "“货物”是指面粉厂终止供应的面粉。", "zh") == "definitions"


def test_a_phrase_late_in_a_text_without_a_heading_is_an_aside() -> None:
    grant = "the Author hereby grants a licence to print the songs."
    lead = "At the end of the long summer, when the last of the visitors have gone home and the chairs are carried in, "
    assert type_of("", lead + grant, "en") == "license_grant"
    late = lead + "and when the keeper of the house has locked the doors and put out the lights, "
    assert len(late) > 160
    assert told_types(late + grant, "en") == ["license_grant"]
    assert opening_type(late + grant, "en") is None
    assert type_of("", late + grant, "en") is None
    assert type_of("Licence Grant", late + grant, "en") == "license_grant"


def test_each_type_has_a_name_of_its_own_in_both_languages() -> None:
    assert CLAUSE_TYPES["governing_law"].en == "Governing law"
    assert CLAUSE_TYPES["governing_law"].zh == catalogue()["text.clause_type.governing_law"]["zh"]
    for names in ({kind.en for kind in CLAUSE_TYPES.values()}, {kind.zh for kind in CLAUSE_TYPES.values()}):
        assert len(names) == 42
