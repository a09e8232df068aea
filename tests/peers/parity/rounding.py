"""What float32 does to log-probs: those that were recorded when a run's first DAPO step drew its rollouts, and those of
`transformers` in float32, beside `transformers` in float64.

    python rounding.py RUN MODEL [--rollouts 24] [--temperature 0.7]

RUN is the folder of the run, with `rollouts/`; MODEL the folder of the model that its DAPO began with; the temperature the run's.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def log_probs(model, tokens, drawn, temperature):
    """Of the tokens at the positions `drawn`; the head in float64, so that only the hidden states differ."""
    with torch.no_grad():
        hidden = model.model(torch.tensor([tokens])).last_hidden_state[0, torch.tensor(drawn) - 1].double()
        scores = torch.log_softmax(hidden @ model.lm_head.weight.double().T / temperature, -1)
    return scores[torch.arange(len(drawn)), torch.tensor([tokens[at] for at in drawn])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rollouts", type=int, default=24)
    parser.add_argument("--temperature", type=float, default=0.7)
    options = parser.parse_args()
    kinds = {"float64": (torch.float64, "eager"), "float32, eager": (torch.float32, "eager"),
             "float32, sdpa": (torch.float32, "sdpa")}
    models = {name: AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype, attn_implementation=attention).eval()
              for name, (dtype, attention) in kinds.items()}
    columns = {name: [] for name in ["recorded", *models]}
    with open(options.run / "rollouts/000001.jsonl") as file:
        for line in list(file)[:options.rollouts]:
            rollout = json.loads(line)
            tokens, behind = rollout["prompt"] + rollout["ids"], len(rollout["prompt"])
            drawn = [behind + at for at, own in enumerate(rollout["mask"]) if own]
            columns["recorded"].append(torch.tensor([rollout["log_probs"][at - behind] for at in drawn], dtype=torch.float64))
            for name, model in models.items():
                columns[name].append(log_probs(model, tokens, drawn, options.temperature))
    exact = torch.cat(columns.pop("float64"))
    print(f"{len(exact)} tokens, difference from float64")
    for name, parts in columns.items():
        apart = (torch.cat(parts) - exact).abs()
        print(f"{name:16} largest {apart.max():.2e}, root mean square {apart.square().mean().sqrt():.2e}")


if __name__ == "__main__":
    main()
