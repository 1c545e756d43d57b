"""Other libraries' loops, each in an environment of its own under `.bench/`.

Their packages are imported inside the makers only. Each runs plain sync tools in its own way; inspect_ai, whose tools
have to be async, is given a pool as large as the hand-written loop's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.systems import Run
from benchmarks.task import PACE, SYSTEM, add, echo

FOLDER = Path(__file__).resolve().parent.parent / ".bench"

PEERS = {
    "openai-agents": ("openai-agents",),
    "pydantic-ai": ("pydantic-ai-slim[openai]",),
    "smolagents": ("smolagents[openai]",),
    "inspect_ai": ("inspect_ai", "openai", "pandas", "pyarrow"),
    "langgraph": ("langgraph", "langchain", "langchain-openai"),
}
"""What is installed for each; the first names the library itself."""


def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment."""
    return FOLDER / peer / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(peer: str) -> str:
    """Make the peer's environment, if it is not there yet, and give the version of what is in it.

    Raises:
        subprocess.CalledProcessError: the installation failed; `stderr` says why.
    """
    folder, python = FOLDER / peer, python_of(peer)
    done = folder / ".installed"
    if not done.exists():
        if uv := shutil.which("uv"):
            _carry_out(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
            _carry_out(uv, "pip", "install", "--quiet", "--python", str(python), *PEERS[peer])
        else:
            venv.create(folder, with_pip=True)
            _carry_out(str(python), "-m", "pip", "install", "--quiet", *PEERS[peer])
        done.touch()
    package = PEERS[peer][0].partition("[")[0]
    asked = f"import importlib.metadata as m; print(m.version({package!r}), 'with openai', m.version('openai'))"
    return _carry_out(str(python), "-c", asked).strip()


def _carry_out(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def openai_agents(url: str) -> Run:
    import agents
    import openai

    agents.set_tracing_disabled(True)
    model = agents.OpenAIChatCompletionsModel("stub", openai.AsyncOpenAI(base_url=url, api_key="none"))
    tools = [agents.function_tool(add), agents.function_tool(echo)]
    agent = agents.Agent(name="bench", instructions=SYSTEM, tools=tools, model=model)

    async def run(prompt: str) -> Any:
        return await agents.Runner.run(agent, prompt, max_turns=1000)

    return run


def pydantic_ai(url: str) -> Run:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.usage import UsageLimits

    model = OpenAIChatModel("stub", provider=OpenAIProvider(base_url=url, api_key="none"))
    agent = Agent(model, instructions=SYSTEM, tools=[add, echo])

    async def run(prompt: str) -> Any:
        return await agent.run(prompt, usage_limits=UsageLimits(request_limit=None))

    return run


def smolagents(url: str) -> Run:
    from smolagents import OpenAIModel, ToolCallingAgent, tool

    model = OpenAIModel(model_id="stub", api_base=url, api_key="none")
    tools, threads = [tool(add), tool(echo)], ThreadPoolExecutor(256)

    def play(prompt: str) -> Any:
        return ToolCallingAgent(tools=tools, model=model, max_steps=1000, verbosity_level=0).run(prompt)

    async def run(prompt: str) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, play, prompt)

    return run


def inspect_ai(url: str) -> Run:
    os.environ.setdefault("INSPECT_DISPLAY", "none")
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
    from inspect_ai.tool import tool

    pool = ThreadPoolExecutor(256)

    async def carried_out(function: Callable[..., Any], *given: Any) -> Any:
        if not PACE.pause:
            return function(*given)
        return await asyncio.get_running_loop().run_in_executor(pool, function, *given)

    @tool(name="add")
    def add_tool() -> Any:
        async def execute(a: int, b: int) -> int:
            """Add two whole numbers.

            Args:
                a: the first
                b: the second
            """
            return await carried_out(add, a, b)

        return execute

    @tool(name="echo")
    def echo_tool() -> Any:
        async def execute(text: str) -> str:
            """Give the text back.

            Args:
                text: the text
            """
            return await carried_out(echo, text)

        return execute

    config = GenerateConfig(max_connections=4096)
    model = get_model("openai-api/stub/stub", base_url=url, api_key="none", config=config)
    tools = [add_tool(), echo_tool()]

    async def run(prompt: str) -> Any:
        return await model.generate_loop([ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=prompt)], tools)

    return run


def langgraph(url: str) -> Run:
    from langchain.agents import create_agent
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="stub", base_url=url, api_key="none", timeout=600)
    agent = create_agent(model, [tool(add), tool(echo)], system_prompt=SYSTEM)

    async def run(prompt: str) -> Any:
        return await agent.ainvoke({"messages": [("user", prompt)]}, config={"recursion_limit": 4000})

    return run


SYSTEMS: dict[str, Callable[[str], Run]] = {
    "openai-agents": openai_agents,
    "pydantic-ai": pydantic_ai,
    "smolagents": smolagents,
    "inspect_ai": inspect_ai,
    "langgraph": langgraph,
}
