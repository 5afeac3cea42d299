"""The card a model file carries: what it expects, how it was made, how good it was, when it expires."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from oi_hedge_catalog.errors import ModelError
from oi_hedge_strategy.cascades import SIDES, CascadeDefinition
from oi_hedge_strategy.state.schema import StateSchema

CARD_KEY = "oi_hedge_card"
CARD_VERSION = 2


@dataclass(frozen=True, slots=True)
class ModelCard:
    """
    Describe a model; stored as JSON in the ONNX file's ``metadata_props``.

    Parameters
    ----------
    name : str
        What the model is called in reports.
    schema : StateSchema
        Its inputs.
    cascade : CascadeDefinition
        What it forecasts.
    channels_seen : tuple of str
        Channels that the training data contained; others have no influence.
    assets : tuple of str
        Assets it was trained on.
    trained_from, trained_until : int
        The span of data that it has seen, nanoseconds since the epoch; not valid before `trained_until`.
    expires : int
        When it must no longer be used.
    simulated : bool
        Whether it was trained on a simulated market.
    data_fingerprint : str
        SHA-256 over the training events.
    splits : mapping
        First and last decision time of training, early stopping and calibration, ISO 8601.
    metrics : mapping
        Out-of-sample figures on the calibration window, by side and horizon.
    calibration : mapping
        Method, slope and intercept by side and horizon.
    alert_threshold : mapping
        By side and horizon, the probability with the best F1 score on the calibration window.
    reference : mapping
        Input statistics of the training data, for drift checks.
    parity : float
        Largest difference between the torch network and the exported graph.
    parameters : int
        How many the network has, all ensemble members together.
    architecture : str
        The kind of network.
    members : int
        Networks whose logits and moves the graph averages.
    quantile_levels : tuple of float
        Levels of the predicted quantiles of the moves.
    walk_forward : mapping
        Out-of-sample scores beside the baselines, of the walk-forward that the model stems from.

    """

    name: str
    schema: StateSchema
    cascade: CascadeDefinition
    channels_seen: tuple[str, ...]
    assets: tuple[str, ...]
    trained_from: int
    trained_until: int
    expires: int
    simulated: bool
    data_fingerprint: str
    splits: Mapping[str, Any]
    metrics: Mapping[str, Any]
    calibration: Mapping[str, Any]
    alert_threshold: Mapping[str, float]
    reference: Mapping[str, Any] = field(default_factory=dict)
    parity: float = 0.0
    parameters: int = 0
    architecture: str = ""
    members: int = 1
    quantile_levels: tuple[float, ...] = ()
    walk_forward: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the card as JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["schema"] = json.loads(self.schema.to_json())
        fields["cascade"] = asdict(self.cascade)
        return json.dumps({"card_version": CARD_VERSION, **fields}, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        """
        Return the card that `to_json` wrote.

        Raises
        ------
        ModelError
            If it is no JSON object, or of another version or schema; the message names `source`.

        """
        try:
            fields: dict[str, Any] = dict(json.loads(text))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{source}: its card is not a JSON object ({error}); train it anew") from error
        version = fields.pop("card_version", None)
        if version != CARD_VERSION:
            raise ModelError(f"{source}: expected card version {CARD_VERSION}, was {version}; train it anew")
        try:
            fields["schema"] = StateSchema.from_json(json.dumps(fields["schema"]))
            cascade = fields["cascade"]
            cascade["horizons_hours"] = tuple(cascade["horizons_hours"])
            fields["cascade"] = CascadeDefinition(**cascade)
            for name in ("channels_seen", "assets", "quantile_levels"):
                fields[name] = tuple(fields[name])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{source}: its input schema does not match this version ({error}); train it anew"
            ) from error

    def check_valid_at(self, start_ns: int, end_ns: int, source: str) -> None:
        """
        Refuse a run that would use the model before it existed or only after it expired.

        Raises
        ------
        ModelError
            If the run starts before the end of training, or after expiry.

        """
        trained, expires = day(self.trained_until), day(self.expires)
        if start_ns < self.trained_until:
            raise ModelError(
                f"{source}: trained on data until {trained}, but the run starts on {day(start_ns)}; "
                f"start the run at {trained} or later, or train with --until {day(start_ns)}"
            )
        if start_ns >= self.expires:
            raise ModelError(
                f"{source}: expired on {expires}, but the run starts on {day(start_ns)} and ends on "
                f"{day(end_ns)}; train a newer model with: oi-hedge train --until {day(start_ns)}"
            )

    def check_calibrated(self, source: str) -> None:
        """
        Refuse a model whose probabilities were never calibrated: sizing by them would mean nothing.

        Raises
        ------
        ModelError
            If the card names no calibration method.

        """
        if self.calibration.get("method", "none") in ("", "none"):
            raise ModelError(
                f"{source}: its probabilities are not calibrated, and a hedge must not be sized by them; "
                "calibrate it, as oi-hedge train does, and name the method in the card"
            )


def day(ts: int) -> str:
    """Return the UTC date of a time in nanoseconds."""
    return datetime.fromtimestamp(ts / 1e9, UTC).date().isoformat()


def head(side: str, hours: int) -> str:
    """Return the key of one output in the card: such as ``down_18h``."""
    return f"{side}_{hours}h"


def outputs(horizons_hours: Sequence[int]) -> list[tuple[str, tuple[int, int]]]:
    """Return the key of every output, such as ``down_18h``, and its index of side and horizon."""
    return [
        (head(side, hours), (s, h)) for s, side in enumerate(SIDES) for h, hours in enumerate(horizons_hours)
    ]
