"""Zigbee2MQTT's words and ours: discovery, reports and orders. Pure, no I/O."""
