"""Fine-tuning: train on with the quantizer in the forward pass, until the quantized networks recognise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FLOAT32_MAX, FloatArray
from fewlevels.common.checks import instance, jobs_or_all, whole_number
from fewlevels.common.memory import MEMORY_BYTES, at_once
from fewlevels.common.parallel import in_order, threads_for
from fewlevels.errors import FinetuningError, SearchError
from fewlevels.networks.network import Network
from fewlevels.networks.networks import Networks
from fewlevels.networks.variants import dense_of
from fewlevels.quantization import Quantizer, Ternary
from fewlevels.quantization.layout import Layout, Share
from fewlevels.quantization.protocol import MOST_LEVELS, searchable
from fewlevels.quantization.sharing import QuantizedNetworks
from fewlevels.samples.samples import Samples
from fewlevels.search.finetuning_config import FinetuningConfig, config_for
from fewlevels.search.latent import LatentWeights, Purpose
from fewlevels.search.target import Target, check_classes, reaches
from fewlevels.training.descent import biases_of, with_parameters

COPIES = 8
"""Arrays as large as the weights of the models under way that fine-tuning holds."""

LANES = 16
"""Models that the widest kernel fine-tunes side by side."""


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """What fine-tuning found, for each model: the best quantized weights on its way.

    quantized: networks and their hardware's needs (see QuantizedNetworks). recognition: (models,), of the quantized
    networks on the samples (on `validation` where given). recognition_before: (models,), quantized without
    fine-tuning. steps: (models,), until the best was found. target: (models,), the recognition to reach; NaN where it
    is relative to that of a network that recognises nothing, which is unsolved.
    """

    quantized: QuantizedNetworks
    recognition: FloatArray
    recognition_before: FloatArray
    steps: npt.NDArray[np.intp]
    target: FloatArray

    @property
    def quantized_weights(self) -> tuple[FloatArray, ...]:
        """One array (models, fan_in, fan_out) per layer."""
        return self.quantized.networks.weights

    @property
    def solved(self) -> npt.NDArray[np.bool_]:
        """Whether the quantized network reaches its target, (models,)."""
        return reaches(self.recognition, self.target)


def finetune(
    networks: Networks | Network,
    samples: Samples,
    *,
    quantizer: Quantizer | None = None,
    levels: int | None = None,
    alpha: float = 1.0,
    relative: bool = False,
    share: Share = "network",
    config: FinetuningConfig | None = None,
    validation: Samples | None = None,
    seed: int = 1,
    first_model: int = 0,
    jobs: int | None = None,
) -> Finetuned:
    """Fine-tune each network until it reaches alpha with quantized weights, or its steps are spent.

    networks: stacked ones, or a `Network` of dense layers one after the other; biases are trained, too. Others are
    fine-tuned in PyTorch (`fewlevels.torch`).
    quantizer: Ternary() where None. levels: for quantizers that give more than one number of them.
    relative: alpha is a fraction of each network's own recognition before quantizing. share: which weights share
    levels. config: `config_for` where None. validation: samples that decide what is best and whether
    alpha is reached; the same where None.
    seed: of batches and noise. jobs: threads. A model depends on its own weights, its index and the arguments only.
    first_model: the index of the first of these networks, where they are some of more.
    Raises FinetuningError for arguments that cannot be run, and the quantizer's and networks' own errors.
    """
    networks = dense_of(networks, FinetuningError)
    instance("samples", samples, Samples, FinetuningError)
    target = Target(alpha, relative)
    jobs = threads_for(jobs_or_all(jobs, SearchError))
    quantizer = Ternary() if quantizer is None else quantizer
    check_classes(samples, validation)
    networks[:0].recognised(samples)  # refuses samples that do not fit
    purpose = Purpose(
        quantizer=quantizer,
        levels=_checked_levels(levels, quantizer),
        layout=Layout.of(networks, share),
        samples=samples,
        judge=samples if validation is None else validation,
        config=config_for(networks, samples) if config is None else _checked_config(config, networks),
        seed=whole_number("seed", seed, FinetuningError),
    )
    least, joint = target.least(networks.recognition(purpose.judge)), networks.joint()
    _require_float32(samples, joint)
    best, steps = np.empty_like(joint), np.zeros(len(joint), np.intp)
    before, after, biases = np.empty(len(joint)), np.empty(len(joint)), biases_of(networks)
    size = LANES * at_once(
        LANES * 8 * COPIES * joint.shape[1], most=-(-len(joint) // (jobs * LANES)), memory_bytes=MEMORY_BYTES // jobs
    )

    def run(begin: int) -> None:
        part = slice(begin, begin + size)
        latent = LatentWeights(purpose, networks[part], least[part], first_model=first_model + begin)
        latent.run()
        best[part], steps[part] = latent.best, latent.best_step
        if biases is not None:
            biases[part] = latent.best_biases
        before[part], after[part] = latent.recognition_before, latent.best_recognition

    in_order(run, range(0, len(joint), size), jobs)
    return Finetuned(
        quantized=QuantizedNetworks.of(with_parameters(networks, best, biases), share, quantizer, purpose.levels),
        recognition=after,
        recognition_before=before,
        steps=steps,
        target=least,
    )


def _checked_levels(levels: int | None, quantizer: Quantizer) -> int:
    """How many levels; those of a quantizer that has one number of them where None."""
    most = searchable(quantizer).most_levels
    if levels is None and most is None:
        raise FinetuningError(f"levels must be given for {quantizer.name!r}, which has any number of them")
    return whole_number("levels", most if levels is None else levels, FinetuningError, least=1, most=MOST_LEVELS)


def _checked_config(config: FinetuningConfig, networks: Networks) -> FinetuningConfig:
    """The configuration; raises FinetuningError where it is of another kind or for other layers."""
    instance("config", config, FinetuningConfig, FinetuningError)
    if isinstance(config.latent_limit, tuple) and len(config.latent_limit) != len(networks.shapes):
        raise FinetuningError(
            f"latent_limit must be one number or one for each of {len(networks.shapes)} layers, "
            f"got {config.latent_limit}"
        )
    return config


def _require_float32(samples: Samples, joint: FloatArray) -> None:
    """Raises FinetuningError where samples or weights are larger than float32 holds."""
    for what, values in (("x", samples.x), ("weights", joint)):
        if (largest := np.abs(values).max(initial=0.0)) > FLOAT32_MAX:
            raise FinetuningError(
                f"fine-tuning is in float32, which ends at {FLOAT32_MAX:.1e}, got {what} up to {largest:.1e}"
            )
