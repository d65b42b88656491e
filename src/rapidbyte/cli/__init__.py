"""The command line: `rapidbyte run`, `check`, `discover`, `schema`, `demo`, `runs`, `dlq`, `state`."""
