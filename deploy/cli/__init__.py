"""The `homeguard` command: one file a subcommand, each imported when it is used."""
