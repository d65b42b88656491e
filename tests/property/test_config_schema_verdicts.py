"""The config check against the reference validator of JSON Schema: they accept and refuse the same documents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rapidbyte.wasm.config_schema import find_config_problems, find_unknown_keywords

_NAMES = st.sampled_from(["a", "b", "c"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 1.5])
    | st.text(alphabet="abX", max_size=3)
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=6
)
_TYPE = st.sampled_from(["object", "array", "string", "boolean", "null", "integer", "number"])


def _schemas(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": _TYPE | st.lists(_TYPE, min_size=1, max_size=2, unique=True),
            "enum": st.lists(_SCALARS, min_size=1, max_size=3),
            "const": _SCALARS,
            "properties": st.dictionaries(_NAMES, inner, max_size=2),
            "required": st.lists(_NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "items": inner,
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "pattern": st.sampled_from(["^a", "b$", "X"]),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "minItems": st.integers(0, 3),
            "maxItems": st.integers(0, 3),
        },
    )


@given(st.recursive(st.booleans(), _schemas, max_leaves=5), _VALUES)
def test_the_verdict_is_that_of_the_reference(schema: object, value: object) -> None:
    assert find_unknown_keywords(schema) == ()
    is_good = Draft202012Validator(schema).is_valid(value)  # type: ignore[arg-type]  # booleans are schemas too
    assert (find_config_problems(schema, value) == ()) is is_good
