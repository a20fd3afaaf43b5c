"""Slots of English contract text: patterns and small tables of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from tutelage.text.numerals import ORDINALS_EN, TENS_EN, Number, numbers, ordinal
from tutelage.text.slots_kinds import Slot, Taken, Unit, any_of, begins_line, chosen, measured_value, measures, slot, word_list

CURRENCIES = {"US$": "USD", "U.S.$": "USD", "U.S. $": "USD", "$": "USD", "USD": "USD", "USD$": "USD", "USD $": "USD",
              "€": "EUR", "EUR": "EUR",
              "£": "GBP", "GBP": "GBP", "¥": "CNY", "RMB": "CNY", "RMB¥": "CNY", "CNY": "CNY", "HK$": "HKD", "HKD": "HKD", "C$": "CAD",
              "CAD": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "AUD": "AUD", "S$": "SGD", "SGD": "SGD", "JPY": "JPY", "JP¥": "JPY",
              "CHF": "CHF", "INR": "INR", "₹": "INR", "NZ$": "NZD", "NZD": "NZD"}
_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
BEFORE = re.compile(rf"(?<![A-Za-z$€£¥])(?P<sign>{_SIGNS})\s?$")
COINS = (("dollars?", "USD"), ("euros?", "EUR"), ("yuan|renminbi|RMB|CNY", "CNY"), ("pounds? sterling", "GBP"),
         (r"pounds?(?!\s+(?:of|per)\b)", "GBP"), ("yen|JPY", "JPY"), ("Swiss francs?|CHF", "CHF"), ("rupees?", "INR"),
         ("USD", "USD"), ("EUR|€", "EUR"), ("GBP", "GBP"), ("HKD", "HKD"), ("CAD", "CAD"), ("AUD", "AUD"), ("SGD", "SGD"))
LANDS = (("Hong Kong", "HKD"), ("Canadian", "CAD"), ("Australian", "AUD"), ("Singapore", "SGD"), ("New Zealand", "NZD"),
         (r"US|U\.S\.|United States|American", "USD"))
COIN = re.compile(r"(?:\s+and\s+\d\d/100)?[\s-]{0,2}(?:(?P<land>" + "|".join(land for land, _ in LANDS) + r")\s+dollars?\b|(?P<coin>"
                  + "|".join(coin for coin, _ in COINS) + r")(?!\w)|(?P<cent>cents?)\b)", re.IGNORECASE)
POUNDS = re.compile(r"\bpounds?$", re.IGNORECASE)  # money only where something is paid, else a weight
PAID = re.compile(r"\b(?:pay(?:s|ment|able)?|paid|sum|amount|price|fee|rent|deposit|salary|charge|costs?|fine|loan|value|worth)\b[^.;]*$",
                  re.IGNORECASE)
SHARE = re.compile(r"\s?(?P<sign>%|‰)|[\s-]{1,2}(?P<word>percent(?:age points?)?|per\s?cent(?:um)?)\b|\s(?P<basis>basis points?"
                   r"|bps)\b", re.IGNORECASE)
TIME = re.compile(r"(?:['’]s?)?[\s-]{1,2}(?:(?:consecutive|successive|calendar|full|complete|further|additional|fiscal|contract|clear"
                  r"|whole|more|running|paid|sick|vacation)[\s-]){0,2}"
                  r"(?P<business>(?:business|working|trading|banking)[\s-])?"
                  r"(?P<unit>day|week|month|year|hour|minute|quarter)s?\b(?!\s+(?:of\s+age|old)\b|-old\b)", re.IGNORECASE)
TIMES: dict[str, tuple[str, int]] = {"day": ("D", 1), "week": ("D", 7), "month": ("M", 1), "year": ("M", 12), "quarter": ("M", 3),
                                     "hour": ("H", 1), "minute": ("MIN", 1)}
A_TIME = re.compile(r"\b(?:within|for|(?:period|term) of|than|after|every|exceeding|exceeds)\s+(?P<time>(?:an?)\s+(?:(?:single|further"
                    r"|additional|full|calendar|whole)\s+)?"
                    r"(?P<half>half[\s-])?(?P<business>(?:business|working)[\s-])?(?P<unit>day|week|month|year|hour"
                    r"|quarter)(?:'s)?)\b(?!-)", re.IGNORECASE)
HALF_TIME = re.compile(r"\b(?:half\s+an?\s+|one[\s-]half\s+|half[\s-](?=year\b))(?P<unit>day|week|month|year|hour)\b", re.IGNORECASE)
JOINT = re.compile(r"\s?(?:-|–|—)\s?|\s(?:to|or|through)\s|(?P<both>\sand\s)")
REPEATED = re.compile(r"\s*\(\s*(?:i\.e\.,?\s*|being\s+)?")

_ORD = (rf"(?:(?:{'|'.join(TENS_EN)})[\s-](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)"
       rf"|{'|'.join(sorted(ORDINALS_EN, key=len, reverse=True))})")
_TH = r"\d{1,3}(?:st|nd|rd|th)"
_NTH = rf"(?P<nth>{_TH}|{_ORD})(?:\s?\(\s?{_TH}\s?\))?"
NTH_TIME = re.compile(rf"\b{_NTH}\s+(?:consecutive\s+)?(?:(?P<business>business|working)\s+|calendar\s+)?(?P<unit>day)\s+(?:after"
                      rf"|following|from|before|prior|preceding)\b"
                      rf"|\b(?P<year>{_TH}|{_ORD})(?:\s?\(\s?{_TH}\s?\))?\s+anniversary\b", re.IGNORECASE)
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_FULL = "|".join(month.capitalize() + "|" + month.upper() for month in MONTHS)
_MONTH = rf"(?P<month>{_FULL}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_YEAR = r"(?P<year>(?:19|20)\d{2})(?!\d|,\d)"
DATES = tuple(re.compile(pattern) for pattern in (
    rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}",
    rf"(?<![\d.,])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:day\s+of\s+|of\s+)?{_MONTH},?[\s-]+{_YEAR}",
    rf"\b(?P<ord>(?i:{_ORD}))(?:\s?\(\s?{_TH}\s?\))?\s+day\s+of\s+{_MONTH}(?:,?\s+{_YEAR})?",
    r"(?<![\d./-])(?<!v)(?<!ersion )(?P<year>(?:19|20)\d{2})(?P<gap>[-/.])(?P<number>\d{1,2})(?P=gap)(?P<day>\d{1,2})(?![\d/-]"
    r"|\.\d)",
    r"(?<![\d./-])(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<year>(?:19|20)\d{2})(?![\d/-])",
    rf"\b{_MONTH}(?:,|\s+of)?\s+{_YEAR}",
    rf"\b{_MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?![,.]?\d)",
    rf"(?<![\d.,])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:day\s+of\s+|of\s+)?{_MONTH}(?!\w)",
    rf"\b(?P<ord>(?i:{_ORD}))\s+of\s+{_MONTH}(?!\w)",
    rf"\b(?:in|In|by|By|each|every|during|During|since|until|before|Before)\s+(?P<only>(?P<month>{_FULL}))\b",
    r"(?<!Act of )(?<!Code of )(?<!Law of )\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]efore|[Aa]fter|[Dd]uring|[Bb]y|[Yy]ears?|of|[Ff]or"
    r"|FY)\s+(?P<only>(?P<year>(?:19|20)\d{2}))"
    r"(?=\s*(?:[.,;:)](?!\d)|$)|\s+(?:and|or|to|shall|will|may|must|is|are|was|onwards?|the|for|by|as|season|edition|financial|budget)\b)",
))
DAY_OF_MONTH = re.compile(rf"\b{_NTH}\s+(?:(?P<business>business|working)\s+|calendar\s+)?(?:day\s+)?(?:of|in)\s+"
                          r"(?:each|every|any|that|such|(?:of\s+)?the\s+(?:following|next|relevant|subsequent|current|same|then-current"
                          r"|succeeding))\s+"
                          r"(?:(?:following|succeeding|calendar|subsequent|relevant)\s+)?month\b", re.IGNORECASE)

_ITEM = r"\([a-zA-Z0-9]{1,4}\)"
_SECTION_NUMBER = (rf"(?:\d{{1,3}}(?:\.\d{{1,3}})*[A-Z]?(?![\w%]|\.\d|,\d{{3}})(?:\s?{_ITEM})*"
                  rf"|[IVXL]{{1,6}}\b(?:\.\d{{1,3}})*(?:{_ITEM})*|{_ITEM}(?:{_ITEM})*)")
_ANNEX_NUMBER = r"(?:[A-Z]{1,2}-?\d{0,2}(?:\.\d{1,2})*\b(?!['’])|\d{1,3}(?:\.\d{1,3})*[A-Z]?\b|[IVXL]{1,6}\b)"
SECTION = re.compile(rf"(?:\b(?P<name>(?:Sub-?)?(?:sections?|clauses?|paragraphs?)|articles?|recitals?|paras?\.|sec\.|art\.|cl\.)"
                     rf"|§{{1,2}})\s?(?=[\dIVXL(])(?P<number>{_SECTION_NUMBER})", re.IGNORECASE)
ANNEX = re.compile(rf"\b(?P<name>Exhibits?|Schedules?|Appendix|Appendices|Annex(?:es)?|Attachments?|Chapters?|Parts?|Addendum"
                   rf"|Recitals?)\s+(?:No\.\s?)?(?P<number>{_ANNEX_NUMBER})"
                   rf"|\b(?P<shout>EXHIBITS?|SCHEDULES?|APPENDIX|ANNEX|ATTACHMENT|CHAPTER|PART)\s+(?P<told>{_ANNEX_NUMBER})")
ANNEXES = {"appendices": "appendix", "annexes": "annex"}
MORE = re.compile(r"\s?(?:,\s?(?:and|or)\s|,\s?|\s(?:and|or|to|through|and/or)\s|-|–|\s&\s)")
NOT_MORE = re.compile(r"[\s-]{0,2}(?:(?:business|calendar|working)\s)?(?:%|percent|per cent|days?|weeks?|months?|years?|hours?|dollars?"
                      r"|copies|units)\b", re.IGNORECASE)
THIS = re.compile(r"\b(?:this|preceding|foregoing)\s+(?P<name>sub-?section|section|article|clause|sub-?clause|paragraph|exhibit"
                  r"|schedule|appendix|annex)\b"
                  r"(?!\s+(?:\d|[IVXL]+\b|\(|[A-Z]\b))", re.IGNORECASE)
HEAD = re.compile(r"\s*(?:[.:–—-](?:\s|$)|$|\s(?:[A-Z][\w,&/-]*\s*){1,8}(?:[.:]|$))", re.MULTILINE)

NO_NOUNS = ("Shall", "May", "Must", "Will", "Not", "And", "Or")
PERSON = re.compile(r"\b(?:[Yy]ou|YOU|[Ww]e|WE|us)\b(?!['’])")
_FORM = (r"(?:Co\.,? Ltd|Pte\.? Ltd|Pty\.? Ltd|Pvt\.? Ltd|Ltd|Limited|Inc|Incorporated|LLC|L\.L\.C|LLP|L\.P|LP|PLC|plc|GmbH|AG|S\.A|SA"
         r"|S\.p\.A|B\.V|BV|N\.V"
         r"|Corp|Corporation|Company|SARL|S\.r\.l|SAS|Oy|AB|A/S)")
COMPANY = re.compile(rf"\b[A-Z][\w&'’-]*(?:\.(?=\s[A-Z]))?(?:\s(?:of|and|&|the)\s(?!The\s)[A-Z][\w&'’-]*"
                     rf"|\s(?!The\s)[A-Z][\w&'’-]*){{0,5}}?,?\s{_FORM}(?!\w)\.?")
NO_NAME = re.compile(r"(?:This|The|Each|Any|All|Between|By|To|If|When|Upon|And|Or|Neither|Either|Of|From|With|In|For|On|Whereas|WHEREAS"
                     r"|Agreement|Our|Your|Such|Where|A|An|No)\s")

_QUOTED = r"[“\"](?P<term>[A-Z0-9][^“”\"\n]{0,70}?)[,.]?[”\"]"
MEANS = re.compile(_QUOTED + r"(?:\s+(?:or|and)\s+[“\"](?P<other>[A-Z][^“”\"\n]{0,70}?)[,.]?[”\"])?(?:,?\s+as\s+used\s+(?:herein"
                             r"|in\s+this\s+\w+),?)?,?\s+"
                   r"(?:shall\s+)?(?:ha(?:s|ve)\s+the\s+(?:same\s+)?meanings?|means?\b|refers?\s+to|includes?\b|is\s+defined"
                   r"|are\s+defined)", re.IGNORECASE)
BOLD = re.compile(r"\*\*[“\"]?(?P<term>[A-Z][^*“”\"\n]{0,70}?)[”\"]?\*\*\s+(?:shall\s+)?(?:mean|means|refers?\s+to|has\s+the\s+meaning)\b")
CALLED = re.compile(r"\b(?:hereinafter|hereafter|herein|referred\s+to(?:\s+(?:herein|hereinafter|collectively))?\s+as|defined\s+as"
                    r"|collectively,?|(?:are|is)\s+together|called|known\s+as)"
                    r"\s+(?:(?:referred\s+to|called|as|the)\s+){0,3}" + _QUOTED)
BRACKETS = re.compile(r"\((?P<inside>[^()\n]{1,240})\)")
IN_BRACKETS = re.compile(r"[“\"](?P<term>[A-Z][^“”\"\n]{0,70}?)[,.]?[”\"]")
AROUND = re.compile(r"(?:\W|\b(?:each|collectively|together|hereinafter|hereafter|herein|referred|to|as|the|an?|called|individually"
                    r"|jointly|and|or|defined|being|such|all|with"
                    r"|its|affiliates|parties|party|of|them|in|this|agreement|known|also"
                    r"|for|short|singly|severally|both)\b)*", re.IGNORECASE)

SHORT = {"ca": "cannot", "can": "cannot", "wo": "will not", "sha": "shall not"}
_ADVERB = r"(?:\s+(?:[a-z]{2,12}ly|[A-Z]{2,12}LY|also|then|thereafter|therefore|itself|at\s+any\s+time|in\s+any\s+event|at\s+all\s+times))"
POLARITY = re.compile(
    rf"(?P<negated>(?<![\w-])(?:shall|may|must|will|should|can|could|would|might|need){_ADVERB}{{0,2}}\s+not(?!\s+only\b)(?![\w-]))"
    r"|(?P<cannot>(?<![\w-])cannot(?!\w))|(?P<short>(?<![\w-])(?:can|won|shan|(?:must|should|could|would|need|do|does|did|is|are|was"
    r"|were|has|have|had)n)['’]t(?!\w))"
    r"|(?P<modal>(?<![\w-])(?:shall|may|must"
    r"|(?<!at )(?<!at-)(?<!free )(?<!last )(?<!good )(?<!own )(?<!the )(?<!his )(?<!her )(?<!their )will|should|can|could|would"
    r"|might)(?![\w-]))"
    r"|(?P<idiom>(?:but|and|or|though)\s+(?:is\s+|are\s+)?not\s+(?:be\s+)?limited\s+to|without\s+limitation|whether\s+or\s+not"
    r"|not\s+only|no\.(?=\s?\d)|without\s+limiting)"
    r"|(?P<plain>(?<![\w-])(?:not|no|nor|neither|never|none|nothing|without|except|unless|(?<=,\s)save(?!\s+(?:time|money)\b)|save(?=\s+(?:for|as|that|where)\b))(?![\w-]))"
    r"|(?P<non>(?<![\w-])non-?(?!disclos|compet|solicit|profit|circumvent|defaulting\s+party|breaching\s+party|e\b|es?\w?\b"
    r"|sens)(?=[a-z]{4,}))", re.IGNORECASE)


def found_in(text: str) -> list[Slot]:
    """All slots of an English text, kind by kind."""
    taken = Taken(len(text))
    dated = chosen([*_dates(text), *_days_of_month(text)])
    taken.take(dated)
    referred = [each for each in chosen(_references(text)) if taken.is_free(each.start, each.end)]
    taken.take(referred)
    spare = [number for number in numbers(text, "en") if taken.is_free(number.start, number.end)]
    measured = measures(text, spare, _unit, joint=JOINT, repeated=REPEATED)
    taken.take(measured)
    timed = [each for each in chosen(_times(text)) if taken.is_free(each.start, each.end)]
    said = [each for each in _polarity(text) if taken.is_free(each.start, each.end)]
    return [*dated, *referred, *measured, *timed, *chosen(_parties(text)), *chosen(_terms(text)), *said]


def _unit(text: str, number: Number) -> Unit | None:
    """What a number counts."""
    one, begin = Decimal(1), number.start
    before = BEFORE.search(text[max(0, begin - 8):begin])
    coin = COIN.match(text, number.end)
    if coin and not before and POUNDS.search(coin[0]) and not PAID.search(text[max(0, begin - 40):begin]):
        coin = None
    if before:
        start = begin - (len(before.string) - before.start())
        name = CURRENCIES[before["sign"]]
        return Unit("amount", name, one, start, coin.end() if coin and _coin(coin) == name else number.end)
    if begin and text[begin - 1].isalpha():
        return None
    if coin:
        return Unit("amount", _coin(coin), Decimal("0.01") if coin["cent"] else one, begin, coin.end())
    if share := SHARE.match(text, number.end):
        factor = Decimal("0.01") if share["basis"] else Decimal("0.1") if share["sign"] == "‰" else one
        return Unit("percentage", "%", factor, begin, share.end())
    if time := TIME.match(text, number.end):
        name, factor_of = TIMES[time["unit"].lower()]
        return Unit("period", f"{name} business" if time["business"] else name, Decimal(factor_of), begin, time.end())
    return None


def _coin(coin: re.Match[str]) -> str:
    if coin["cent"]:
        return "USD"
    said, table = (coin["land"], LANDS) if coin["land"] else (coin["coin"], COINS)
    return next(name for pattern, name in table if re.match(rf"(?:{pattern})$", said, re.IGNORECASE))


def _times(text: str) -> Iterator[Slot]:
    """Periods without a number: "within a month", "half a year", "the thirtieth day after", "the second anniversary"."""
    for match in A_TIME.finditer(text):
        name, factor = TIMES[match["unit"].lower()]
        number = factor / Decimal(2) if match["half"] else Decimal(factor)
        unit = f"{name} business" if match["business"] else name
        yield slot("period", measured_value("period", unit, number), text, match.span("time"))
    for match in HALF_TIME.finditer(text):
        name, factor = TIMES[match["unit"].lower()]
        yield slot("period", measured_value("period", name, factor / Decimal(2)), text, match.span())
    for match in NTH_TIME.finditer(text):
        many = ordinal(re.split(r"\s?\(", match["nth"] or match["year"])[0])
        if many is not None and match["year"]:
            yield slot("period", f"P{12 * many}M", text, match.span())
        elif many is not None:
            start, end = match.start(), match.end("unit")
            yield slot("period", f"P{many}D{' business' if match['business'] else ''}", text, (start, end))


def _dates(text: str) -> Iterator[Slot]:
    for pattern in DATES:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            year = groups.get("year")
            month = _month(groups)
            day = int(groups.get("day") or 0) or (ordinal(groups["ord"]) or 0 if groups.get("ord") else 0)
            if "one" in groups:
                month, day = int(groups["one"]), int(groups["two"])
                month, day = (day, month) if month > 12 else (month, day)
            if month > 12 or day > 31 or (("number" in groups or "one" in groups) and not (month and day)):
                continue
            span = match.span("only") if groups.get("only") else match.span()
            yield slot("date", _date(year, month, day), text, span)


def _month(groups: dict[str, str | None]) -> int:
    name = groups.get("month")
    if name:
        return next(place for place, month in enumerate(MONTHS, 1) if month.startswith(name.lower().rstrip(".")[:3]))
    return int(groups.get("number") or 0)


def _date(year: str | None, month: int, day: int) -> str:
    if not month:
        return year or ""
    start = f"{year}-{month:02d}" if year else f"--{month:02d}"
    return f"{start}-{day:02d}" if day else start


def _days_of_month(text: str) -> Iterator[Slot]:
    for match in DAY_OF_MONTH.finditer(text):
        day = ordinal(match["nth"])
        if day is not None and day <= 31:
            yield slot("date", f"---{day:02d}{' business' if match['business'] else ''}", text, match.span())


def _references(text: str) -> Iterator[Slot]:
    """Sections and annexes by number, each of a list by itself; a heading's own number refers to nothing."""
    for pattern, number in ((SECTION, _SECTION_NUMBER), (ANNEX, _ANNEX_NUMBER)):
        follow = re.compile(number)
        for match in pattern.finditer(text):
            groups = match.groupdict()
            name = (groups["name"] or groups.get("shout") or "section").lower()
            which = groups["number"] or groups.get("told") or ""
            if begins_line(text, match.start()) and HEAD.match(text, match.end()):
                continue
            if name in ("part", "parts") and match["name"] == name.lower():
                continue
            stem = "" if pattern is SECTION else (ANNEXES.get(name, name[:-1] if name.endswith("s") else name) + " ")
            yield slot("reference", stem + which.replace(" ", ""), text, match.span())
            end = match.end()
            while (more := MORE.match(text, end)) and (next_one := follow.match(text, more.end())):
                if NOT_MORE.match(text, next_one.end()):
                    break
                yield slot("reference", stem + next_one[0].replace(" ", ""), text, next_one.span())
                end = next_one.end()
    for match in THIS.finditer(text):
        yield slot("reference", "this " + match["name"].lower().replace("-", ""), text, match.span())


def _parties(text: str) -> Iterator[Slot]:
    for match in COMPANY.finditer(text):
        start = match.start()
        while lead := NO_NAME.match(text, start, match.end()):
            start = lead.end()
        while (role := _roles().match(text, start, match.end())) and text[role.end():role.end() + 1] == " ":
            start = role.end() + 1
        name = text[start:match.end()].rstrip(".").replace(",", "")
        if " " in name and not re.fullmatch(r"[\w'’-]+ Company", name):
            yield slot("party", name, text, (start, match.end()))
    for match in _roles().finditer(text):
        if _is_party(text, match):
            yield slot("party", _one(match[0].lower()), text, match.span())
    for match in PERSON.finditer(text):
        yield slot("party", {"us": "we"}.get(match[0].lower(), match[0].lower()), text, match.span())


@cache
def _roles() -> re.Pattern[str]:
    words = word_list("roles.en.txt")
    border = next(place for place, word in enumerate(words) if place and word.startswith("#"))
    return re.compile(rf"(?<![\w-])(?P<role>(?P<clear>(?:{any_of(words[1:border])}))s?|(?P<named>(?:{any_of(words[border + 1:])}))s?"
                      r"|(?P<party>part(?:y|ies)))(?![\w-])(?!\.\w)", re.IGNORECASE)


def _is_party(text: str, match: re.Match[str]) -> bool:
    """Whether a role word names a party: a capital letter unless the word can be nothing else, and no other capital noun after it."""
    word = match[0]
    after = re.compile(r"\s([A-Z][a-z]+)").match(text, match.end())
    if after and not word.isupper() and not _roles().fullmatch(after[1]) and after[1] not in NO_NOUNS:
        return False
    before = text[max(0, match.start() - 12):match.start()].lower()
    if text.startswith(" of ", match.end()) and word.lower() == "bank":  # a name
        return False
    if match["party"]:
        if re.search(r"(third|3rd)[\s-]$", before) or (not word[0].isupper() and re.search(r"(working|search|rescue)\s$", before)):
            return False
        return word[0].isupper() or bool(re.search(r"\b(the|either|neither|each|both|other|a|such|any|all|one)\s$", before))
    return bool(match["clear"]) or word[0].isupper()


def _one(word: str) -> str:
    """A role word in the singular; the parties stay many."""
    return word[:-1] if word.endswith("s") and word != "parties" else word


def _terms(text: str) -> Iterator[Slot]:
    for pattern in (MEANS, BOLD, CALLED):
        for match in pattern.finditer(text):
            yield slot("term", match["term"], text, match.span("term"))
            if match.groupdict().get("other"):
                yield slot("term", match["other"], text, match.span("other"))
    for outer in BRACKETS.finditer(text):
        if AROUND.fullmatch(IN_BRACKETS.sub("", outer["inside"])):
            for match in IN_BRACKETS.finditer(text, outer.start(), outer.end()):
                yield slot("term", match["term"], text, match.span("term"))


def _polarity(text: str) -> Iterator[Slot]:
    for match in POLARITY.finditer(text):
        kind, said = match.lastgroup, match[0]
        if kind == "idiom" or kind is None:
            continue
        if said == "May":  # the month, unless it is a heading's "May Not"
            continue
        value = said.lower()
        if kind == "negated":
            value = "cannot" if value.startswith("can") else value.split()[0] + " not"
        elif kind == "short":
            stem = re.sub(r"n?['’]t$", "", value)
            value = SHORT.get(stem, f"{stem} not" if stem in ("must", "should", "could", "would", "need") else "not")
        elif kind == "non":
            value = "non"
        yield slot("polarity", value, text, match.span())

