"""inspect_ai asks a question, and one with a tool, over the API; prints what it got as JSON. Argument: a log folder."""

from __future__ import annotations

import json
import os
import sys

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool, ToolFunction, tool


@tool
def weather() -> Tool:
    async def execute(city: str) -> str:
        """Tell the weather of a city.

        Args:
            city: The city.
        """
        return f"rain in {city}"

    return execute


def main(logs: str) -> None:
    """Two tasks with one sample each."""
    model = get_model(f"openai-api/tutelage/{os.environ['MODEL']}", base_url=os.environ["ADDRESS"] + "/v1", api_key=os.environ["KEY"],
                      config=GenerateConfig(temperature=0, max_tokens=40, seed=3))
    capital = Task(dataset=[Sample(input="What is the capital of France?", target="Paris")], solver=generate(), scorer=includes())
    called = Task(dataset=[Sample(input="What is the weather in Oslo?", target="Oslo")], scorer=includes(),
                  solver=[use_tools(weather(), tool_choice=ToolFunction("weather")), generate(tool_calls="none")])
    found = []
    for task in (capital, called):
        [log] = eval(task, model=model, display="none", log_dir=logs, log_format="json")
        [sample] = log.samples or []
        [usage] = log.stats.model_usage.values()
        found.append({"status": log.status, "error": str(log.error), "text": sample.output.completion, "input": usage.input_tokens,
                      "output": usage.output_tokens,
                      "calls": [[call.function, call.arguments] for call in sample.output.message.tool_calls or []]})
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
