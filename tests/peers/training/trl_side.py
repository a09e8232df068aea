"""One way in which TRL does the work, in a process of its own; prints JSON. `training.py` starts it.

    python trl_side.py WORK MODEL ROWS.json --batch N --rate R

WORK: `sft-rows` a row a target, one at a time; `sft-rows-batched` the same in padded batches; `sft-whole` whole conversations with
loss on the learner's turns alone; `sft-free` the same without padding; `sft-packed` the same, packed to a budget;
`dpo-pair` a pair at a time; `dpo-batched`. References of DPO are computed beforehand, as in TRL's own best way, but for
`dpo-pair`. Order of the data, optimiser, rate and step size are those of our side.
"""

import argparse
import json
import resource
import time

import torch
from datasets import Dataset
from peft import PeftModel
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer


class Losses(TrainerCallback):
    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self.logs.append(logs)


class Ready(DPOTrainer):
    """Takes pairs that are tokenised already."""

    def _prepare_dataset(self, dataset, *args, **kwargs):
        return dataset


def settings(options, micro, accumulate):
    return dict(
        output_dir="/tmp/peers-trl", per_device_train_batch_size=micro, gradient_accumulation_steps=accumulate,
        num_train_epochs=1, learning_rate=options.rate, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0,
        train_sampling_strategy="sequential", logging_steps=1, logging_strategy="steps", save_strategy="no",
        report_to="none", use_cpu=True, bf16=False, disable_tqdm=True, max_length=None, gradient_checkpointing=False,
        seed=7,
    )


def sft(options, data, model, tokenizer):
    conversations, way = data["conversations"], options.work.removeprefix("sft-")
    rows = []
    for conversation in conversations:
        tokens, labels = conversation["tokens"], [-100] * len(conversation["tokens"])
        for start, length in conversation["spans"]:
            labels[start:start + length] = tokens[start:start + length]
            if way.startswith("rows"):
                rows.append(dict(input_ids=tokens[:start + length], labels=[-100] * start + tokens[start:start + length]))
        if not way.startswith("rows"):
            rows.append(dict(input_ids=tokens, labels=labels))
    if way.startswith("rows"):
        # As many targets a step as our side has, on average.
        step = max(1, round(options.batch * len(rows) / len(conversations)))
        micro, accumulate = (1, step) if way == "rows" else (options.batch, max(1, step // options.batch))
    elif way == "whole":
        micro, accumulate = options.batch, 1
    elif way == "free":
        micro, accumulate = options.batch, 1
    else:
        micro, accumulate = 1, 1
    config = settings(options, micro, accumulate)
    if way == "free":
        config.update(padding_free=True)
    if way == "packed":
        config.update(packing=True, max_length=options.budget)
    callback = Losses()
    trainer = SFTTrainer(model=model, args=SFTConfig(**config), train_dataset=Dataset.from_list(rows),
                         processing_class=tokenizer, callbacks=[callback])
    return trainer, callback, sum(len(r["input_ids"]) for r in rows), micro * accumulate, rows


def dpo(options, data, model, tokenizer):
    rows = [dict(prompt_ids=p["prompt"], chosen_ids=p["chosen"], rejected_ids=p["rejected"]) for p in data["pairs"]]
    micro, accumulate = (1, options.batch) if options.work == "dpo-pair" else (options.batch, 1)
    config = settings(options, micro, accumulate)
    config.update(beta=options.beta, precompute_ref_log_probs=options.work != "dpo-pair", remove_unused_columns=False,
                  precompute_ref_batch_size=micro)
    callback = Losses()
    trainer = Ready(model=model, args=DPOConfig(**config), train_dataset=Dataset.from_list(rows),
                    processing_class=tokenizer, callbacks=[callback])
    tokens = sum(2 * len(r["prompt_ids"]) + len(r["chosen_ids"]) + len(r["rejected_ids"]) for r in rows)
    return trainer, callback, tokens, micro * accumulate, rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("model")
    parser.add_argument("rows")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--budget", type=int, default=4096)
    parser.add_argument("--rate", type=float, default=1e-6)
    parser.add_argument("--adapter", help="a folder of PEFT's to train")
    parser.add_argument("--beta", type=float, default=0.1)
    options = parser.parse_args()
    with open(options.rows) as file:
        data = json.load(file)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(options.model + "/tokenizer.json"))
    tokenizer.pad_token = tokenizer.eos_token = tokenizer.convert_ids_to_tokens(data["stop"])
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    if options.adapter:
        model = PeftModel.from_pretrained(model, options.adapter, is_trainable=True)
    kind = sft if options.work.startswith("sft") else dpo
    # References that are computed beforehand are part of the work.
    started, on_cores = time.perf_counter(), time.process_time()
    trainer, callback, tokens, step, rows = kind(options, data, model, tokenizer)
    prepared = time.perf_counter() - started
    trainer.train()
    seconds, cpu = time.perf_counter() - started, time.process_time() - on_cores
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    losses = [log["loss"] for log in callback.logs]
    result = dict(seconds=seconds, cpu=cpu, prepared=prepared, tokens=tokens, losses=losses, peak_mib=peak)
    mean = lambda values, weights: sum(v * w for v, w in zip(values, weights)) / sum(weights)
    if options.work in ("sft-rows", "sft-rows-batched", "sft-whole", "sft-free"):
        targets = [sum(label != -100 for label in row["labels"]) for row in rows]
        weights = [sum(targets[i:i + step]) for i in range(0, len(targets), step)]
        if len(weights) == len(losses):
            result["loss"] = mean(losses, weights)
    if kind is dpo:
        weights = [min(step, len(rows) - i) for i in range(0, len(rows), step)]
        result["loss"] = mean(losses, weights)
        result["chosen_log_prob"] = mean([log["logps/chosen"] for log in callback.logs], weights)
        result["pairs"] = len(rows)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
