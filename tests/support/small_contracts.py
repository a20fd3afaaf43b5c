"""Small made-up contracts for tests: different enough from each other to be no near-duplicates, cut cleanly by numbering."""

import random
from pathlib import Path

PARTIES = ("Northwind Press", "Harbour Mills", "Juniper Works", "Oakline Studio", "Redwater Foods",
           "Silverbank Tools", "Tallgrass Farms", "Westmoor Labs")
DAYS = ("ten", "fifteen", "twenty", "thirty", "forty-five", "sixty", "ninety")
PLACES = ("Harbour City", "Lake County", "the Northern Province", "Riverton", "the Eastern District", "Port Anson")
GOODS = ("printed catalogues", "roasted coffee", "garden tools", "survey drawings", "bakery ovens",
         "laboratory glass", "sound recordings", "woven fabric")

SENTENCES: dict[str, tuple[str, ...]] = {
    "Confidentiality": (
        "{a} keeps every drawing, price list and customer record of {b} secret for {days} months after this agreement ends.",
        "Only employees of {a} who need the information about {goods} to do their work may see it.",
        "On request {a} returns or destroys all notes on {goods} within {days} days and confirms this in writing.",
        "Information that {b} has published itself, or that a court in {place} orders to be disclosed, is not confidential.",
        "A breach of secrecy entitles {b} to stop further deliveries of {goods} at once."),
    "Payment": (
        "{b} pays each invoice for {goods} within {days} days after it has been received.",
        "Prices are net of tax, and freight from {place} is charged at cost.",
        "Late amounts bear interest at two percent above the bank rate, counted from the {days} day.",
        "{b} may withhold payment only for those {goods} that were rejected in writing.",
        "Invoices are sent by electronic mail to the accounts office of {b} in {place}."),
    "Termination": (
        "Either party may end this agreement by written notice of {days} days to the other.",
        "{a} may terminate at once if {b} stops trading, becomes insolvent or is wound up in {place}.",
        "After termination {b} pays for all {goods} that were ordered before the notice arrived.",
        "A party in default has {days} days to cure the breach before the agreement ends.",
        "Termination does not touch rights that {a} has already acquired."),
    "Limitation of Liability": (
        "Neither party is liable to the other for lost profits, lost savings or other indirect damage.",
        "The total liability of {a} for {goods} is limited to the price paid in the last {days} weeks.",
        "These limits do not apply to injury, fraud or intent proven before a court in {place}.",
        "{b} must report any damage to {goods} within {days} days, or the claim lapses.",
        "{a} is not answerable for delays that {b} has caused."),
    "Governing Law": (
        "This agreement is governed by the laws in force in {place}, without its rules on conflict of laws.",
        "The courts of {place} alone decide disputes between {a} and {b}.",
        "Before going to court the parties try for {days} days to settle the matter about {goods} by talks.",
        "The convention on contracts for the international sale of goods does not apply to {goods}.",
        "Judgments may be enforced wherever {b} holds property."),
    "Assignment": (
        "{b} may not transfer this agreement to anyone without the prior written consent of {a}.",
        "Consent is deemed given when {a} stays silent for {days} days after a written request.",
        "{a} may assign its claims for payment of {goods} to a bank in {place}.",
        "A merger of {b} with a competitor of {a} counts as an assignment.",
        "Successors of either party are bound by every term on {goods}."),
}


def write_contracts(folder: Path, *, count: int = 24, seed: int = 0) -> list[Path]:
    """Write `count` contracts of six numbered clauses each as text files. The same seed gives the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    paths = []
    for number in range(count):
        facts = {"a": chance.choice(PARTIES[:4]), "b": chance.choice(PARTIES[4:]), "place": chance.choice(PLACES),
                 "goods": chance.choice(GOODS)}
        lines = [f"SUPPLY AGREEMENT {number + 1} ON {facts['goods'].upper()}", ""]
        for index, (heading, sentences) in enumerate(SENTENCES.items(), 1):
            chosen = chance.sample(sentences, 3)
            body = " ".join(sentence.format(**facts, days=chance.choice(DAYS)) for sentence in chosen)
            lines += [f"{index}. {heading}", "", body, ""]
        path = folder / f"contract-{number + 1:02d}.txt"
        path.write_text("\n".join(lines), "utf-8")
        paths.append(path)
    return paths
