"""Prints the fixture of the preference losses: what TRL's own code gives for fixed log-probs.

    python golden.py > ../../../trainer/src/objective/golden.json

TRL's `DPOTrainer._compute_loss` and `CPOTrainer.cpo_loss` are called as they are, with a stand-in for the model that
returns the given log-probs of the answers' tokens; the derivative by each token's log-prob is autograd's. Which of TRL's
losses is which of ours: `sigmoid`, `robust`, `hinge`, `ipo` by name; `length_normalised` is `sigmoid_norm`, `kto` is
`apo_zero`, `simpo` is the CPO trainer's. TRL's `sigmoid` has no label smoothing any more; CPO's has, and is compared with a
reference of 0.
"""

import collections
import json
from types import SimpleNamespace

import torch
import trl
from trl import DPOTrainer
from trl.experimental.cpo import CPOTrainer

# Log-probs of the tokens of (chosen, rejected), and the sums under the reference.
PAIRS = [
    ([-0.5, -1.25, -0.125], -2.5, [-2.0, -0.75], -2.25),
    ([-3.0, -0.25], -2.0, [-0.5, -0.5, -0.5, -1.0, -0.25], -4.5),
    ([-0.0625] * 7, -1.5, [-4.0, -0.125, -2.0], -5.0),
    ([-1.0], -1.0, [-1.5, -0.5], -2.0),
]
CASES = [
    dict(loss="sigmoid", trl="sigmoid", beta=0.1),
    dict(loss="sigmoid", trl="sigmoid", beta=0.7),
    dict(loss="robust", trl="robust", beta=0.5, label_smoothing=0.1),
    dict(loss="robust", trl="robust", beta=0.5),
    dict(loss="hinge", trl="hinge", beta=0.9),
    dict(loss="ipo", trl="ipo", beta=0.3),
    dict(loss="length_normalised", trl="sigmoid_norm", beta=2.0),
    dict(loss="kto", trl="apo_zero", beta=0.4),
    dict(loss="simpo", trl="simpo", beta=2.0, gamma=0.5),
    dict(loss="simpo", trl="simpo", beta=1.5, gamma=1.0, label_smoothing=0.2),
]


class Accelerator:
    device = torch.device("cpu")

    def gather(self, x):
        return x

    gather_for_metrics = gather


def rows():
    """Answers as TRL batches them, all chosen ones and then all rejected ones: log-probs and which are there."""
    answers = [pair[0] for pair in PAIRS] + [pair[2] for pair in PAIRS]
    width = max(map(len, answers))
    log_probs = torch.tensor([a + [0.0] * (width - len(a)) for a in answers], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1] * len(a) + [0] * (width - len(a)) for a in answers])
    return log_probs, mask


def dpo(case, log_probs, mask):
    # A token in front: TRL shifts by one.
    inputs = dict(
        input_ids=torch.zeros(len(mask), mask.shape[1] + 1, dtype=torch.long),
        attention_mask=torch.nn.functional.pad(mask, (1, 0), value=1),
        completion_mask=torch.nn.functional.pad(mask, (1, 0)),
        ref_chosen_logps=torch.tensor([pair[1] for pair in PAIRS], dtype=torch.float64),
        ref_rejected_logps=torch.tensor([pair[3] for pair in PAIRS], dtype=torch.float64),
    )
    zeros = torch.zeros_like(log_probs)
    outputs = SimpleNamespace(log_probs=log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=Accelerator(), aux_loss_enabled=False, ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=[case["trl"]], loss_weights=[1.0],
        beta=case["beta"], label_smoothing=case["label_smoothing"], use_weighting=False,
        _metrics=dict(train=collections.defaultdict(list)), _total_train_tokens=0, _tp_size=1,
    )
    return DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, False)


def simpo(case, log_probs, mask):
    trainer = SimpleNamespace(
        alpha=0.0, accelerator=Accelerator(), beta=case["beta"], simpo_gamma=case["gamma"], loss_type="simpo",
        label_smoothing=case["label_smoothing"],
    )
    means = log_probs.sum(1) / mask.sum(1)
    return CPOTrainer.cpo_loss(trainer, *means.chunk(2))[0].mean()


def main():
    cases = []
    for case in CASES:
        case = dict(dict(label_smoothing=0.0, gamma=0.0), **case)
        log_probs, mask = rows()
        loss = (simpo if case["trl"] == "simpo" else dpo)(case, log_probs, mask)
        loss.backward()
        chosen, rejected = log_probs.grad[:, 0].chunk(2)
        cases.append(dict(case, value=loss.item(), grad=[list(pair) for pair in zip(chosen.tolist(), rejected.tolist())]))
    answer = lambda log_probs, reference: dict(log_probs=log_probs, reference=reference)
    pairs = [dict(chosen=answer(*pair[:2]), rejected=answer(*pair[2:])) for pair in PAIRS]
    print(json.dumps(dict(trl=trl.__version__, pairs=pairs, cases=cases), indent=1))


if __name__ == "__main__":
    main()
