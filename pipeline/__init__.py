"""The data plane in motion: what devices say comes in, what people want goes out, and everything is written down."""
