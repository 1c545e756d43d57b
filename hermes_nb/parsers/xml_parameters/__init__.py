"""The formats whose parameters stand in tags, declared; `shape` reads and writes them."""

from __future__ import annotations

from typing import Any

from hermes_nb.parsers.base.formats import THINK, Format
from hermes_nb.parsers.xml_parameters.shape import XmlCalls

GLM: dict[str, Any] = {
    "call": ("<tool_call>", ""),
    "call_end": "</tool_call>",
    "name_ends": ("<arg_key>", "</tool_call>", "\n"),
    "parameter": ("<arg_key>", "<arg_value>"),
    "parameter_end": "</arg_value>",
    "key": r"\s*(?P<key>[^<>]+?)\s*</arg_key>\s*",
    "thought": THINK,
    "dropped": ("<|observation|>", "<|user|>", "<|endoftext|>"),
}
TAGS: dict[str, Any] = {
    "call": ("<function=", ">"),
    "call_end": "</function>",
    "parameter": ("<parameter=", ">"),
    "parameter_end": "</parameter>",
}

FORMATS: tuple[Format, ...] = (
    XmlCalls(
        name="qwen3_coder",
        source="chat template and qwen3coder_tool_parser.py of Qwen/Qwen3-Coder-30B-A3B-Instruct",
        outer=("<tool_call>",),
        outer_end=("</tool_call>",),
        frame=("<tool_call>\n", "\n</tool_call>"),
        pad="\n",
        thought=THINK,
        dropped=("</tool_call>", "<|im_end|>"),
        signs=(r"<function=[^\s<>]+>",),
        **TAGS,
    ),
    XmlCalls(
        name="seed_oss",
        source="chat template of ByteDance-Seed/Seed-OSS-36B-Instruct",
        outer=("<seed:tool_call>",),
        outer_end=("</seed:tool_call>",),
        frame=("<seed:tool_call>\n", "\n</seed:tool_call>"),
        pad="\n",
        bare="text",
        thought=("<seed:think>", "</seed:think>"),
        dropped=("</seed:tool_call>", "<seed:eos>"),
        signs=(r"<seed:tool_call>", r"<seed:think>"),
        **TAGS,
    ),
    XmlCalls(
        name="minimax_m2",
        source="MiniMaxAI/MiniMax-M2, docs/tool_calling_guide.md",
        outer=("<minimax:tool_call>",),
        outer_end=("</minimax:tool_call>",),
        call=("<invoke name=", ">"),
        call_end="</invoke>",
        parameter=("<parameter name=", ">"),
        parameter_end="</parameter>",
        quote='"',
        bare="text",
        thought=THINK,
        dropped=("</minimax:tool_call>", "[e~["),
        signs=(r"<minimax:tool_call>",),
    ),
    XmlCalls(
        name="deepseek_v3_2",
        source="deepseek-ai/DeepSeek-V3.2, encoding/encoding_dsv32.py",
        outer=("<｜DSML｜function_calls>", "<｜DSML｜tool_calls>"),
        outer_end=("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"),
        call=("<｜DSML｜invoke name=", ">"),
        call_end="</｜DSML｜invoke>",
        parameter=("<｜DSML｜parameter name=", ">"),
        parameter_end="</｜DSML｜parameter>",
        quote='"',
        noted=True,
        thought=THINK,
        dropped=("</｜DSML｜function_calls>", "</｜DSML｜tool_calls>", "<｜end▁of▁sentence｜>"),
        signs=(r"<｜DSML｜",),
    ),
    XmlCalls(
        name="step3",
        source="chat template of stepfun-ai/step3",
        outer=("<｜tool_calls_begin｜>", "<｜tool_call_begin｜>"),
        outer_end=("<｜tool_calls_end｜>", "<｜tool_call_end｜>"),
        frame=("<｜tool_call_begin｜>function<｜tool_sep｜>", "<｜tool_call_end｜>"),
        call=("<steptml:invoke name=", ">"),
        call_end="</steptml:invoke>",
        parameter=("<steptml:parameter name=", ">"),
        parameter_end="</steptml:parameter>",
        quote='"',
        between="",
        bare="text",
        lead=True,
        thought=THINK,
        dropped=("<｜tool_calls_end｜>", "<｜tool_call_end｜>", "<｜tool_sep｜>"),
        signs=(r"<｜tool_calls_begin｜>", r"<steptml:invoke"),
    ),
    XmlCalls(
        name="glm45",
        source="chat template of zai-org/GLM-4.5",
        signs=(r"<tool_call>\s*[^\s<>{\[]+\s*(?:<arg_key>|</tool_call>)",),
        **GLM,
    ),
    XmlCalls(name="glm47", source="chat template of zai-org/GLM-4.7", between="", **GLM),
)
"""The families that write parameters in tags."""
