"""A form of a text for comparison only: the same clause with other names, figures and script has the same form.

Compatibility characters are folded (NFKC), traditional Chinese becomes simplified, and each amount of money, date, percentage,
other number and name of a party becomes one placeholder of its kind. Rules are few and the same everywhere; they need not
understand a text, for both sides of a comparison are treated alike. Never train on it, never show it as the text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from tutelage.text.script import to_simplified

# Stands for a number until it is known of which kind it is. All repetitions are bounded or possessive: no text takes long.
_N = "\x01"
_DIGITS = r"(?:(?<!\d)\d++(?:[,.]\d++){0,8}+|(?<!_)__++)"

_WORD_EN = (r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
            r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|[mb]illion)\b")
# "thirty", "one hundred and five", "1,000.50", "30th", "1.5 million", a blank to be filled in, and "thirty (30)" as one number.
_NUMBER_EN = (rf"\b{_WORD_EN}(?:[ -](?:and )?{_WORD_EN}){{0,12}}+(?: \( ?{_DIGITS} ?\))?|"
              rf"{_DIGITS}(?:(?:st|nd|rd|th)\b| (?:hundred|thousand|[mb]illion)\b)?")
_MONTH = (r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|"
          r"dec(?:ember)?)\.?")
_CURRENCY_EN = r"(?:u\.?s\.? )?(?:dollars?|euros?|pounds?(?: sterling)?|usd|eur|gbp|cny|rmb|yuan|renminbi|yen|cents?)\b"
_ROLES_EN = (
    "licensor licensee company customer client provider supplier vendor contractor subcontractor consultant employer employee "
    "buyer seller purchaser lessor lessee landlord tenant borrower lender guarantor distributor franchisor franchisee manufacturer "
    "reseller agent principal owner operator recipient discloser partner assignor assignee sponsor developer publisher "
    "transferor transferee")
_FORMS_EN = r"(?i:inc|incorporated|llc|l\.l\.c|llp|lp|ltd|limited|corp|corporation|co|plc|gmbh|ag|s\.a|sa|n\.v|b\.v|pty)"
_TWO_WORDS_EN = r"(?:Disclosing|Receiving|DISCLOSING|RECEIVING|Service|SERVICE) (?:Party|PARTY|Provider|PROVIDER)|Party [A-Z]"

_NUMBER_ZH = rf"(?:{_DIGITS}|[零〇一二三四五六七八九十百千万亿两壹贰叁肆伍陆柒捌玖拾佰仟]{{1,24}}+){{1,4}}+"
_COINS_ZH = "(?:美元|欧元|港元|日元|元|圆)[整正]?"
_ROLES_ZH = ("[甲乙丙丁戊买卖供需]方|被?(?:许可|授权|委托|特许)[方人]|受托[方人]|[出承]租[方人]|[出受转]让[方人]|[发承]包[方人]|"
             "(?:[借贷]款|出借|保证|担保|抵押|出质|出卖|买受|定作|承揽|托运|承运|寄存|保管)人|债[权务]人|用人单位|劳动者|披露方|接收方|"
             "供应商|采购方|服务方|[委受]托单位|投资方|目标公司|加盟商|经销商|代理商|生产商|制造商")
_COMPANY_ZH = "(?:有限责任公司|股份有限公司|有限公司|集团公司|律师事务所|会计师事务所|合伙企业)"


class _Kind(NamedTuple):
    """What to look for, and what to put in its place."""

    pattern: re.Pattern[str]
    placeholder: str


# Placeholders are words in English and single characters in Chinese, as shingles are made of these.
_PARTY_EN = _Kind(re.compile(rf"\b(?:(?:[A-Z][\w&'’-]*+\.?,? ){{1,5}}{_FORMS_EN}\b\.?|"
                             r"(?:[Tt]he |THE )?(?=[A-Z])"
                             rf"(?:{'|'.join(_ROLES_EN.title().split())}|{'|'.join(_ROLES_EN.upper().split())}|{_TWO_WORDS_EN})\b)"),
                  "party")
_PARTY_ZH = _Kind(re.compile(rf"[^\W_由与和向对为是在的给及或]{{2,14}}{_COMPANY_ZH}|{_ROLES_ZH}"), "方")
_ENGLISH = (
    _Kind(re.compile(_NUMBER_EN), _N),
    _Kind(re.compile(rf"(?:\bthe )?{_N}(?: day)?(?: of)? {_MONTH},? {_N}|{_MONTH} {_N},? {_N}|"
                     rf"{_N}([-/.]){_N}\1{_N}"), "date"),
    _Kind(re.compile(rf"{_N} ?(?:%|per ?cent\b|basis points?\b)(?: ?\( ?{_N} ?% ?\))?"), "percent"),
    _Kind(re.compile(rf"(?:(?:\b(?:us|hk|c|a))?[$€£¥]|\b(?:usd|eur|gbp|cny|rmb)) ?{_N}|"
                     rf"{_N} {_CURRENCY_EN}(?: ?\((?:us)?[$€£¥]? ?{_N}\))?"), "amount"),
    _Kind(re.compile(_N), "number"),
)
_CHINESE = (
    _Kind(re.compile(_NUMBER_ZH), _N),
    _Kind(re.compile(rf"{_N}年{_N}月(?:{_N}[日号])?|{_N}-{_N}-{_N}"), "期"),
    _Kind(re.compile(rf"{_N}分之{_N}|{_N}[%‰]"), "率"),
    _Kind(re.compile(rf"(?:人民币|美元|港币|[¥$€£]|rmb|cny|usd)(?:\(?大写\)?:?)?{_N}(?:{_COINS_ZH})?|{_N}{_COINS_ZH}"), "金"),
    _Kind(re.compile(_N), "数"),
)
_SPACES = re.compile(rf"[\s{_N}]+")


def comparable(text: str, language: str) -> str:
    """The form of the text for comparison. `language` is "en", "zh" or "other" (which is treated as English).

    >>> comparable("The Licensee shall pay US$5,000 within thirty (30) days.", "en")
    'party shall pay amount within number days.'
    >>> comparable("乙方應於三十日內向甲方支付人民幣伍仟元整。", "zh")
    '方应于数日内向方支付金。'
    """
    folded = to_simplified(unicodedata.normalize("NFKC", text))
    space, party, kinds = ("", _PARTY_ZH, _CHINESE) if language == "zh" else (" ", _PARTY_EN, _ENGLISH)
    folded = party.pattern.sub(party.placeholder, _SPACES.sub(space, folded).strip()).lower()
    for kind in kinds:
        folded = kind.pattern.sub(kind.placeholder, folded)
    return folded
