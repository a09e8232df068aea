"""Time and memory as the work grows, ours and the row-by-row way, on made-up tokens.

    python growth.py --tokenizer FOLDER [--model small] [--submissions 2 4 8 16 32 64] [--groups 2 4 8 16 32] [--plot growth.svg]

Trajectory length: one conversation of N submissions of 100 tokens with answers of 50, trained once as a tree and as a row
for every submission. Group size: G rollouts of three submissions behind a shared prompt of 600 tokens, trained as one tree
and as one batch of G rows. Both are SFT on the submissions' tokens; rows are TRL's. Prints CSV.
"""

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import common

PROMPT, SUBMISSION, ANSWER = 200, 100, 50


def draw(source, length):
    return [source.randrange(1000) for _ in range(length)]


def conversation(source, submissions, prompt=PROMPT):
    tokens, spans = draw(source, prompt), []
    for _ in range(submissions):
        spans.append([len(tokens), SUBMISSION])
        tokens += draw(source, SUBMISSION + ANSWER)
    return dict(tokens=tokens, spans=spans)


def group(source, size):
    """A tree, and the rows that it stands for. Every rollout is one segment behind the prompt."""
    prompt, segments, spans, rows = draw(source, 600), [], [], []
    segments.append(dict(parent=None, tokens=prompt))
    for branch in range(size):
        one = conversation(source, 3, prompt=0)
        segments.append(dict(parent=0, tokens=one["tokens"]))
        spans += [[branch + 1, start, length] for start, length in one["spans"]]
        rows.append(dict(tokens=prompt + one["tokens"], spans=[[600 + start, length] for start, length in one["spans"]]))
    return dict(segments=segments, spans=spans, pairs=[]), rows


def write(options, **rows):
    path = options.scratch.resolve() / "growth.json"
    empty = dict(conversations=[], trees=[], pairs=[], prompts=[], stop=2, vocabulary=0)
    path.write_text(json.dumps(dict(empty, **rows)))
    return path


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--submissions", type=int, nargs="*", default=[2, 4, 8, 16, 32, 64])
    parser.add_argument("--groups", type=int, nargs="*", default=[2, 4, 8, 16, 32])
    parser.add_argument("--plot", type=Path)
    next(action for action in parser._actions if action.dest == "data").required = False
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    folder = common.model_folder(options)
    side = Path(__file__).with_name("trl_side.py")
    lines = []
    print("work,size,ours_seconds,rows_seconds,ours_on_cores,rows_on_cores,ours_mib,rows_mib")
    for work, sizes in [("submissions", options.submissions), ("group", options.groups)]:
        for size in sizes:
            source = random.Random(size)
            if work == "submissions":
                rows = write(options, conversations=[conversation(source, size)])
                ours = common.ours(options, folder, rows, "sft", budget=1 << 20)
                way, batch = "sft-rows", 1
            else:
                tree, alone = group(source, size)
                rows = write(options, conversations=alone, trees=[tree])
                ours = common.ours(options, folder, rows, "tree", budget=1 << 20)
                way, batch = "sft-whole", size
            theirs = common.run([sys.executable, side, way, folder, rows, "--batch", batch], options)
            line = [ours["seconds"], theirs["seconds"], ours["cpu"], theirs["cpu"], ours["peak_mib"], theirs["peak_mib"]]
            lines.append((work, size, line))
            print(f"{work},{size}," + ",".join(f"{x:.3f}" for x in line), flush=True)
    if options.plot:
        plot(lines, options.plot)


def plot(lines, path):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, 2, figsize=(9, 6))
    for row, (work, label) in enumerate([("submissions", "submissions of a trajectory"), ("group", "rollouts of a group")]):
        some = [(size, line) for name, size, line in lines if name == work]
        if not some:
            continue
        for axes, at, title in [(grid[row][0], 2, "seconds on cores"), (grid[row][1], 4, "peak memory, MiB")]:
            for offset, name in enumerate(["Novice", "TRL, row by row"]):
                axes.plot([s for s, _ in some], [line[at + offset] for _, line in some], marker="o", label=name)
            axes.set(xlabel=label, ylabel=title, xscale="log", yscale="log")
            axes.set_xticks([s for s, _ in some], [str(s) for s, _ in some])
            axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
            axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
