"""Range study: what the fewest levels become when training is held to a weight range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fewlevels.common.arrays import FloatArray
from fewlevels.common.checks import instance, positive, shown
from fewlevels.errors import SearchError, TrainingError
from fewlevels.quantization import Quantizer
from fewlevels.samples.samples import Samples
from fewlevels.search.fewest import fewest_levels
from fewlevels.training.config import TrainingConfig
from fewlevels.training.sgd import train

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class RangeStudy:
    """Fewest levels against the enforced weight range.

    limits: ranges enforced in training; None is free. trained: (limits, models), whether a network reaches alpha
    before quantizing. weight_range: (limits, models), the range it ends with. q: (limits, models); 0 where unsolved.
    """

    limits: tuple[float | None, ...]
    trained: npt.NDArray[np.bool_]
    weight_range: FloatArray
    q: npt.NDArray[np.intp]

    def rows(self) -> list[dict[str, object]]:
        """One row a limit: the fraction trained, the fraction of these solved, and quartiles of their q."""
        rows: list[dict[str, object]] = []
        for limit, trained, weight_range, q in zip(self.limits, self.trained, self.weight_range, self.q, strict=True):
            solved = trained & (q > 0)
            quartiles = np.quantile(q[solved], (0.25, 0.5, 0.75)).tolist() if solved.any() else [None] * 3
            rows.append(
                {
                    "range_limit": limit,
                    "trained": float(trained.mean()),
                    "solved": float(solved.sum() / max(trained.sum(), 1)),
                    "weight_range_median": float(np.median(weight_range)),
                    "q_quartile_1": quartiles[0],
                    "q_median": quartiles[1],
                    "q_quartile_3": quartiles[2],
                }
            )
        return rows

    def figure(self) -> Figure:
        """Median and quartiles of the fewest levels, and the fraction that still trains, against the range; networks
        without a limit stand at the median range that they end with.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 5.0), layout="constrained")
        above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
        rows = self.rows()
        for free, label, look in (
            (False, "range enforced: median and quartiles", {"marker": "o", "linestyle": "-", "color": "black"}),
            (True, "free", {"marker": "s", "linestyle": "", "color": "black", "markerfacecolor": "white"}),
        ):
            these = [row for row in rows if (row["range_limit"] is None) == free]
            if not these:
                continue
            ranges = [row["weight_range_median" if free else "range_limit"] for row in these]
            low, middle, high, trained = (
                np.array([row[key] for row in these], dtype=float)
                for key in ("q_quartile_1", "q_median", "q_quartile_3", "trained")
            )
            above.errorbar(ranges, middle, (middle - low, high - middle), capsize=3, label=label, **look)
            below.plot(ranges, trained, **look)
        limits = [limit for limit in self.limits if limit is not None]
        above.set(ylabel="fewest levels q", ylim=(0, None), xscale="log")
        above.set_xticks(limits, [f"{limit:g}" for limit in limits])
        above.minorticks_off()
        above.legend(frameon=False)
        below.set(xlabel="weight range, enforced or free", ylabel="fraction trained", ylim=(0, 1.05))
        return figure


def study_range(
    samples: Samples,
    config: TrainingConfig,
    limits: Sequence[float | None],
    *,
    models: int = 600,
    quantizer: Quantizer | None = None,
    alpha: float = 1.0,
    q_max: int = 64,
    seed: int = 1,
) -> RangeStudy:
    """Train the same networks under each range limit, from the same starts and samples, and search their levels.

    Because only the limit differs, what q does is the limit's effect. config: all else of training.
    Raises SearchError for no limits, TrainingError for one that is not positive.
    """
    limits = limits.tolist() if isinstance(limits, np.ndarray) else limits
    if not isinstance(limits, list | tuple) or len(limits) == 0:
        raise SearchError(f"limits must be a list of at least one range, got {shown(limits)}")
    instance("config", config, TrainingConfig, SearchError)
    limits = [None if limit is None else positive("range_limit", limit, TrainingError) for limit in limits]
    trained, ranges, q = [], [], []
    for limit in limits:
        networks = train(samples, replace(config, range_limit=limit), models=models, seed=seed)
        found = fewest_levels(networks, samples, quantizer=quantizer, alpha=alpha, q_max=q_max)
        trained.append(found.trained)
        ranges.append(networks.weight_range())
        q.append(found.q)
    return RangeStudy(limits=tuple(limits), trained=np.array(trained), weight_range=np.array(ranges), q=np.array(q))
