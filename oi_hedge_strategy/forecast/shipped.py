"""The models that come with the package."""

from pathlib import Path

_MODELS = Path(__file__).parent / "models"


def shipped_model(simulated: bool) -> Path:
    """Return the model for simulated or for recorded markets."""
    return _MODELS / ("simulated.onnx" if simulated else "recorded.onnx")
