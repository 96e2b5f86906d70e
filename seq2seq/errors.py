"""The errors that are the user's to mend. The commands print them as one line and exit with status 2."""


class UserError(ValueError):
    """Something that was asked for cannot be done as asked; the message says what, where, and what would do."""


class ConfigError(UserError):
    """A setting, a run folder or a model file that cannot be used."""


class DataError(UserError):
    """A corpus or a sentence that cannot be used."""


class TrainingDiverged(UserError):
    """The loss or the gradient is no longer finite."""
