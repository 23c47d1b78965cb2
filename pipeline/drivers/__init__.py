"""How a command reaches a device. Only `pipeline/command` imports these."""
