"""Prints the fixture of the losses: what TRL's own code gives for fixed log-probs.

    python golden.py > ../../../trainer/src/objective/golden.json

TRL's `DPOTrainer._compute_loss` and `CPOTrainer.cpo_loss` are called as they are, with a stand-in for the model that
returns the given log-probs of the answers' tokens; the derivative by each token's log-prob is autograd's. Which of TRL's
losses is which of ours: `sigmoid`, `robust`, `hinge`, `ipo` by name; `length_normalised` is `sigmoid_norm`, `kto` is
`apo_zero`, `simpo` is the CPO trainer's. TRL's `sigmoid` has no label smoothing any more; CPO's has, and is compared with a
reference of 0.

`GRPOTrainer._compute_loss` is called likewise for DAPO's policy loss: its loss type `dapo` averages as our `step`, `grpo` as our
`rollout`.
"""

import collections
import json
from types import SimpleNamespace

import torch
import trl
from trl import DPOTrainer, GRPOTrainer
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
# Rollouts: log-probs of the tokens now, when they were drawn, and under the reference; the advantage. Ratios within, above and
# below the clips, with either sign of the advantage. All are sums of few powers of two: float32 holds them as they are.
ROLLOUTS = [
    ([-0.5, -1.25, -0.125, -2.0], [-0.5, -1.0, -0.625, -1.875], [-0.75, -1.25, -0.25, -2.5], 0.75),
    ([-3.0, -0.25], [-2.0, -0.75], [-2.5, -0.25], -1.25),
    ([-1.0, -0.5, -0.0625], [-1.0, -0.5625, -0.25], [-1.5, -0.5, -0.125], -0.5),
    ([-0.25], [-1.25], [-0.5], 1.0),
]
POLICIES = [
    dict(average="step", trl="dapo", clip_low=0.2, clip_high=0.28, kl_weight=0.0),
    dict(average="step", trl="dapo", clip_low=0.1, clip_high=0.5, kl_weight=0.25),
    dict(average="rollout", trl="grpo", clip_low=0.2, clip_high=0.28, kl_weight=0.0),
    dict(average="rollout", trl="grpo", clip_low=0.2, clip_high=0.2, kl_weight=0.05),
]


class Accelerator:
    device = torch.device("cpu")
    num_processes = 1

    def reduce(self, x, reduction):
        return x

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


def policy(case):
    """DAPO's policy loss: the value, and its derivative by the log-prob of each token of each rollout."""
    width = max(len(new) for new, *_ in ROLLOUTS)
    padded = lambda rows: torch.tensor([row + [0.0] * (width - len(row)) for row in rows], dtype=torch.float64)
    new, old, reference = (padded([rollout[i] for rollout in ROLLOUTS]) for i in range(3))
    new.requires_grad_()
    mask = torch.tensor([[1] * len(r[0]) + [0] * (width - len(r[0])) for r in ROLLOUTS])
    inputs = dict(
        prompt_ids=torch.zeros(len(mask), 1, dtype=torch.long), prompt_mask=torch.ones(len(mask), 1, dtype=torch.long),
        completion_ids=torch.zeros_like(mask), completion_mask=mask, old_per_token_logps=old, ref_per_token_logps=reference,
        advantages=torch.tensor([r[3] for r in ROLLOUTS], dtype=torch.float64), num_items_in_batch=mask.sum(),
    )
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros_like(new), None),
        model=SimpleNamespace(training=True), accelerator=Accelerator(), aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level="token", beta=case["kl_weight"], loss_type=case["trl"],
        epsilon_low=case["clip_low"], epsilon_high=case["clip_high"], use_vllm=False, _entropy_bonus_enabled=False,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1),
        current_gradient_accumulation_steps=1, _metrics=dict(train=collections.defaultdict(list)),
    )
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    grad = [row[: len(rollout[0])] for row, rollout in zip(new.grad.tolist(), ROLLOUTS)]
    shares = {name: trainer._metrics["train"][f"clip_ratio/{end}_mean"][0] for name, end in [("clipped_low", "low"), ("clipped_high", "high")]}
    return dict(case, value=loss.item(), grad=grad, **shares)


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
    rollouts = [dict(zip(["new", "old", "reference", "advantage"], rollout)) for rollout in ROLLOUTS]
    policies = [policy(case) for case in POLICIES]
    print(json.dumps(dict(trl=trl.__version__, pairs=pairs, cases=cases, rollouts=rollouts, policies=policies), indent=1))


if __name__ == "__main__":
    main()
