"""The errors that are the user's to mend: the commands print them as one line and exit with status 2; and the stop of
a training, asked for by a signal."""

import signal


class UserError(ValueError):
    """Something that was asked for cannot be done as asked; the message says what, where, and what would do."""


class ConfigError(UserError):
    """A setting, a run folder or a model file that cannot be used."""


class DataError(UserError):
    """A corpus or a sentence that cannot be used."""


class TrainingDiverged(UserError):
    """The loss or the gradient is no longer finite."""


class OutOfMemory(UserError):
    """A batch is too large for the device."""


class TrainingStopped(Exception):
    """Training ended early because a signal asked for it; everything is saved. No mistake, so no `UserError`."""

    def __init__(self, number: int, step: int, total_steps: int):
        name = signal.Signals(number).name
        super().__init__(
            f"stopped by {name} after step {step} of {total_steps}, which is saved; continue with --resume"
        )
        self.signal = number
