"""Which language a text is in."""

import pytest

from tutelage.text.language import language_of

SAMPLES = {
    "en": [
        "The Licensor grants the Licensee a right to use the Software for the term of this Agreement.",
        "PAYMENT TERMS", "governing law", "Net 30.", "Too short as well.", "No waiver",
        "The parties named in the schedule (甲方, 乙方) shall pay all fees within thirty days of the date of the invoice.",
    ],
    "zh": [
        "甲方应当在收到发票之日起三十日内支付全部费用。", "保密期限", "違約責任：乙方應賠償甲方之全部損失。",
        "本协议（Master Services Agreement）由甲方 ACME Ltd. 与乙方签订，适用中华人民共和国法律。",
        "本软件由「カラオケ」公司提供，未经许可不得复制、修改或者分发，违者应当承担违约责任。",
    ],
    "other": [
        "Der Lizenzgeber räumt dem Lizenznehmer das Recht ein, die Software zu nutzen und zu vervielfältigen.",
        "Le concédant accorde au licencié le droit d'utiliser le logiciel pour la durée du présent contrat.",
        "De licentiegever verleent de licentienemer het recht om de software te gebruiken en te kopiëren.",
        "O licenciante concede ao licenciado o direito de usar o software durante o prazo deste contrato.",
        "El licenciante concede al licenciatario el derecho de usar el programa durante la vigencia de este contrato.",
        "Il licenziante concede al licenziatario il diritto di usare il software per la durata del contratto.",
        "使用者は、本ソフトウェアを複製し、改変し、頒布することができます。", "ソフトウェア利用許諾契約書",
        "Лицензиар предоставляет лицензиату право использовать программу.", "이 계약은 대한민국 법률에 따른다.",
        "", "  \n", "1234 -- 56 %", "———",
    ],
}


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in SAMPLES.items() for text in texts])
def test_the_language_of_a_text_is_told_from_script_and_stop_words(language: str, text: str) -> None:
    assert language_of(text) == language


def test_a_text_in_two_languages_counts_as_the_longer_one() -> None:
    chinese = "甲方应当在收到发票之日起三十日内支付全部费用。"
    english = "The customer shall pay all of the fees within thirty days of the date of the invoice. "
    assert language_of(chinese + english * 4) == "en"
    assert language_of(chinese * 4 + english) == "zh"
