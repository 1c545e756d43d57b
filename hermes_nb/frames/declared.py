"""The columns of every table: names, order, dtypes, units and meanings, declared here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, WHOLE, NUMBER, FLAG, TIME = "str", "Int64", "Float64", "boolean", "datetime64[us, UTC]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: `dtype` is pandas', `unit` is empty where there is none. `bytes_of` names the column of
    text whose length in UTF-8 it has where no row says otherwise."""

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    bytes_of: str = ""


RUN_ID = Column("run_id", TEXT, "The run: its own id, or a key made for one without; unique in the table.")
TURN = Column("turn", WHOLE, "The turn, from 1; every model call is one.")
CALL_INDEX = Column("call_index", WHOLE, "The call's place among the calls of its turn, from 0.")

USAGE = (
    Column("prompt_tokens", WHOLE, "Tokens of the prompt, as the server counts them.", "tokens"),
    Column("completion_tokens", WHOLE, "Tokens of the reply, reasoning included.", "tokens"),
    Column("total_tokens", WHOLE, "Both together, as the server says.", "tokens"),
    Column("reasoning_tokens", WHOLE, "Tokens of the reply that are reasoning.", "tokens"),
    Column("cached_tokens", WHOLE, "Tokens of the prompt that came from a cache.", "tokens"),
    Column("cost", NUMBER, "What it cost, where the server says so.", "US dollars"),
    Column("usage_partial", FLAG, "Some part of these sums was unknown."),
)

NEXT = (
    Column("next_action", TEXT, "What came next: retried_same, changed_arguments, changed_tool, answered, ended."),
    Column("recovered", FLAG, "A failed call was made good later in the run; NA for a call that did not fail."),
    Column("turns_to_recover", WHOLE, "How many turns later that was; NA where it was not.", "turns"),
)  # fmt: skip

RUNS = (
    RUN_ID,
    Column("task", TEXT, "The item of the dataset that the run is about."),
    Column("task_id", TEXT, "The id that kept this run's sandbox apart; not the item."),
    Column("attempt", WHOLE, "Which sample of the task this is, from 0."),
    Column("origin_kind", TEXT, "How it grew from another run: resume, follow_up, fork or import."),
    Column("origin_run_id", TEXT, "The run it grew from."),
    Column("origin_turn", WHOLE, "The turn of that run after which it goes on."),
    Column("origin_call_index", WHOLE, "The call of that turn at which it was forked."),
    Column("origin_edit", TEXT, "What was changed in the history on the way."),
    Column("stop_reason", TEXT, "How the run ended; running or crashed for one without an end."),
    Column("finished_naturally", FLAG, "The model stopped calling tools and gave an answer."),
    Column("ok", FLAG, "It ended as wanted: an answer, or a stop that was asked for."),
    Column("messages", WHOLE, "Messages of the whole conversation, inherited ones included.", "messages"),
    Column("turns", WHOLE, "How many times the model was asked; a failed request counts.", "turns"),
    Column("calls", WHOLE, "Tool calls the model made.", "calls"),
    Column("errors", WHOLE, "Tool calls that went wrong.", "calls"),
    *USAGE,
    Column("seconds", NUMBER, "From the run's start to its end.", "seconds"),
    Column("model_seconds", NUMBER, "Of these, waiting for the model: the sum of its turns.", "seconds"),
    Column("tool_seconds", NUMBER, "Of these, with tools at work: the sum of its turns.", "seconds"),
    Column("error_type", TEXT, "The kind of failure that ended the run."),
    Column("error_message", TEXT, "The words of that failure."),
    Column("error_status", WHOLE, "Its HTTP status."),
    Column("error_code", TEXT, "The server's code for it."),
    Column("abandoned", TEXT, "The tools that could not be stopped: a JSON list; NA for none."),
    Column("journal_error", TEXT, "Why the journal could not be written to its end."),
    Column("final_text", TEXT, "The answer; NA where the run ended without one."),
    Column("started_at", TIME, "When the run began."),
    Column("server", TEXT, "What kind of server was asked."),
    Column("model", TEXT, "The model that was asked for."),
    Column("base_url", TEXT, "Where the server is."),
    Column("temperature", NUMBER, "The sampling temperature that was asked for."),
    Column("max_tokens", WHOLE, "The most tokens of a reply that were asked for.", "tokens"),
    Column("tool_choice", TEXT, "The tool choice that was asked for; JSON where it is an object."),
    Column("stream", FLAG, "Replies were streamed."),
    Column("toolbox_hash", TEXT, "Tells sets of tools apart."),
    Column("version_hermes_nb", TEXT, "The version of this library that made the run."),
    Column("version_python", TEXT, "The version of Python."),
    Column("version_openai", TEXT, "The version of the openai package."),
    Column("git_commit", TEXT, "The commit of the working directory."),
    Column("git_dirty", FLAG, "There were changes that were not committed."),
)

TURNS = (
    RUN_ID,
    TURN,
    Column("text", TEXT, "The text of the reply; NA where there is no reply."),
    Column("reasoning", TEXT, "The reasoning in it."),
    Column("refusal", TEXT, "The words of a refusal."),
    Column("finish_reason", TEXT, "Why the reply ended, in the server's own word."),
    *USAGE,
    Column("model", TEXT, "The model that replied, as the server names it."),
    Column("reply_id", TEXT, "The server's id for the reply."),
    Column("request_id", TEXT, "The server's id for the request."),
    Column("status", WHOLE, "The HTTP status of the reply."),
    Column("retries", WHOLE, "Requests beyond the first.", "requests"),
    Column("at", NUMBER, "When the turn began, since the run did.", "seconds"),
    Column("seconds", NUMBER, "How long the turn took.", "seconds"),
    Column("model_seconds", NUMBER, "Of these, waiting for the model.", "seconds"),
    Column("tool_seconds", NUMBER, "Of these, with tools at work.", "seconds"),
    Column("reply_seconds", NUMBER, "How long the reply took, from its request to its end.", "seconds"),
    Column("waited", NUMBER, "How long the request waited behind others before that.", "seconds"),
    Column("first_token_at", NUMBER, "When the first token arrived, since the run began.", "seconds"),
    Column("partial", FLAG, "The reply was cut off."),
    Column("problems", TEXT, "What had to be mended in it: a JSON list; NA for nothing."),
    Column("calls", WHOLE, "Tool calls in it.", "calls"),
    Column("errors", WHOLE, "Tool calls of it that went wrong.", "calls"),
    Column("added_messages", WHOLE, "Messages that joined the conversation before it.", "messages"),
)

MESSAGES = (
    RUN_ID,
    Column("position", WHOLE, "The message's place in the run's conversation, from 0."),
    Column("turn", WHOLE, "Its turn; 0 for what the run began with; NA where a rewritten history hides it."),
    Column("call_index", WHOLE, "Of a tool's answer in a turn: which call it answers."),
    Column("role", TEXT, "Who speaks."),
    Column("content", TEXT, "Its text; of a list of parts, the text parts joined; NA for none."),
    Column("reasoning", TEXT, "The reasoning in it."),
    Column("name", TEXT, "The name in the message; of a tool's answer, the tool."),
    Column("tool_call_id", TEXT, "Of a tool's answer: the id of the call."),
    Column("calls", WHOLE, "Tool calls in it.", "calls"),
    Column("parts", WHOLE, "Parts of its content, where that is a list.", "parts"),
    Column("inherited", FLAG, "It was said in the run that this one goes on from."),
)  # fmt: skip

CALLS = (
    RUN_ID,
    TURN,
    CALL_INDEX,
    Column("call_id", TEXT, "The call's id, unique in its run."),
    Column("sent_id", TEXT, "The server's own id, where it had to be changed."),
    Column("name", TEXT, "The tool that was asked for."),
    Column("arguments", TEXT, "The arguments as the model wrote them."),
    Column("parsed", TEXT, "The arguments read, as JSON with sorted keys; NA where they are no JSON."),
    Column("status", TEXT, "ok, or the kind of the error; NA for a call that nobody answered."),
    Column("kind", TEXT, "What kind of error it was; NA for none."),
    Column("fault", TEXT, "Whose: model, tool, environment or run."),
    Column("error", TEXT, "The words of the error."),
    Column("exception_type", TEXT, "The exception behind it."),
    Column("traceback", TEXT, "Its traceback."),
    Column("position", WHOLE, "Where in the arguments the error is.", "characters"),
    Column("content", TEXT, "Exactly what the model saw."),
    Column("bytes", WHOLE, "How long that is, in UTF-8.", "bytes", "content"),
    Column("bytes_before_cut", WHOLE, "How long before it was cut; the same where it was not.", "bytes", "content"),
    Column("parts", WHOLE, "Images and other parts sent beside it; NA for none.", "parts"),
    Column("queued", NUMBER, "How long the call waited before the tool began.", "seconds"),
    Column("started", NUMBER, "When the tool began, since the run did.", "seconds"),
    Column("seconds", NUMBER, "How long the tool ran.", "seconds"),
    Column("printed", TEXT, "What the tool printed; NA for nothing."),
    Column("exit_code", WHOLE, "The exit code of a command."),
    Column("synthesised", FLAG, "The answer was written for a tool that did not run to its end."),
    Column("replayed", FLAG, "The answer was taken from a recording."),
    *NEXT,
)

ERRORS = (
    RUN_ID,
    TURN,
    CALL_INDEX,
    Column("call_id", TEXT, "The call's id, unique in its run."),
    Column("tool_name", TEXT, "The tool that was asked for."),
    Column("arguments", TEXT, "The arguments as the model wrote them."),
    Column("kind", TEXT, "What kind of error it was."),
    Column("fault", TEXT, "Whose: model, tool, environment or run."),
    Column("error", TEXT, "The words of the error."),
    Column("tool_result", TEXT, "What the model was told of it."),
    Column("exception_type", TEXT, "The exception behind it."),
    Column("position", WHOLE, "Where in the arguments the error is.", "characters"),
    Column("traceback", TEXT, "Its traceback."),
    *NEXT,
)

TOKENS = (
    RUN_ID,
    Column("turn", WHOLE, "The turn that first had the token, in its prompt or reply; NA in a state from elsewhere."),
    Column("node", WHOLE, "Which of the run's sequences it is in, from 0; NA where only replies are told."),
    Column("position", WHOLE, "The token's place in its sequence or reply, from 0."),
    Column("token_id", WHOLE, "The token's number in the vocabulary."),
    Column("text", TEXT, "The token's text."),
    Column("logprob", NUMBER, "The natural logarithm of its probability; NA for a token that was given."),
    Column("mask", FLAG, "The model wrote it, and training learns from it."),
    Column("role", TEXT, "Who speaks: of a template's tokens, whose words they lead up to."),
    Column("kind", TEXT, "What it belongs to: template, content, reasoning or call."),
)

TABLES = {
    "runs": RUNS, "turns": TURNS, "messages": MESSAGES, "calls": CALLS, "errors": ERRORS, "tokens": TOKENS,
}  # fmt: skip
"""The columns of each table by its name."""
