"""Prints the fixture of `cargo test`: what transformers computes for tiny checkpoints whose weights follow a formula.

    python golden.py > ../../../trainer/src/model/parity.json

With the parameters sorted by name, element i of number n is `scale * sin(0.7 i + n)`, norms 1 + 0.2 of that, computed in
float64 and rounded to float32. So both sides have the same weights and no checkpoint needs to be kept.
"""

import json

import torch
import transformers

TINY = dict(
    vocab_size=12,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=100.0)
LLAMA3 = dict(
    rope_type="llama3",
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
    rope_theta=100.0,
)
CASES = [
    dict(model_type="qwen3", head_dim=4, tie_word_embeddings=True, **TINY),
    dict(model_type="qwen3", head_dim=6, rope_parameters=YARN, attention_bias=True, **TINY),
    dict(model_type="qwen2", rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=100.0), **TINY),
    dict(model_type="llama", head_dim=8, attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3, **TINY),
]
TOKENS = [(5 * i + i * i // 3) % 12 for i in range(30)]


def main():
    cases = []
    for fields in CASES:
        fields = dict(fields)
        config = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
        model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        with torch.no_grad():
            for number, (name, parameter) in enumerate(sorted(model.named_parameters())):
                ramp = torch.arange(parameter.numel(), dtype=torch.float64)
                wave = torch.sin(0.7 * ramp + number).view(parameter.shape)
                parameter.copy_((1 + 0.2 * wave if "norm" in name else 0.5 * wave).float())
            logits = model(torch.tensor([TOKENS])).logits[0]
        cases.append(dict(config=config.to_dict(), logits=[[round(x, 6) for x in row] for row in logits.tolist()]))
    print(json.dumps(dict(transformers=transformers.__version__, tokens=TOKENS, cases=cases)))


if __name__ == "__main__":
    main()
