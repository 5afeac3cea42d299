"""Check a model of your own: ``python examples/own_model.py MODEL.onnx``.

Any ONNX graph will do whose four inputs and one output have the shapes of its card's schema, and whose card
is stored in its metadata (`oi_hedge_strategy.training.export` does both for a torch module).
"""

import sys

from oi_hedge_strategy.forecast.card import day
from oi_hedge_strategy.forecast.model import Forecaster
from oi_hedge_strategy.state import MarketState

if __name__ == "__main__":
    forecaster = Forecaster.load(sys.argv[1])
    card, schema = forecaster.card, forecaster.card.schema
    print(f"{card.name}: trained on {', '.join(card.assets)} until {day(card.trained_until)}")
    print(f"valid until {day(card.expires)}, sha256 {forecaster.sha256}")
    print(f"venues {', '.join(schema.venues)}; {schema.shape[1]} channels at {schema.shape[2]} look-backs")
    print(f"cascade: {card.cascade}")
    empty = forecaster.predict(MarketState(schema).sample(card.trained_until))
    for side, probabilities in zip(("down", "up"), empty.probability, strict=True):
        for hours, probability in zip(card.cascade.horizons_hours, probabilities, strict=True):
            print(f"knowing nothing, {side} within {hours} h: {probability:.3f}")
