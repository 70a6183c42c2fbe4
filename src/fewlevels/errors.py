"""Errors: one class per stage, each message one sentence that says what was given and what would be right."""


class FewlevelsError(Exception):
    """Anything this package raises on purpose.

    field: of a configuration or a description, that the message speaks of; '' where it speaks of none.
    """

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class FewlevelsWarning(UserWarning):
    """What a user should know of a result that is right all the same."""


class UsageError(FewlevelsError, ValueError):
    """An argument, option or file that cannot be used as given."""


class SamplesError(UsageError):
    """Samples that cannot be read or do not fit the networks."""


class NetworksError(UsageError):
    """Weights that do not make networks."""


class TrainingError(UsageError):
    """A training configuration that cannot be run."""


class FinetuningError(UsageError):
    """A fine-tuning configuration that cannot be run."""


class QuantizationError(UsageError):
    """A quantizer or a number of levels that cannot be used."""


class SearchError(UsageError):
    """A search that cannot be run, or a result asked for a model that has none."""


class ConfigError(UsageError):
    """A study configuration that is not valid, or not the one stored in the folder."""


class StoreError(FewlevelsError):
    """Results that cannot be written or read."""


class CircuitError(UsageError):
    """A crossbar, a cell, a stage design or an input that cannot be solved as given."""


class DeviceError(UsageError):
    """A device that cannot be described as given, or is asked for what was not measured."""


class NotConvergedError(FewlevelsError):
    """A circuit whose solution was not found, asked for what only a solution has."""


class EngineError(FewlevelsError):
    """An external simulator that is missing, fails or takes too long."""


class ClusterError(FewlevelsError):
    """A cluster that does not answer, is lost, or whose workers end."""


class MappingError(UsageError):
    """Weights that cannot be put on devices, or a table of devices that does not fit."""


class UnitWarning(UserWarning):
    """Values that can be, but look as if they were given in another unit."""
