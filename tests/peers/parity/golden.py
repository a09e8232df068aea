"""Prints the fixture of `cargo test`: what transformers computes for tiny checkpoints whose weights follow a formula.

    python golden.py > ../../../trainer/src/model/parity.json

Adapters are those of PEFT. With the parameters sorted by name, element i of number n is `scale * sin(0.7 i + n)`, norms 1 + 0.2 of that, computed in
float64 and rounded to float32. So both sides have the same weights and no checkpoint needs to be kept.
"""

import json

import peft
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
    dict(model_type="llama", head_dim=4, rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=100.0), **TINY),
    dict(model_type="llama", head_dim=8, attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3, **TINY),
]
ADAPTERS = [
    dict(r=3, lora_alpha=4.0),
    dict(r=3, lora_alpha=4.0, use_rslora=True, target_modules=["q_proj", "down_proj"]),
    dict(r=2, lora_alpha=4.0, use_dora=True, target_modules=["q_proj", "v_proj", "gate_proj"]),
]
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOKENS = [(5 * i + i * i // 3) % 12 for i in range(30)]


def wave(parameter, number):
    ramp = torch.arange(parameter.numel(), dtype=torch.float64)
    return torch.sin(0.7 * ramp + number).view(parameter.shape)


def build(fields):
    fields = dict(fields)
    config = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for number, (name, parameter) in enumerate(sorted(model.named_parameters())):
            parameter.copy_((1 + 0.2 * wave(parameter, number) if "norm" in name else 0.5 * wave(parameter, number)).float())
    return config, model


def logits(model):
    with torch.no_grad():
        return [[round(x, 6) for x in row] for row in model(torch.tensor([TOKENS])).logits[0].tolist()]


def adapted(fields, settings):
    """The same model with an adapter whose numbers follow the formula too, times 0.3; magnitudes times 1 + 0.2 of it."""
    settings = dict(dict(target_modules=ALL), **settings)
    model = peft.get_peft_model(build(fields)[1], peft.LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    named = {name.replace(".default", "").removeprefix("base_model.model."): parameter
             for name, parameter in model.named_parameters() if parameter.requires_grad}
    named = {name.replace("magnitude_vector.weight", "magnitude_vector"): p for name, p in named.items()}
    with torch.no_grad():
        for number, (name, parameter) in enumerate(sorted(named.items())):
            turned = wave(parameter, number)
            new = parameter.double() * (1 + 0.2 * turned) if "magnitude" in name else 0.3 * turned
            parameter.copy_(new.float())
    return dict(settings=settings, logits=logits(model))


def main():
    cases = [dict(config=config.to_dict(), logits=logits(model)) for config, model in map(build, CASES)]
    # Of the case with most biases.
    adapters = [adapted(CASES[-1], settings) for settings in ADAPTERS]
    print(json.dumps(dict(transformers=transformers.__version__, peft=peft.__version__, tokens=TOKENS, cases=cases,
                          adapters=adapters)))


if __name__ == "__main__":
    main()
