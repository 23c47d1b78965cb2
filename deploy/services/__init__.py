"""Real servers on this machine for the tests: installs, starts, watches and ends them (`make services`)."""
