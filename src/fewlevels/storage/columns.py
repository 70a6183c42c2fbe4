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


def packed(table: pa.Table) -> bytes:
    """A table as the content of a Parquet file. Weights and margins, rows of 32-bit numbers that hardly repeat, go
    without a dictionary, which would make a small file half as large again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    repeating = [
        f"{field.name}.list.element" if pa.types.is_fixed_size_list(field.type) else field.name
        for field in table.schema
        if not (pa.types.is_fixed_size_list(field.type) and field.type.value_type == pa.float32())
    ]
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=repeating)
    return buffer.getvalue().to_pybytes()
