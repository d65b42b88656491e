"""The test harness: one Postgres for all test processes, schemas per test, seeds, pipelines and an exact oracle."""
