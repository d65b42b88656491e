"""One module for each command, imported only when it is asked for, so that none waits for what another needs."""
