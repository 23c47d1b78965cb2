"""The load generator: events at a given rate over HTTP or MQTT, and what became of them."""
