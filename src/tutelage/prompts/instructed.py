"""Fuller instructions for a model that was not trained: a role, a role with steps, a role with examples; all texts are our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from tutelage.core.records import Language, Message

Instruction = Literal["role", "role_steps", "role_examples"]
INSTRUCTIONS: tuple[Instruction, ...] = get_args(Instruction)
ROLES: dict[Language, str] = {
    "en": "You are a lawyer who drafts contracts. Write exactly one clause, in the language of contracts. Give only the clause, "
          "without a comment.",
    "zh": "你是起草合同的律师。只写一条条款，使用规范的合同用语。只输出条款本身，不加说明。",
}
STEPS: dict[Language, str] = {
    "en": "First settle who must do what. Then settle amounts, periods and conditions, and last the exceptions. Use the keywords. "
          "Do not write these steps down.",
    "zh": "先确定由谁承担什么义务，再确定金额、期限和条件，最后确定例外情形。要用到关键词。不要写出这些步骤。",
}
EXAMPLES: dict[Language, str] = {
    "en": "Two examples.\n"
          "Type: Payment. Keywords: invoice, late interest.\n"
          "The Customer shall pay each invoice within thirty days after its date. An amount that is overdue bears interest of one percent "
          "for each month until it is paid.\n"
          "Type: Notices. Keywords: writing, address.\n"
          "A notice under this Agreement must be in writing and be sent to the address that the other party last named. It takes effect "
          "on the day on which it arrives.",
    "zh": "示例两则。\n"
          "类型：付款。关键词：发票、逾期利息。\n"
          "甲方应当自发票开具之日起三十日内付清发票所载款项。逾期付款的，每逾期一个月，按逾期金额的百分之一支付利息。\n"
          "类型：通知。关键词：书面、地址。\n"
          "本合同项下的通知应当采用书面形式，送达对方最近一次告知的地址，自到达之日起生效。",
}


def instructed(prompt: Sequence[Message], instruction: Instruction, language: Language) -> tuple[Message, ...]:
    """The prompt with the instruction as its system message, in the place of the one that it had."""
    parts = {"role": (), "role_steps": (STEPS[language],), "role_examples": (EXAMPLES[language],)}[instruction]
    rest = prompt[1:] if prompt and prompt[0].role == "system" else prompt
    return Message(role="system", content="\n\n".join((ROLES[language], *parts))), *rest
