"""Columns: arrays with a row for each model or chip as columns of an Arrow table, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def as_rows(matrix: np.ndarray) -> pa.FixedSizeListArray:
    """An array (rows, …) as a column of one fixed-size list per row."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix[0].size)


def as_matrix(column: pa.ChunkedArray) -> np.ndarray:
    """The inverse of as_rows: (rows, list size)."""
    lists = column.combine_chunks()
    return lists.flatten().to_numpy().reshape(len(column), -1)
