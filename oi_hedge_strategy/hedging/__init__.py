"""From forecast to order: policy, rails, target. No framework below `exposure`."""
