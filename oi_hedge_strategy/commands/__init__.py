"""The commands of `oi-hedge`, one file each."""
