"""The command line: `rapidbyte run`, `check`, `discover`, `demo`, `runs`, `dlq`, `state`."""
