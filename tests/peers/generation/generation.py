"""Decoding behind real prompts: transformers and ours, in the same run. See README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--work", choices=["generate", "group"], default="generate")
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8], help="prompts at a time (generate)")
    parser.add_argument("--new", type=int, default=64, help="tokens of a text or turn")
    parser.add_argument("--samples", type=int, default=8, help="learners of a group")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--groups", type=int, default=2)
    options = parser.parse_args()
    folder = common.model_folder(options)
    rows = common.export(options, folder)
    side = Path(__file__).with_name("hf_side.py")
    for batch in options.batch if options.work == "generate" else [options.samples]:
        keys = dict(batch=batch, new=options.new, samples=options.samples, turns=options.turns, groups=options.groups)
        flags = [part for key, value in keys.items() for part in (f"--{key}", value)]
        def transformers(*more):
            return common.run([sys.executable, side, options.work, folder, rows, *flags, *more], options)

        ways = {
            "ours": lambda: common.ours(options, folder, rows, options.work, **keys),
            "ours, one token a pass": lambda: common.ours(options, folder, rows, options.work, guess=0, **keys),
            "transformers": transformers,
        }
        if batch == 1 and options.work == "generate":
            # Its own way to guess, which takes one text at a time.
            ways["transformers, lookup"] = lambda: transformers("--lookup", 10)
        results = common.best(ways, options.repeat)
        for result in results.values():
            result["tokens/s"] = result["tokens"] / result["seconds"]
        if options.work == "generate":
            def same(other):
                return sum(a == b for a, b in zip(results["ours"]["written"], results[other]["written"]))

            print(f"generate, model {options.model}, batch {batch}, {options.new} tokens, {options.threads} threads; of "
                  f"{len(results['ours']['written'])} texts {same('transformers')} are those of transformers, "
                  f"{same('ours, one token a pass')} those of one token a pass")
        else:
            for result in results.values():
                result["rollouts/s"] = result["rollouts"] / result["seconds"]
            print(f"group, model {options.model}, {options.samples} learners, {options.turns} turns of {options.new} "
                  f"tokens, {options.threads} threads")
        common.table(results, ["tokens", "tokens/s", "rollouts/s", "peak_mib"])


if __name__ == "__main__":
    main()
