#!/usr/bin/env python3
"""Transformers and PEFT at the work that bench.sh gives a program of ours: the same weights, rows, batches and adapters.

    with_peft.py versions
    with_peft.py train MODEL ROWS.jsonl METRICS.jsonl --steps N [options: --help]
    with_peft.py generate MODEL IDS --max-new-tokens N [--dtype ...]

`train` writes a line to METRICS a step, with the keys that our metrics.jsonl has (step, loss, tokens_per_second, seconds); tokens
are those of the rows, padding left out. Rows are taken in the file's order, and batches padded to their longest. `generate`
continues IDS (numbers with commas) greedily, after a short run that warms up, and prints prompt_tokens_per_second and
decode_tokens_per_second. On the CPU, with --threads threads.
"""

import argparse
import json
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("versions")
    train = commands.add_parser("train")
    train.add_argument("model")
    train.add_argument("rows")
    train.add_argument("metrics")
    train.add_argument("--steps", type=int, required=True)
    train.add_argument("--r", type=int, required=True)
    train.add_argument("--alpha", type=float, required=True)
    train.add_argument("--dropout", type=float, required=True)
    train.add_argument("--targets", required=True, help="names with commas, or all-linear")
    train.add_argument("--batch", type=int, required=True, help="rows in a micro-batch")
    train.add_argument("--accumulation", type=int, required=True, help="micro-batches in a step")
    train.add_argument("--learning-rate", type=float, default=2e-4)
    train.add_argument("--checkpointing", action="store_true")
    generate = commands.add_parser("generate")
    generate.add_argument("model")
    generate.add_argument("ids")
    generate.add_argument("--max-new-tokens", type=int, required=True)
    for command in (train, generate):
        command.add_argument("--dtype", choices=("bf16", "fp32"), required=True)
        command.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def versions():
    import peft
    import torch
    import transformers

    print(f"Transformers {transformers.__version__}, PEFT {peft.__version__}, torch {torch.__version__}")


def load_model(options):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(options.threads)
    torch.manual_seed(42)
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[options.dtype]
    return AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, attn_implementation="sdpa")


def add_adapter(model, options):
    from peft import LoraConfig, get_peft_model

    if options.checkpointing:
        model.config.use_cache = False
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    targets = options.targets if options.targets == "all-linear" else options.targets.split(",")
    config = LoraConfig(r=options.r, lora_alpha=options.alpha, lora_dropout=options.dropout, target_modules=targets,
                        task_type="CAUSAL_LM")
    return get_peft_model(model, config).train()


def padded(rows):
    """One micro-batch as tensors [rows, longest]; padding is masked and has no label."""
    import torch

    width = max(len(row["input_ids"]) for row in rows)

    def tensor(lists, filler):
        return torch.tensor([values + [filler] * (width - len(values)) for values in lists])

    return {
        "input_ids": tensor([row["input_ids"] for row in rows], 0),
        "attention_mask": tensor([[1] * len(row["input_ids"]) for row in rows], 0),
        "labels": tensor([row["labels"] for row in rows], -100),
    }


def optimizer_step(model, optimizer, rows, batch):
    """Returns the mean loss over the trained tokens of all `rows`, as the Trainer reckons it over micro-batches."""
    import torch

    trained_tokens = sum(label != -100 for row in rows for label in row["labels"][1:])
    loss_sum = 0.0
    for at in range(0, len(rows), batch):
        loss = model(**padded(rows[at : at + batch]), num_items_in_batch=trained_tokens).loss
        loss.backward()
        loss_sum += loss.item()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss_sum


def train(options):
    import torch

    with open(options.rows, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    model = add_adapter(load_model(options), options)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=0.0)
    per_step = options.batch * options.accumulation
    with open(options.metrics, "w", encoding="utf-8") as metrics:
        for step in range(options.steps):
            chosen = rows[step * per_step : (step + 1) * per_step]
            began = time.perf_counter()
            loss = optimizer_step(model, optimizer, chosen, options.batch)
            seconds = time.perf_counter() - began
            tokens = sum(len(row["input_ids"]) for row in chosen)
            line = {"step": step + 1, "loss": loss, "tokens_per_second": tokens / seconds, "seconds": seconds}
            print(json.dumps(line, separators=(",", ":")), file=metrics, flush=True)


def generate(options):
    import torch

    model = load_model(options).eval()
    ids = torch.tensor([[int(part) for part in options.ids.split(",")]])

    def seconds(prompt, count):
        began = time.perf_counter()
        with torch.no_grad():
            model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, min_new_tokens=count,
                           do_sample=False, pad_token_id=0)
        return time.perf_counter() - began

    seconds(ids[:, :8], 2)
    prompt_seconds = seconds(ids, 1)
    decode_seconds = seconds(ids, options.max_new_tokens) - prompt_seconds
    print(json.dumps({
        "prompt_tokens_per_second": ids.shape[1] / prompt_seconds,
        "decode_tokens_per_second": (options.max_new_tokens - 1) / decode_seconds,
    }))


def main():
    options = arguments()
    if options.command == "versions":
        versions()
    elif options.command == "train":
        train(options)
    else:
        generate(options)


if __name__ == "__main__":
    main()
