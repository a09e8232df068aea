"""CodeBLEU of the crate `novice-rewards` beside the package `codebleu` 0.7.0, on pairs of successive submissions.

    python3 -m venv venv && venv/bin/pip install codebleu==0.7.0 tree-sitter-python==0.21.0
    cargo build --release -p novice-rewards --example similarity
    venv/bin/python tests/peers/similarity/compare.py TRACES.jsonl [PAIRS]

TRACES.jsonl has the native form: {"student", "problem", "attempt", "code"} a line. The package's order of names changes with
PYTHONHASHSEED, so each pair is scored under four seeds; a pair agrees when the crate's score is one of them.
"""
import json
import os
import subprocess
import sys

PARTS = ("codebleu", "ngram_match_score", "weighted_ngram_match_score", "syntax_match_score", "dataflow_match_score")

if len(sys.argv) > 1 and sys.argv[1] == "--score":
    import logging

    from codebleu import calc_codebleu

    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        pair = json.loads(line)
        score = calc_codebleu([pair["reference"]], [pair["candidate"]], "python")
        print(json.dumps([score[part] for part in PARTS]))
    sys.exit()

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rows.sort(key=lambda row: (row["student"], row["problem"], row["attempt"]))
pairs = [
    {"reference": b["code"], "candidate": a["code"]}
    for a, b in zip(rows, rows[1:])
    if a["problem"] == b["problem"] and a["code"].strip() and b["code"].strip()
]
wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 400
pairs = pairs[:: max(1, len(pairs) // wanted)][:wanted]
text = "".join(json.dumps(pair) + "\n" for pair in pairs)


def scores(command, seed="0"):
    environment = dict(os.environ, PYTHONHASHSEED=seed)
    run = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


ours = [score["published"] for score in scores(["target/release/examples/similarity"])]
theirs = [scores([sys.executable, __file__, "--score"], seed) for seed in "0123"]
unstable = sum(len({round(run[i][0], 9) for run in theirs}) > 1 for i in range(len(pairs)))
for part, name in enumerate(PARTS):
    gaps = [min(abs(run[i][part] - ours[i][part]) for run in theirs) for i in range(len(pairs))]
    print(f"{name:30} pairs {len(gaps)}  equal to 1e-9: {sum(g < 1e-9 for g in gaps)}  largest gap {max(gaps):.6f}")
    for i in sorted(range(len(pairs)), key=lambda i: -gaps[i])[:3]:
        if gaps[i] >= 1e-9 and os.environ.get("SHOW"):
            print(json.dumps(pairs[i]), ours[i], [run[i] for run in theirs])
print(f"pairs whose score in the package depends on the hash seed: {unstable}")
