"""Compares our logits with those of transformers and PEFT on random tiny checkpoints.

    PYTHON=/path/to/python ./run.sh        (or: python parity.py --binary target/release/examples/logits)

With `--pretrained`, folders of other checkpoints as well. Each case is a checkpoint that transformers saves, with one more
option of its configuration than the last. Compared are float32 logits of a row of tokens (limit 1e-4, or a hundred-thousandth
of the largest logit), bfloat16 logits (both sides run in bfloat16; limit 2 % of the largest logit, as the order of roundings
inside the kernels differs), and folders that our side saved, plain and with adapters folded in, loaded by transformers (the
first limit again). Then adapters, of every kind in turn (LoRA, rank-stabilised, DoRA, both, on all projections or some): a
folder that PEFT wrote, read by us; one that we wrote, read by PEFT, plain and merged there (the same).
Exit status 1 when a limit is passed.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, Qwen2Config, Qwen3Config

TINY = dict(
    vocab_size=211,
    hidden_size=48,
    intermediate_size=80,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    max_position_embeddings=512,
    initializer_range=0.2,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
    rope_theta=10000.0,
)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=10000.0)


def rope(**kind):
    return dict(rope_parameters=kind)


# name, configuration class, fields, save options
CASES = [
    ("qwen3", Qwen3Config, dict(head_dim=16), {}),
    ("qwen3 tied", Qwen3Config, dict(head_dim=16, tie_word_embeddings=True), {}),
    ("qwen3 biases, no GQA", Qwen3Config, dict(head_dim=8, attention_bias=True, num_key_value_heads=6), {}),
    ("qwen3 one key head", Qwen3Config, dict(head_dim=16, num_key_value_heads=1), {}),
    ("qwen3 theta 1e6", Qwen3Config, dict(head_dim=16, **rope(rope_type="default", rope_theta=1e6)), {}),
    ("qwen3 yarn", Qwen3Config, dict(head_dim=16, **rope(**YARN)), {}),
    ("qwen3 yarn, all options", Qwen3Config,
     dict(head_dim=32, **rope(**YARN, beta_fast=16.0, beta_slow=2.0, attention_factor=1.3, truncate=False)), {}),
    ("qwen3 yarn mscale", Qwen3Config,
     dict(head_dim=16, **rope(**YARN, mscale=1.0, mscale_all_dim=0.5)), {}),
    ("qwen3 sharded", Qwen3Config, dict(head_dim=16), dict(max_shard_size="40KB")),
    ("llama dynamic, short of it", LlamaConfig, dict(**rope(rope_type="dynamic", factor=2.0, rope_theta=10000.0)), {}),
    ("qwen3 eps 1e-3", Qwen3Config, dict(head_dim=16, rms_norm_eps=1e-3), {}),
    ("qwen2", Qwen2Config, dict(), {}),
    ("qwen2 tied", Qwen2Config, dict(tie_word_embeddings=True), {}),
    ("qwen2 yarn", Qwen2Config, dict(**rope(**YARN)), {}),
    ("qwen2 sharded, tied", Qwen2Config, dict(tie_word_embeddings=True), dict(max_shard_size="40KB")),
    ("llama", LlamaConfig, dict(), {}),
    ("llama tied", LlamaConfig, dict(tie_word_embeddings=True), {}),
    ("llama biases", LlamaConfig, dict(attention_bias=True, mlp_bias=True), {}),
    ("llama head_dim 20", LlamaConfig, dict(head_dim=20), {}),
    ("llama linear", LlamaConfig, dict(**rope(rope_type="linear", factor=3.0, rope_theta=500.0)), {}),
    ("llama llama3", LlamaConfig, dict(**rope(**LLAMA3)), {}),
    ("llama llama3, old layout", LlamaConfig, dict(**rope(**LLAMA3)), dict(old_layout=True)),
    ("qwen3 yarn, old layout", Qwen3Config, dict(head_dim=16, **rope(**YARN)), dict(old_layout=True)),
    ("llama stored in bfloat16", LlamaConfig, dict(), dict(stored=torch.bfloat16)),
    ("llama stored in float16", LlamaConfig, dict(), dict(stored=torch.float16)),
]


def build(config_class, fields, seed):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config_class(**{**TINY, **fields})).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Norms begin at one and biases at zero: move them, or they would not be tested.
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


def old_layout(folder):
    """The rotary fields as transformers 4 wrote them."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters.pop("rope_theta")
    config["rope_scaling"] = parameters
    path.write_text(json.dumps(config, indent=2))


def theirs(folder, tokens, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float()


# Options of PEFT's configuration, and of ours where we make the adapter.
ADAPTERS = [
    (dict(r=4), []),
    (dict(r=4, use_rslora=True, lora_alpha=3), ["--rslora"]),
    (dict(r=4, use_dora=True), ["--dora"]),
    (dict(r=4, use_dora=True, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"]), ["--rslora", "--dora"]),
    (dict(r=2, lora_dropout=0.1, target_modules=["up_proj", "v_proj"], layers_to_transform=[0, 2]), []),
    (dict(r=2, target_modules=r".*\.(1|2)\.(mlp\.up_proj|self_attn\.o_proj)"), []),
]


def with_adapter(folder, out, options, seed):
    """An adapter that PEFT makes and saves to `out`; the logits with it."""
    torch.manual_seed(seed)
    settings = dict(dict(target_modules="all-linear", task_type="CAUSAL_LM"), **options)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), peft.LoraConfig(**settings))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "magnitude" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(out)
    return model.eval()


def peft_logits(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float()


def ours(binary, folder, tokens, *options):
    command = [str(binary), str(folder), *options, *map(str, tokens)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:2])}: exit status {done.returncode}")
    return torch.tensor(json.loads(done.stdout))


def apart(a, b):
    return (a - b).abs().max().item()


def figures(binary, folder, tokens, scratch, number):
    """What is compared, of one checkpoint: pairs of a difference and its limit; and the largest logit."""
    saved, folded, their_adapter, our_adapter = (scratch / part for part in ("ours", "folded", "their-adapter", "our-adapter"))
    want = theirs(folder, tokens)
    plain = ours(binary, folder, tokens, "--save", str(saved))
    adapted = ours(binary, folder, tokens, "--lora", "--save", str(folded))
    wide = want.abs().max().item()
    limit = max(1e-4, 1e-5 * wide)
    found = [
        (apart(plain, want), limit),
        (apart(theirs(saved, tokens), plain), limit),
        (apart(theirs(folded, tokens), adapted), limit),
        (apart(ours(binary, folder, tokens, "--dtype", "bfloat16"), theirs(folder, tokens, torch.bfloat16)), 0.02 * wide),
    ]
    if apart(adapted, plain) < 1e-2:
        sys.exit(f"{folder}: the adapters change nothing")
    options, ours_too = ADAPTERS[number % len(ADAPTERS)]
    want = peft_logits(with_adapter(folder, their_adapter, options, number), tokens)
    if apart(want, plain) < 1e-2:
        sys.exit(f"{folder}: PEFT's adapter changes nothing")
    found.append((apart(ours(binary, folder, tokens, "--adapter", str(their_adapter)), want), limit))
    adapted = ours(binary, folder, tokens, "--lora", *ours_too, "--save-adapter", str(our_adapter))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = peft.PeftModel.from_pretrained(model, our_adapter).eval()
    found.append((apart(peft_logits(model, tokens), adapted), limit))
    found.append((apart(peft_logits(model.merge_and_unload(), tokens), adapted), limit))
    return found, wide


def made(length):
    """Random checkpoints: name, folder, tokens. A folder goes when the next one is asked for."""
    for number, (name, config_class, fields, options) in enumerate(CASES):
        draw = random.Random(number)
        tokens = [draw.randrange(TINY["vocab_size"]) for _ in range(length)]
        model = build(config_class, fields, number)
        if "stored" in options:
            model = model.to(options["stored"])
        shards = {k: v for k, v in options.items() if k == "max_shard_size"}
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            model.save_pretrained(folder, **shards)
            if shards and not (folder / "model.safetensors.index.json").exists():
                sys.exit(f"{name}: transformers wrote no shards")
            if options.get("old_layout"):
                old_layout(folder)
            yield name, folder, tokens


def given(folders, length):
    """Checkpoints of the user's, which read this file."""
    text = Path(__file__).read_text()
    for folder in folders:
        yield folder.name, folder, AutoTokenizer.from_pretrained(folder)(text)["input_ids"][:length]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--length", type=int, default=150)
    parser.add_argument("--pretrained", type=Path, nargs="*", default=[], help="folders of checkpoints to compare as well")
    arguments = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}, {arguments.length} tokens")
    print(f"{'checkpoint':28} {'float32':>9} {'saved':>9} {'adapters':>9} {'bfloat16':>9} {'peft to':>9} {'peft from':>9} {'merged':>9} {'largest logit':>14}")
    failed = False
    cases = itertools.chain(made(arguments.length), given(arguments.pretrained, arguments.length))
    for number, (name, folder, tokens) in enumerate(cases):
        with tempfile.TemporaryDirectory() as scratch:
            found, wide = figures(arguments.binary, folder, tokens, Path(scratch), number)
        bad = any(figure > limit for figure, limit in found)
        failed |= bad
        columns = " ".join(f"{figure:9.1e}" for figure, _ in found)
        print(f"{name:28} {columns} {wide:14.2f} {'  <- too far' if bad else ''}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
