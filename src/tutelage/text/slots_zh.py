"""Slots of Chinese contract text: patterns and small tables of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from tutelage.text.numerals import Number, in_chinese, numbers, read_number
from tutelage.text.slots_kinds import Slot, Taken, Unit, any_of, begins_line, chosen, measures, slot, word_list

CURRENCIES = {name: code for code, names in {
    "CNY": "人民币 RMB CNY ¥", "USD": "US$ USD $ 美元 美金", "HKD": "HK$ HKD 港元 港币", "EUR": "€ EUR 欧元", "GBP": "£ GBP 英镑",
    "JPY": "JPY 日元 日圆",
    "SGD": "SGD 新加坡元 新加坡币", "AUD": "澳元 澳大利亚元", "CAD": "加元 加拿大元", "CHF": "CHF 瑞士法郎", "TWD": "新台币",
    "MOP": "澳门元", "KRW": "韩元",
}.items() for name in names.split()}
_NAMES = "|".join(re.escape(name) for name in sorted(CURRENCIES, key=len, reverse=True))
BEFORE = re.compile(rf"(?P<stem>(?:(?P<sign>{_NAMES})\s?[:：]?\s?){{1,2}})$")
COIN = re.compile(rf"\s?(?P<name>{_NAMES})(?:整|正)?|\s?(?P<yuan>元|圆)(?!素|件|旦|月|宵)(?:整|正)?(?:人民币)?|(?P<jiao>角)(?!度|色"
                  rf"|落)(?:整|正)?"
                  rf"|(?P<fen>分)(?!之|钟|期|别|公|支|包|项|立|局|部|类|批|摊|配|割|歧|账|红|店|行|析|为|段|级|数|制)(?:整|正)?")
OF_PARTS = re.compile(r"(?P<base>百|千|万)分之\s?$")
SHARE = re.compile(r"\s?(?P<sign>%|‰)|\s?(?P<points>个百分点)|\s?(?P<basis>个基点)")
TIME = re.compile(
    r"\s?(?:(?P<business>个?(?:法定|银行|连续)?(?:工作日|营业日|交易日|工作天))|(?P<day>个?(?:连续)?(?:自然日|日历日|日历天|自然天|日"
    r"|天)(?!历|元|圆))(?P<day_half>半)?"
    r"|(?P<year>周年|个?(?:完整|会计|合同|自然|日历|财务|公历)?年(?![级代龄检报纪]|度)|个(?:完整|会计|合同|自然|日历"
    r"|财务)?年度)(?P<year_half>半)?"
    r"|(?P<week>个?(?:整)?(?:周|星期|礼拜)(?![岁年边转知围]))|(?P<quarter>个(?:自然|日历|完整)?季度?)"
    r"|(?P<month>个(?P<before_half>半)?(?:自然|日历|公历|整|完整|连续)?月)(?P<month_half>半)?|(?P<hour>个?(?:连续|工作)?(?:小时"
    r"|钟头))(?P<hour_half>半)?"
    r"|(?P<minute>分钟))")
TIMES: dict[str, tuple[str, int]] = {"business": ("D business", 1), "day": ("D", 1), "week": ("D", 7), "month": ("M", 1),
                                     "quarter": ("M", 3),
                                     "year": ("M", 12),
                                    "hour": ("H", 1), "minute": ("MIN", 1)}
RATE = re.compile(r"每$|每(?:逾期|迟延|延误|延迟|拖延|延期|超期|超过|迟|晚|推迟|逾)(?:支付|交付|付款|交货)?$")  # per day: a rate, no period
HALF_TIME = re.compile(r"(?<![\d一二两三四五六七八九十百多大过个])半(?:(?P<year>年)(?!度|报)|(?P<month>个月)|(?P<hour>个?小时)"
                       r"|(?P<day>个?工作日|日|天))")
JOINT = re.compile(r"\s?(?:至|到|-|—|–|~|～|或)\s?")
REPEATED = re.compile(r"\s?[(]\s?(?:(?:人民币)?(?:大写|小写|即|计|含税|共计)(?:金额|人民币)?[为是:：]?\s?)?")

_NUM = r"[\d一二三四五六七八九十百千零〇○两]{1,7}"
_YEAR = r"(?P<year>\d{4}|[一二三四五六七八九零〇○壹贰叁肆伍陆柒捌玖]{4})"
_MONTH = r"(?P<month>\d{1,2}|[一二三四五六七八九十壹贰叁肆伍陆柒捌玖拾]{1,3})"
_DAY = r"(?P<day>\d{1,2}|[一二三四五六七八九十廿壹贰叁肆伍陆柒捌玖拾]{1,4})"
DATES = tuple(re.compile(pattern) for pattern in (
    rf"(?<!\d){_YEAR}\s?年\s?{_MONTH}\s?月(?:\s?{_DAY}\s?[日号](?!线|楼|门))?",
    rf"(?<![\d个第]){_MONTH}\s?月\s?(?:的第?)?{_DAY}\s?[日号](?!线|楼|门)",
    rf"(?<![\d第]){_YEAR}\s?年(?!\d)(?:度)?",
    r"(?<![\d.vV/-])(?<!版本)(?<!版)(?P<year>(?:19|20)\d{2})(?P<gap>[-/.])(?P<month>\d{1,2})(?P=gap)(?P<day>\d{1,2})(?![\d/-]|\.\d)",
    rf"(?:每一?个?(?:自然)?|每?季度?末|次|当|同|该|本|下个?|上个?|逐)月(?:份)?(?:的)?(?:第)?\s?{_DAY}\s?[日号](?!线|楼|门)",
    rf"每年(?:的)?\s?{_MONTH}\s?月(?:份)?(?!\s?[\d一二三四五六七八九十])",
    rf"(?<![\d个第]){_MONTH}\s?月份",
))

_ITEM = rf"[(]?{_NUM}[)]?"
_ORDINAL = r"[\d一二三四五六七八九十百千零〇○两]"
ARTICLE = re.compile(
    rf"(?P<this>本[条款]|前[条款]"
    rf"|上[条款])?第\s?[(]?(?P<first>{_ORDINAL}{{1,7}}(?:\.\d{{1,3}}){{0,3}})[)]?\s?(?P<unit>[编章节条款项目])(?!目|的公司)"
    rf"(?P<rest>(?:之[一二三四五])?(?:\s?第\s?{_ITEM}\s?[节条款项目](?!目|的公司)){{0,4}})"
    rf"|(?<![\d.第、])(?P<bare>\d{{1,2}}(?:\.\d{{1,2}}){{1,3}})\s?[条款项](?![\u4e00-\u9fff]?目)")
BEFORE_LIST = re.compile(rf"第\s?(?P<number>{_ORDINAL}{{1,5}}(?:\.\d{{1,3}}){{0,3}})\s?(?:、|和|及|至|或|-|—"
                         rf"|~)\s?(?=第?\s?[(]?(?:{_ORDINAL}{{1,5}}(?:\.\d{{1,3}}){{0,3}})[)]?\s?[、和及至或条款章项-])")
NEXT_IN_LIST = re.compile(rf"\s?(?:、|和|及|至|或|-|—"
                          rf"|~)?\s?(?P<number>{_ORDINAL}{{1,5}}(?:\.\d{{1,3}}){{0,3}})\s?(?P<unit>[章条款项])?(?!目)")
THIS = re.compile(r"(?<![一二三四五六七八九十\d])(?:本条(?!款|例|件|线|约(?!定))(?!\s?第)|本款(?![项式额物])(?!\s?第)|前(?:两|二"
                  r"|三)?款(?!\s?第)|前(?:两|二|三)?条(?!件|\s?第)"
                  r"|上款(?!\s?第)|前项(?!目)|前(?:两|二|三)项(?!目))")
ANNEX = re.compile(r"(?P<name>附件|附录|附表|附图|补充协议)\s?(?P<number>[\d一二三四五六七八九十]{1,3}(?:-\d{1,2})?"
                   r"|[A-Z](?![A-Za-z]))(?!\s?[份个页套年月日张)）.])")
ANNEX_MORE = re.compile(r"\s?(?:、|和|及|至|或|与)\s?(?P<number>[\d一二三四五六七八九十]{1,3}"
                        r"|[A-Z](?![A-Za-z]))(?![\d份个页套年月日天元%万方]|\.\d)")
HEAD = re.compile(r"[ \u3000\t]*(?:$|[\n:：【])|[ \u3000\t]+(?![第\d])")
GOES_ON = re.compile(r"[约规所的第款中和与及至、或]")

SAME_ROLE = {"任何一方": "一方", "任一方": "一方", "双方当事人": "双方", "甲乙双方": "双方", "买卖双方": "双方",
             "守约一方": "守约方", "违约一方": "违约方"}
NOT_ROLE = re.compile(r"一方式|对方法律|对方式|各方式|作者权|双方向")
_PLACE = ("北京|上海|天津|重庆|深圳|广州|杭州|南京|苏州|成都|武汉|西安|青岛|宁波|厦门|长沙|郑州|合肥|济南|无锡|东莞|佛山|大连|沈阳"
          "|福州|昆明|香港|澳门")
_BODY = r"[\u4e00-\u9fffA-Za-z0-9()·]"
COMPANY = re.compile(rf"(?:{_BODY}){{2,24}}?(?:股份有限公司|有限责任公司|有限公司|集团公司|合伙企业(?:[(](?:有限|普通)合伙[)])?"
                     rf"|律师事务所|会计师事务所|分公司)")
NO_NAME = re.compile("(?:股份|责任|一般|外资|合资)?(?:有限责任公司|股份有限公司|有限公司|集团公司|合伙企业|分公司)")
LEAD = re.compile(rf".*(?:{_PLACE})(?=.{{2,}})|.*?(?:[与和由向给经将系及或是即以对委托授权包括称]|(?<!华)为|甲方|乙方|丙方|买方|卖方"
                  rf"|名称)(?=.{{4,}}公司|.{{3,}}事务所|.{{3,}}企业)")

_NAME = r"[“\"「『【](?P<term>[^“”\"「」『』【】\n]{1,24})[”\"」』】]"
TERMS = tuple(re.compile(pattern) for pattern in (
    r"(?:简称|合称|统称|并称|称为|称作|称)(?:为|作|之为)?\s?:?" + _NAME + r"(?:或[“\"](?P<other>[^“”\"\n]{1,24})[”\"])?",
    _NAME + r"(?:一词|一语)?\s?[,，]?\s?(?:在本(?:合同|协议)中)?(?:是指|系指|意指|指的是|的含义|具有|应指|均指|指(?!定|示|令|导|明|出"
            r"|数)|(?<![,，]\s)(?<![,，])包括)",
    r"[(](?:以?下[简合统]?称|简称|[“\"])?[,，]?(?<=[(])" + _NAME + r"[)]",
))
NO_POLARITY = (
    r"不同(?!意|时)"
    r"|(?:包括|且|但)不限于"
    r"|应付(?=款|账|帐|利|而|未|价|租|金|费|的|货|总)"
    r"|(?:根据|视|因|实际|业务|工作|经营|生产|的)需要"
    r"|有权(?:机关|机构|部门|属|限|益|威|利)"
    r"|禁止(?:令|性)"
    r"|[解删清扣消排免拆去根剔铲废开卸切剪驱]除")
POLARITY = (
    r"(?P<没有>没有)|(?P<无权>无权)|(?P<无需>无需|无须|毋须|毋需|不必|不须|不需要?|无必要)|(?P<不得>不得)|(?P<不应当>不应(?:当(?![场日天月年])|该)?)"
    r"|(?P<不可以>不可以?)|(?P<不能>不能)"
    r"|(?P<禁止>禁止|严禁|不准|不许|切勿|请勿|勿)|(?P<有权>有权)|(?P<必须>必须|务必|须)|(?P<应当>应当(?![场日天月年])|应该|应)|(?P<需>需要?)"
    r"|(?P<可以>可以|可)"
    r"|(?P<除非>除非)|(?P<除>除外|除)|(?P<未>未)|(?P<不>不)|(?P<无>无)|(?P<非>非)")



def found_in(text: str) -> list[Slot]:
    """All slots of a Chinese text, kind by kind."""
    taken = Taken(len(text))
    dated = chosen(_dates(text))
    taken.take(dated)
    referred = [each for each in chosen(_references(text)) if taken.is_free(each.start, each.end)]
    taken.take(referred)
    spare = [number for number in numbers(text, "zh") if taken.is_free(number.start, number.end)]
    measured = measures(text, spare, _unit, joint=JOINT, repeated=REPEATED)
    taken.take(measured)
    timed = [each for each in _half_times(text) if taken.is_free(each.start, each.end)]
    said = [each for each in _polarity(text) if taken.is_free(each.start, each.end)]
    return [*dated, *referred, *measured, *timed, *chosen(_parties(text)), *chosen(_terms(text)), *said]


def _unit(text: str, number: Number) -> Unit | None:
    """What a number counts."""
    begin, one = number.start, Decimal(1)
    near = text[max(0, begin - 10):begin]
    if parts := OF_PARTS.search(near):
        factor = {"百": one, "千": Decimal("0.1"), "万": Decimal("0.01")}[parts["base"]]
        return Unit("percentage", "%", factor, begin - len(near) + parts.start(), number.end)
    coin = COIN.match(text, number.end)
    if before := BEFORE.search(near):
        name = CURRENCIES[before["sign"]] if "人民币" not in before["stem"] else "CNY"
        if coin and coin["name"] and coin["name"] != "人民币":
            name = CURRENCIES[coin["name"]]
        if not re.match(r"\s?[年月日天个份]", text[number.end:number.end + 2]):
            factor = _coin_factor(coin)
            return Unit("amount", name, factor, begin - len(near) + before.start(), coin.end() if coin else number.end)
    if coin and not (coin["fen"] and not _after_coin(text, begin)) and not (coin["jiao"] and text[begin - 1:begin] not in ("元", "圆", "")):
        return Unit("amount", CURRENCIES[coin["name"]] if coin["name"] else "CNY", _coin_factor(coin), begin, coin.end())
    if share := SHARE.match(text, number.end):
        factor = Decimal("0.1") if share["sign"] == "‰" else Decimal("0.01") if share["basis"] else one
        return Unit("percentage", "%", factor, begin, share.end())
    return _time(text, number)


def _after_coin(text: str, begin: int) -> bool:
    return text[begin - 1:begin] in ("元", "圆", "角", "零") and begin > 0


def _coin_factor(coin: re.Match[str] | None) -> Decimal:
    return Decimal("0.01") if coin and coin["fen"] else Decimal("0.1") if coin and coin["jiao"] else Decimal(1)


def _time(text: str, number: Number) -> Unit | None:
    time = TIME.match(text, number.end)
    if not time:
        return None
    kind = next(name for name in TIMES if time.groupdict().get(name))
    begin = number.start
    before = text[max(0, begin - 5):begin]
    if before.endswith("第"):
        if kind not in ("day", "business"):
            return None
        begin -= 1
    if number.value == 1 and RATE.search(before):
        return None
    if kind == "year" and 1900 <= number.value <= 2100 and len(number.words) == 4:
        return None
    name, factor = TIMES[kind]
    half = any(time.groupdict().get(f"{part}_half") for part in ("day", "year", "month", "hour", "before"))
    if half:
        return Unit("period", name, (number.value + Decimal("0.5")) * factor / number.value, begin, time.end())
    return Unit("period", name, Decimal(factor), begin, time.end())


def _half_times(text: str) -> Iterator[Slot]:
    for match in HALF_TIME.finditer(text):
        value = "P6M" if match["year"] else "P0.5M" if match["month"] else "PT0.5H" if match["hour"] else "P0.5D"
        yield slot("period", value + (" business" if match["day"] and "工作" in match["day"] else ""), text, match.span())


def _dates(text: str) -> Iterator[Slot]:
    for pattern in DATES:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            year, month, day = (_whole(groups.get(part)) for part in ("year", "month", "day"))
            if (month or 1) > 12 or (day or 1) > 31 or month == 0 or day == 0 or (year is not None and not 1900 <= year <= 2100):
                continue
            yield slot("date", _date(year, month, day), text, match.span())


def _whole(words: str | None) -> int | None:
    if not words:
        return None
    if re.fullmatch("[壹贰叁肆伍陆柒捌玖]{4}", words):
        return int("".join(str("零壹贰叁肆伍陆柒捌玖".index(letter)) for letter in words))
    number = read_number(words.replace("廿", "二十"), "zh")
    return int(number) if number is not None else 99


def _date(year: int | None, month: int | None, day: int | None) -> str:
    if month is None:
        return f"---{day:02d}" if day else str(year)
    start = f"{year}-{month:02d}" if year else f"--{month:02d}"
    return f"{start}-{day:02d}" if day else start


def _references(text: str) -> Iterator[Slot]:
    """Articles and annexes by number, each of a list by itself; the number of an article's own heading refers to nothing."""
    for match in ARTICLE.finditer(text):
        if match["bare"]:
            yield slot("reference", f"第{match['bare']}{match[0][-1]}", text, match.span())
        elif not _is_heading(text, match):
            yield slot("reference", _article(match), text, match.span())
    for match in BEFORE_LIST.finditer(text):
        end, found = match.end(), [(match["number"], match.start(), match.end("number"))]
        while (after := NEXT_IN_LIST.match(text, end)) and len(found) < 20:
            end = after.end()
            if after["unit"]:
                for number, start, finish in found:
                    yield slot("reference", f"第{_numeral(number)}{after['unit']}", text, (start, finish))
                if len(found) > 1 or text[match.end():match.end() + 1] != "第":
                    yield slot("reference", f"第{_numeral(after['number'])}{after['unit']}", text, (after.start("number"), after.end()))
                break
            found.append((after["number"], after.start("number"), after.end("number")))
    for match in THIS.finditer(text):
        yield slot("reference", match[0], text, match.span())
    for match in ANNEX.finditer(text):
        if begins_line(text, match.start()) and HEAD.match(text, match.end()):
            continue
        yield slot("reference", match["name"] + _numeral(match["number"]), text, match.span())
        end = match.end()
        while more := ANNEX_MORE.match(text, end):
            yield slot("reference", match["name"] + _numeral(more["number"]), text, more.span("number"))
            end = more.end()


def _is_heading(text: str, match: re.Match[str]) -> bool:
    if match["this"] or match["rest"] or not begins_line(text, match.start()):
        return False
    return match["unit"] in "编章节条" and bool(HEAD.match(text, match.end()) or not GOES_ON.match(text, match.end()))


def _article(match: re.Match[str]) -> str:
    value = f"{match['this'] or ''}第{_numeral(match['first'])}{match['unit']}"
    rest = match["rest"]
    if rest.startswith("之"):
        value += rest[:2]
    for number, unit in re.findall(rf"第\s?[(]?({_ORDINAL}{{1,7}})[)]?\s?([节条款项目])", rest):
        value += f"第{_numeral(number)}{unit}"
    return value


def _numeral(number: str) -> str:
    """A number of an article in Chinese numerals; 3.2, 2-1 and letters stay."""
    value = read_number(number, "zh") if not re.search(r"[.A-Z-]", number) else None
    return in_chinese(int(value)) if value is not None else number


def _parties(text: str) -> Iterator[Slot]:
    for match in COMPANY.finditer(text):
        start = match.start()
        while lead := LEAD.match(text, start, match.end()):
            if lead[0].endswith(tuple(_PLACE.split("|"))):
                start = lead.end() - 2
                break
            start = lead.end()
        if not NO_NAME.fullmatch(text, start, match.end()):
            yield slot("party", text[start:match.end()], text, (start, match.end()))
    for match in _roles().finditer(text):
        if not NOT_ROLE.match(text, match.end() - 2):
            yield slot("party", SAME_ROLE.get(match[0], match[0]), text, match.span())


def _terms(text: str) -> Iterator[Slot]:
    for pattern in TERMS:
        for match in pattern.finditer(text):
            yield slot("term", match["term"].strip(), text, match.span("term"))
            if match.groupdict().get("other"):
                yield slot("term", match["other"], text, match.span("other"))


@cache
def _roles() -> re.Pattern[str]:
    return re.compile("(?<!第)(?:" + any_of(word_list("roles.zh.txt")) + ")(?!面(?!的?交)|案)")


@cache
def _polar() -> re.Pattern[str]:
    return re.compile(f"(?P<none>{NO_POLARITY}|{any_of(word_list('no_polarity.zh.txt'))})|{POLARITY}")


def _polarity(text: str) -> Iterator[Slot]:
    for match in _polar().finditer(text):
        if match.lastgroup and match.lastgroup != "none":
            yield slot("polarity", match.lastgroup, text, match.span())
