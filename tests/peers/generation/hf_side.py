"""What transformers does with the same prompts, in a process of its own; prints JSON. `generation.py` starts it.

    python hf_side.py WORK MODEL ROWS.json --batch N --new N --samples G --turns T

WORK: `generate` greedy decoding in batches padded on the left, every text to its full length; `group` learners over several turns as
TRL's GRPOTrainer plays them with transformers: each turn is a call of `generate` on the whole conversations so far.
"""

import argparse
import json
import resource
import time

import torch
from transformers import AutoModelForCausalLM, GenerationConfig


def batch(rows, pad):
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["generate", "group"])
    parser.add_argument("model")
    parser.add_argument("rows")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--new", type=int, default=128)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--groups", type=int, default=1 << 30)
    parser.add_argument("--answer", type=int, default=48)
    parser.add_argument("--lookup", type=int, help="tokens that transformers looks up in the prompt at a time (batch 1)")
    options = parser.parse_args()
    with open(options.rows) as file:
        data = json.load(file)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    pad = data["stop"]

    def generate(rows, **how):
        ids, mask = batch(rows, pad)
        config = GenerationConfig(max_new_tokens=options.new, min_new_tokens=options.new, pad_token_id=pad,
                                  eos_token_id=None, **how)
        with torch.inference_mode():
            return model.generate(input_ids=ids, attention_mask=mask, generation_config=config)[:, ids.shape[1]:].tolist()

    generate(data["prompts"][:1], do_sample=False)  # warm
    started, on_cores = time.perf_counter(), time.process_time()
    result = dict(written=[], rollouts=0, tokens=0)
    if options.work == "generate":
        for start in range(0, len(data["prompts"]), options.batch):
            rows = data["prompts"][start:start + options.batch]
            result["written"] += generate(rows, do_sample=False, prompt_lookup_num_tokens=options.lookup)
        result["tokens"] = sum(map(len, result["written"]))
    else:
        torch.manual_seed(7)
        answer = [20 + i % 50 for i in range(options.answer)]
        for prompt in data["prompts"][:options.groups]:
            rows = [list(prompt) for _ in range(options.samples)]
            for turn in range(options.turns):
                for row, drawn in zip(rows, generate(rows, do_sample=True, temperature=1.0, top_k=0, top_p=1.0)):
                    row += drawn + (answer if turn + 1 < options.turns else [])
                    result["tokens"] += len(drawn)
            result["rollouts"] += options.samples
    result["seconds"], result["cpu"] = time.perf_counter() - started, time.process_time() - on_cores
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
