"""An epoch of SFT or DPO on real trajectories: TRL in its ways, and ours, in the same run. See README.md."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

WAYS = {
    "sft": ["sft-rows", "sft-rows-batched", "sft-whole", "sft-free", "sft-packed"],
    "dpo": ["dpo-pair", "dpo-batched"],
}


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--work", choices=WAYS, default="sft")
    parser.add_argument("--ways", nargs="*", help="some of TRL's ways only")
    parser.add_argument("--batch", type=int, default=4, help="trajectories (sft) or pairs (dpo) a step")
    parser.add_argument("--budget", type=int, default=4096, help="tokens of our passes and of TRL's packs")
    parser.add_argument("--rate", type=float, default=1e-6, help="small: the losses of all ways stay comparable")
    options = parser.parse_args()
    folder = common.model_folder(options)
    rows = common.export(options, folder)
    if options.work == "dpo" and not json.loads(rows.read_text())["pairs"]:
        sys.exit(f"--take {options.take}: these trajectories have no preference pairs; take more")
    side = Path(__file__).with_name("trl_side.py")
    shared = ["--batch", options.batch, "--budget", options.budget, "--rate", options.rate]
    ways = {"ours": lambda: common.ours(options, folder, rows, options.work, batch=options.batch,
                                        budget=options.budget, rate=options.rate)}
    for way in options.ways or WAYS[options.work]:
        ways[f"TRL {way}"] = lambda way=way: common.run([sys.executable, side, way, folder, rows, *shared], options)
    results = common.best(ways, options.repeat)
    columns = ["tokens", "loss", "peak_mib"] + (["chosen_log_prob"] if options.work == "dpo" else [])
    print(f"{options.work}, model {options.model}, {options.take} trajectories, {options.threads} threads")
    common.table(results, columns)


if __name__ == "__main__":
    main()
