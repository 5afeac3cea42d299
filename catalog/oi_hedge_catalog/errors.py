"""Errors that carry one clear sentence for the person at the terminal."""


class OIHedgeError(Exception):
    """Base of every error that is the input's fault rather than ours."""


class CatalogError(OIHedgeError):
    """A catalog is missing, incomplete or inconsistent."""


class DataError(OIHedgeError):
    """A data file or row is not what its manifest says."""


class ManifestError(OIHedgeError):
    """An ingest manifest is wrong."""


class ConfigError(OIHedgeError):
    """A configuration value is out of its range or contradicts another."""


class ModelError(OIHedgeError):
    """A model file is missing, of another schema, expired or not calibrated."""


class StateError(OIHedgeError):
    """A node's state is in use, damaged or open to others, or another instance holds the account."""
