"""What the comparisons share: models to work on, the configuration that both sides read, and processes to run.

Every measurement is a process of its own, so that its peak memory is its own, with the same number of threads.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A tiny model with a large vocabulary, and the one of about 15 million weights; both with random weights.
SHAPES = {
    "tiny": dict(hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                 head_dim=32),
    "small": dict(hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
                  num_key_value_heads=2, head_dim=64),
}


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with course.yaml and traces.jsonl")
    parser.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json; of `tiny` and `small`")
    parser.add_argument("--model", default="small", help="tiny, small, or the folder of a pretrained model")
    parser.add_argument("--take", type=int, default=16, help="training trajectories to use")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=2048, help="longest conversation")
    parser.add_argument("--scratch", type=Path, default=Path("peers-scratch"), help="folder for models and data")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/examples/peer_work")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each way, in turns; the fastest counts")
    return parser


def model_folder(options):
    """The model's folder, made when it is one of ours."""
    if options.model not in SHAPES:
        return Path(options.model).resolve()
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM, Qwen3Config

    if options.tokenizer is None:
        sys.exit("--tokenizer is needed for a model with random weights")
    entries = Tokenizer.from_file(str(options.tokenizer / "tokenizer.json")).get_vocab_size(with_added_tokens=True)
    # Checkpoints pad their embedding; Qwen's to 151,936 rows.
    vocabulary = 151_936 if entries > 150_000 else (entries + 127) // 128 * 128
    folder = (options.scratch / f"{options.model}-{vocabulary}").resolve()
    if not (folder / "config.json").exists():
        torch.manual_seed(7)
        config = Qwen3Config(vocab_size=vocabulary, tie_word_embeddings=True, max_position_embeddings=8192,
                             **SHAPES[options.model])
        AutoModelForCausalLM.from_config(config).float().save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            if (options.tokenizer / name).exists():
                shutil.copy(options.tokenizer / name, folder / name)
    return folder


def configuration(options, folder):
    """The YAML with which our side makes tokens: the first trajectories of at least three submissions."""
    options.scratch.mkdir(parents=True, exist_ok=True)
    trajectories = {}
    with open(options.data / "traces.jsonl") as file:
        for line in file:
            record = json.loads(line)
            trajectories.setdefault((record["student"], record["problem"]), []).append(line)
    long = [lines for lines in trajectories.values() if len(lines) >= 3][:options.take]
    traces = options.scratch.resolve() / "traces.jsonl"
    traces.write_text("".join(line for lines in long for line in lines))
    settings = {
        "data": {"course": str((options.data / "course.yaml").resolve()), "source": "native", "traces": str(traces),
                 "split": {"by": "student", "held_out_students": 0.0}},
        "dialogue": {"system_prompt": "", "max_tokens": options.max_tokens, "reserve_tokens": options.max_tokens // 4},
        "dpo": {"pairs": "next"},
        "tokenizer": {"path": str(folder)},
        "sandbox": {"timeout_ms": 250},
        "threads": options.threads,
    }
    path = options.scratch / "peers.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(settings))
    return path


def run(command, options):
    """A process with the given number of threads; its last line of output is JSON.

    Threads that wait for each other spin for a moment and then sleep, on both sides, as the program does by itself.
    """
    threads = str(options.threads)
    environment = dict(os.environ, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="3000", TOKENIZERS_PARALLELISM="false",
                       PYTHONWARNINGS="ignore", TRANSFORMERS_VERBOSITY="error", TRL_EXPERIMENTAL_SILENCE="1")
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit status {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(options, folder, rows, work, **keys):
    keys = dict(keys, threads=options.threads)
    return run([options.binary, work, folder, rows, *(f"{key}={value}" for key, value in keys.items())], options)


def export(options, folder):
    """Writes the rows of both sides; returns the file."""
    path = options.scratch.resolve() / "rows.json"
    run([options.binary, "export", configuration(options, folder), f"out={path}"], options)
    return path


def best(ways, repeat):
    """Runs every way in turn, `repeat` times; the fastest run of each."""
    results = {}
    for _ in range(repeat):
        for name, way in ways.items():
            print(f"  {name} …", file=sys.stderr, flush=True)
            result = way()
            if name not in results or result["seconds"] < results[name]["seconds"]:
                results[name] = result
    return results


def table(results, columns, reference="ours"):
    """One line a way: seconds by the wall clock and on cores, each with the ratio to ours."""
    print(f"{'way':24} {'seconds':>9} {'ratio':>6} {'on cores':>9} {'ratio':>6} " + " ".join(f"{c:>12}" for c in columns))
    ours = results[reference]
    for name, result in results.items():
        cells = []
        for column in columns:
            value = result.get(column)
            cells.append(f"{value:12.4f}" if isinstance(value, float) else f"{'' if value is None else value:>12}")
        print(f"{name:24} {result['seconds']:9.2f} {result['seconds'] / ours['seconds']:6.2f} {result['cpu']:9.2f} "
              f"{result['cpu'] / ours['cpu']:6.2f} " + " ".join(cells), flush=True)
