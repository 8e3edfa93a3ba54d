"""The exception tree. Every message says what was asked, what was found and what to do next.

OccbenchError                 anything a user can mend; the command line prints it as one line and exits with 2
├── ConfigError               a recipe, benchmark or option that does not make sense
├── PluginError               a name that no source, occlusion, method or model answers to
├── SourceError               a folder, annotation file or dataset that cannot be opened
│   └── BrokenImageError      one image that cannot be used; generation quarantines it and goes on
├── OcclusionError            an occlusion that cannot be made as asked (an occluder that does not fit)
├── DatasetError              a generated dataset that is incomplete, changed or of another recipe
├── StorageError              an output directory that cannot be written
├── HubError                  the Hugging Face Hub that refuses a request or cannot be reached
└── WorkerError               a worker process that kept dying on the same piece of work
"""

__all__ = [
    "BrokenImageError",
    "ConfigError",
    "DatasetError",
    "HubError",
    "OccbenchError",
    "OcclusionError",
    "PluginError",
    "SourceError",
    "StorageError",
    "WorkerError",
]


class OccbenchError(Exception):
    """Base of every error that a user can mend."""


class ConfigError(OccbenchError):
    """A recipe, benchmark or option that does not make sense."""


class PluginError(OccbenchError):
    """A name that no plug-in answers to."""


class SourceError(OccbenchError):
    """A folder, annotation file or dataset that cannot be opened."""


class BrokenImageError(SourceError):
    """One image that cannot be used."""


class OcclusionError(OccbenchError):
    """An occlusion that cannot be made as asked."""


class DatasetError(OccbenchError):
    """A generated dataset that is incomplete, changed or of another recipe."""


class StorageError(OccbenchError):
    """An output directory that cannot be written."""


class HubError(OccbenchError):
    """The Hugging Face Hub refuses a request or cannot be reached."""


class WorkerError(OccbenchError):
    """A worker process that kept dying on the same piece of work."""
