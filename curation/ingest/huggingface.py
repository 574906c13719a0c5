"""🤗 datasets: a local folder or a hub id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curation.ingest.arrow import ARROW_ROWS, arrow_batch
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import datasets
    import pyarrow as pa

    from curation.ingest.tables import Batch, TableFile

SPLIT = "split"
"""Column that holds the name of the data set's split, where it has no column of that name."""


class _DatasetTable:
    def __init__(self, name: str, dataset: datasets.Dataset, split: str | None) -> None:
        self._name = name
        self._dataset = dataset
        self._split = split
        self.columns = list(dataset.column_names)
        if split and SPLIT not in self.columns:
            self.columns.append(SPLIT)

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        import pyarrow as pa

        if not len(self._dataset):
            raise TierwiseError(f"{self._name} has no rows; nothing to ingest")
        stored = self._dataset.with_format("arrow")
        for before in range(0, len(stored), ARROW_ROWS):
            table = self._named_labels(stored[before : before + ARROW_ROWS])
            if SPLIT not in table.column_names:
                table = table.append_column(SPLIT, pa.array([self._split] * table.num_rows, pa.string()))
            (rows,) = table.combine_chunks().to_batches()
            yield arrow_batch(rows, wanted, self._name, before)

    def _named_labels(self, table: pa.Table) -> pa.Table:
        """Class labels by their names, as the data set's card has them, not by number."""
        import pyarrow as pa
        from datasets import ClassLabel

        for number, name in enumerate(table.column_names):
            feature = self._dataset.features[name]
            if isinstance(feature, ClassLabel):
                names = [
                    None if code is None or code < 0 else feature.int2str(code)
                    for code in table.column(name).to_pylist()
                ]
                table = table.set_column(number, name, pa.array(names, pa.string()))
        return table


def open_huggingface(
    source: str, config: str | None, split: str | None, revision: str | None
) -> list[tuple[str, TableFile]]:
    """The splits of the data set `source`, or the one named `split`.

    Args:
        source: A folder that ``save_to_disk`` made, a folder of data files, or a hub id.
        config: Configuration of a data set that has several.
        split: Its own split; all where None.
        revision: Branch, tag or commit on the hub.

    Raises:
        TierwiseError: It cannot be loaded, or has no such split.
    """
    import datasets

    datasets.disable_progress_bars()
    folder = Path(source)
    try:
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            loaded = datasets.load_from_disk(source)
        else:
            # A path that is spelled like one is never taken for a hub id.
            if not folder.exists() and (source.startswith((".", "/")) or source.count("/") > 1):
                raise TierwiseError(f"{source} is not there; give a folder or a hub id")
            loaded = datasets.load_dataset(source, config, revision=revision)
    except TierwiseError:
        raise
    except Exception as error:  # the library raises what its backends raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise TierwiseError(f"cannot load the data set {source}: {reason}") from error
    splits = loaded if isinstance(loaded, dict) else {str(loaded.split or ""): loaded}
    if split is not None:
        if split not in splits:
            raise TierwiseError(f"{source} has no split {split}; there are {', '.join(map(str, splits))}")
        splits = {split: splits[split]}
    return [
        (f"{source}@{name}" if name else source, _DatasetTable(source, dataset, name or None))
        for name, dataset in splits.items()
    ]
