"""The independent judge of clause types."""

import random

from fake_scores import VOCABULARY, clause, example, made_up_rows

from tutelage.scores.classifier import train_classifier, without_heading


def test_the_classifier_tells_the_types_of_clauses_it_never_saw() -> None:
    rows = made_up_rows()
    classifier = train_classifier([row for row in rows if row.part == "train"])
    assert classifier
    held_out = [row for row in rows if row.part == "held_out"]
    right = sum(said == row.clause_type for said, row in zip(classifier.predict([row.text for row in held_out]), held_out, strict=True))
    assert len(held_out) == 36
    assert right >= 35


def test_the_classifier_says_the_same_every_time() -> None:
    rows = [row for row in made_up_rows() if row.part == "train"]
    texts = [clause(random.Random(place), sorted(VOCABULARY)[place % 3], words=8) for place in range(40)]
    first, second = train_classifier(rows), train_classifier(rows)
    assert first
    assert second
    assert first.predict(texts) == second.predict(texts)


def test_chinese_clauses_are_told_apart() -> None:
    secret = [f"接收方应对第{number}号资料严格保密，不得向第三人披露。" for number in range(8)]
    pay = [f"买方应在收到第{number}号发票后三十日内付清全部价款。" for number in range(8)]
    rows = [example(number, "train", "confidentiality", text, f"d{number}") for number, text in enumerate(secret)]
    rows += [example(number + 8, "train", "payment", text, f"d{number}") for number, text in enumerate(pay)]
    classifier = train_classifier(rows)
    assert classifier
    assert classifier.predict(["披露方的资料应当保密。", "价款应在十日内付清。"]) == ["confidentiality", "payment"]


def test_one_type_is_too_few_to_judge() -> None:
    assert train_classifier([example(1, "train", "payment", "Pay.", "d")]) is None


def test_a_heading_line_does_not_count() -> None:
    assert without_heading("9. Confidentiality\nThe recipient keeps it.") == "The recipient keeps it."
    assert without_heading("第九条 保密\n接收方应当保密。") == "接收方应当保密。"


def test_a_first_sentence_or_a_lone_line_is_no_heading() -> None:
    assert without_heading("The recipient pays.\nIt pays in time.") == "The recipient pays.\nIt pays in time."
    assert without_heading("Confidentiality") == "Confidentiality"
