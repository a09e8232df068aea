"""The loss of SFT with LoRA, step by step: TRL's and ours from the same adapter, in the same order, side by side in one plot.

    python curve.py --data FOLDER --model FOLDER [--take 100] [--rate 2e-4] [--plot curve.svg]

A step is one conversation. TRL trains whole conversations with loss on the learner's turns. Prints both curves as CSV and
the largest difference.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common


def new_adapter(folder, out):
    """The adapter that both begin with."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    settings = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    get_peft_model(model, settings).save_pretrained(out)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--plot", type=Path)
    parser.set_defaults(take=100, max_tokens=1024)
    options = parser.parse_args()
    folder = common.model_folder(options)
    rows = common.export(options, folder)
    adapter = options.scratch.resolve() / "adapter"
    new_adapter(folder, adapter)
    side = Path(__file__).with_name("trl_side.py")
    ours = common.ours(options, folder, rows, "sft", batch=1, rate=options.rate, adapter=adapter)
    theirs = common.run([sys.executable, side, "sft-whole", folder, rows, "--batch", 1, "--rate", options.rate,
                         "--adapter", adapter], options)
    print("step,ours,trl")
    pairs = list(zip(ours["losses"], theirs["losses"]))
    for step, (a, b) in enumerate(pairs):
        print(f"{step},{a:.6f},{b:.6f}")
    apart = max(abs(a - b) for a, b in pairs)
    print(f"{len(pairs)} steps; largest difference {apart:.2e}; ours {ours['seconds']:.1f} s ({ours['cpu']:.1f} on cores), "
          f"TRL {theirs['seconds']:.1f} s ({theirs['cpu']:.1f} on cores)", file=sys.stderr)
    if options.plot:
        import matplotlib
        matplotlib.use("svg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(figsize=(7, 3.5))
        axes.plot([b for _, b in pairs], label="TRL", linewidth=3, alpha=0.4)
        axes.plot([a for a, _ in pairs], label="Novice", linewidth=1)
        axes.set(xlabel="step", ylabel="loss, nats a token")
        axes.legend()
        figure.tight_layout()
        figure.savefig(options.plot, metadata={"Date": None})


if __name__ == "__main__":
    main()
