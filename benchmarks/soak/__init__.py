"""A thousand runs at once, of which everything goes wrong that can: what was promised of every run still holds."""
