"""Train a tiny model of Qwen2's shape to say what it is told to: `tiny_model.py FOLDER < samples.json`.

The samples are `[[messages, answer], ...]`. It runs in an environment that has torch and transformers, and takes
seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>"]
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.tool_calls %}(called){% elif message.content is string %}{{ message.content }}\
{% else %}{% for part in message.content or [] %}{{ part.text }}{% endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
STEPS, ENOUGH = 600, 0.001


def tokenizer_for(texts: list[str]) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    made.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def rows(tokenizer: PreTrainedTokenizerFast, samples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids, and the labels: of the answers alone."""
    told = [
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) for messages, _ in samples
    ]
    prompts = [tokenizer(text, add_special_tokens=False).input_ids for text in told]
    answers = [tokenizer(f"{answer}<|im_end|>", add_special_tokens=False).input_ids for _, answer in samples]
    longest = max(len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True))
    ids = torch.full((len(samples), longest), tokenizer.pad_token_id)
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels


def trained(tokenizer: PreTrainedTokenizerFast, samples: list[Any]) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    ids, labels = rows(tokenizer, samples)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        loss = model(input_ids=ids, labels=labels).loss
        if loss.item() < ENOUGH:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.generation_config.do_sample = False
    return model.eval()


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = json.load(sys.stdin)
    spoken = [text for messages, answer in given for text in [answer, *(one["content"] or "" for one in messages)]]
    tokenizer_for([*spoken, "user assistant tool system (called)\n"]).save_pretrained(sys.argv[1])
    # Read back as the server will read it: as Qwen's kind, which splits text in a way of its own.
    (Path(sys.argv[1]) / "config.json").write_text('{"model_type": "qwen2"}')
    trained(AutoTokenizer.from_pretrained(sys.argv[1]), given).save_pretrained(sys.argv[1])
