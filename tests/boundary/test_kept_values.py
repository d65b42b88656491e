"""The imports for state: what one instance keeps another finds, within its scope, and one swap of several wins."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, MakeDocument, Run
from boundary.relay_guests import moved, source_guest, whole_stream
from boundary.wat_guests import Host, answering, build
from rapidbyte.config import load
from rapidbyte.engine.keeping import Keeping
from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.model import Pipeline, StateScope, StateSpec
from rapidbyte.state import State, StateKey, open_state
from rapidbyte.wasm import Call, StatePort
from rapidbyte.wasm.abi import MAX_STATE_VALUE_BYTES, Status

_PIPELINE = '{"scope": "pipeline", "name": "slot"}'
_CONNECTOR = '{"scope": "connector", "name": "slot"}'
_STREAM = '{"scope": "stream", "stream": 1, "name": "slot"}'
_VALUE_AT = 800  # below it: the key


def placed(key: str, value: str = "") -> str:
    """Return the field that puts a key at 0 and a value at 800 of guest memory."""
    texts = ((0, key), (_VALUE_AT, value))
    return "".join('(data (i32.const {}) "{}")'.format(at, text.replace('"', '\\"')) for at, text in texts)


def get(key: str, capacity: int = 200) -> str:
    return f"(call $state_get (i32.const 0) (i32.const {len(key)}) (i32.const {_VALUE_AT}) (i32.const {capacity}))"


def put(key: str, size: int) -> str:
    return f"(call $state_put (i32.const 0) (i32.const {len(key)}) (i32.const {_VALUE_AT}) (i32.const {size}))"


def swap(key: str, old_at: int, old_size: int, at: int, size: int) -> str:
    old = f"(i32.const {old_at}) (i64.const {old_size})"
    return (
        f"(call $state_compare_and_swap (i32.const 0) (i32.const {len(key)}) {old} (i32.const {at}) (i64.const {size}))"
    )


def reply(call: str) -> str:
    return f"(call $reply (i64.extend_i32_s {call}))"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(StateSpec(connection=str(tmp_path / "state.db"))) as state:
        yield state


@pytest.fixture
def pipeline(document: MakeDocument) -> Pipeline:
    """A pipeline of two streams."""
    loaded = load(document(b"", b""))
    (stream,) = loaded.streams
    return replace(loaded, streams=(stream, replace(stream, name="u")))


@pytest.fixture
def port(state: State, pipeline: Pipeline) -> StatePort:
    return Keeping(pipeline.name, pipeline.streams, state.connectors).port_of("source test")


@pytest.mark.parametrize("key", [_PIPELINE, _CONNECTOR, _STREAM])
def test_value_is_found_by_a_later_instance(host: Host, port: StatePort, key: str) -> None:
    value = '{"ok": "found"}'
    assert host.check(reply(put(key, len(value))), fields=placed(key, value), state=port) == Status.OK
    found = f"(call $result (i32.const {_VALUE_AT}) {get(key)})"
    assert host.check(found, fields=placed(key), state=port) == "found"


def test_as_much_of_a_value_is_written_as_fits(host: Host, port: StatePort) -> None:
    host.check(reply(put(_PIPELINE, 4)), fields=placed(_PIPELINE, "abcd"), state=port)
    body = f"(drop {get(_PIPELINE, 2)}) (call $reply (i64.load (i32.const {_VALUE_AT})))"
    assert host.check(body, fields=placed(_PIPELINE), state=port) == int.from_bytes(b"ab", "little")
    assert host.check(reply(get(_PIPELINE, 2)), fields=placed(_PIPELINE), state=port) == 4
    assert host.check(reply(get(_PIPELINE, 0)), fields=placed(_PIPELINE), state=port) == 4


def test_a_value_is_swapped_only_for_the_one_that_is_there(host: Host, state: State, port: StatePort) -> None:
    """None, a, b, none again: each step from the right value, after a try from a wrong one."""
    steps = (
        (swap(_PIPELINE, 800, 1, 801, 1), 0, None),
        (swap(_PIPELINE, 0, -1, 800, 1), 1, b"a"),
        (swap(_PIPELINE, 0, -1, 801, 1), 0, b"a"),
        (swap(_PIPELINE, 801, 1, 800, 1), 0, b"a"),
        (swap(_PIPELINE, 800, 0, 801, 1), 0, b"a"),
        (swap(_PIPELINE, 800, 1, 801, 1), 1, b"b"),
        (swap(_PIPELINE, 801, 1, 0, 0), 1, b""),
        (swap(_PIPELINE, 0, -1, 800, 1), 0, b""),
        (swap(_PIPELINE, 800, 0, 0, -1), 1, None),
        (swap(_PIPELINE, 0, -1, 0, -1), 1, None),
    )
    key = StateKey("scripted", StateScope.PIPELINE, "", "slot")
    for body, answer, kept in steps:
        assert host.check(reply(body), fields=placed(_PIPELINE, "ab"), state=port) == answer, body
        assert state.connectors.get(key) == kept, body


def test_values_are_apart_by_pipeline_connector_stream_and_scope(host: Host, state: State, pipeline: Pipeline) -> None:
    keys = {
        ("scripted", "source test", _PIPELINE): StateKey("scripted", StateScope.PIPELINE, "", "slot"),
        ("scripted", "source test", _CONNECTOR): StateKey("scripted", StateScope.CONNECTOR, "source test", "slot"),
        ("scripted", "source test", _STREAM): StateKey("scripted", StateScope.STREAM, "u", "slot"),
        ("scripted", "source test", _STREAM.replace("1", "0")): StateKey("scripted", StateScope.STREAM, "t", "slot"),
        ("scripted", "destination test", _CONNECTOR): StateKey(
            "scripted", StateScope.CONNECTOR, "destination test", "slot"
        ),
        ("another", "source test", _PIPELINE): StateKey("another", StateScope.PIPELINE, "", "slot"),
    }
    for count, (name, connector, key) in enumerate(keys):
        port = Keeping(name, pipeline.streams, state.connectors).port_of(connector)
        assert host.check(reply(get(key)), fields=placed(key), state=port) == Status.NOT_FOUND
        assert host.check(reply(put(key, 1)), fields=placed(key, str(count)), state=port) == Status.OK
    assert {value.key: value.value for value in state.connectors.list()} == {
        key: str(count).encode() for count, key in enumerate(keys.values())
    }
    port = Keeping("scripted", pipeline.streams, state.connectors).port_of("destination test")
    assert host.check(reply(get(_PIPELINE)), fields=placed(_PIPELINE), state=port) == 1
    assert host.check(reply(get(_STREAM)), fields=placed(_STREAM), state=port) == 1


_NAME = '{{"scope": "pipeline", "name": "{}"}}'


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("", Status.INVALID_ARGUMENT),
        ("[]", Status.INVALID_ARGUMENT),
        ('{"scope": "pipeline"}', Status.INVALID_ARGUMENT),
        ('{"scope": "pipeline", "name": "a", "more": 1}', Status.INVALID_ARGUMENT),
        ('{"scope": "world", "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": ["pipeline"], "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "stream", "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "stream", "stream": -1, "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "stream", "stream": true, "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "stream", "stream": 2, "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "pipeline", "stream": 0, "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "connector", "stream": null, "name": "a"}', Status.INVALID_ARGUMENT),
        ('{"scope": "pipeline", "name": 1}', Status.INVALID_ARGUMENT),
        (_NAME.format(""), Status.INVALID_ARGUMENT),
        (_NAME.format("\\\\u0000"), Status.INVALID_ARGUMENT),
        (_NAME.format("\\\\ud800"), Status.INVALID_ARGUMENT),
        (_NAME.format("x" * 256), Status.TOO_LARGE),
        (_NAME.format("x" * 255), Status.OK),
    ],
)
def test_a_key_is_exactly_what_the_abi_says(host: Host, port: StatePort, key: str, status: Status) -> None:
    size = len(key.replace("\\\\", "\\"))
    body = reply(put("x" * size, 1))
    assert host.check(body, fields=placed(key, "v"), state=port) == status


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (put(_PIPELINE, MAX_STATE_VALUE_BYTES), Status.OK),
        (put(_PIPELINE, MAX_STATE_VALUE_BYTES + 1), Status.TOO_LARGE),
        (swap(_PIPELINE, 0, -1, 0, MAX_STATE_VALUE_BYTES + 1), Status.TOO_LARGE),
        (swap(_PIPELINE, 0, -2, 0, 1), Status.INVALID_ARGUMENT),
        (swap(_PIPELINE, 0, 1, 0, 2**32), Status.INVALID_ARGUMENT),
        (put(_PIPELINE, 2**31 - 1), Status.BAD_POINTER),
        (get(_PIPELINE, -1), Status.BAD_POINTER),
        ("(call $state_get (i32.const -1) (i32.const 2) (i32.const 0) (i32.const 0))", Status.BAD_POINTER),
        (swap(_PIPELINE, 2**31 - 1, 1, 0, 1), Status.BAD_POINTER),
    ],
)
def test_a_value_has_a_limit_and_lies_in_memory(host: Host, call: str, status: Status) -> None:
    """The limit is held before the store is asked, which here would take anything."""
    port = StatePort(lambda _: None, lambda *_: None, lambda *_: True)
    body = f"(drop (memory.grow (i32.const 32))) {reply(call)}"
    assert host.check(body, fields=placed(_PIPELINE), state=port) == status


# Adds one to the number at 900 fifty times, each time from what it is now; `$i` counts.
_ADD_FIFTY = f"""
    (loop $again
      (i64.store (i32.const 900) (i64.const 0))
      (local.set $f (i64.extend_i32_s
        (call $state_get (i32.const 0) (i32.const {len(_PIPELINE)}) (i32.const 900) (i32.const 8))))
      (i64.store (i32.const 908) (i64.add (i64.load (i32.const 900)) (i64.const 1)))
      (if (i32.ne (call $state_compare_and_swap (i32.const 0) (i32.const {len(_PIPELINE)})
            (i32.const 900) (select (i64.const 8) (i64.const -1) (i64.eq (local.get $f) (i64.const 8)))
            (i32.const 908) (i64.const 8)) (i32.const 1))
        (then (br $again)))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $again (i64.lt_u (local.get $i) (i64.const 50))))
    (call $ok)"""


def test_nothing_is_lost_when_two_instances_swap_one_value(host: Host, state: State, port: StatePort) -> None:
    def add_fifty(_: int) -> object:
        return host.check(_ADD_FIFTY, fields=placed(_PIPELINE), state=port)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(add_fifty, range(2))) == [{}, {}]
    kept = state.connectors.get(StateKey("scripted", StateScope.PIPELINE, "", "slot"))
    assert kept == (100).to_bytes(8, "little")


def test_of_instances_that_swap_the_same_value_at_once_one_wins(host: Host, port: StatePort) -> None:
    wasm = build({"rb_check": reply(swap(_PIPELINE, 0, -1, 800, 1))}, fields=placed(_PIPELINE, "v"))
    start = threading.Barrier(4)

    def try_once(_: int) -> object:
        with host.start(wasm, state=port) as instance:
            start.wait()
            return instance.call(Call.CHECK, {})

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(try_once, range(4)), key=str) == [0, 0, 0, 1]


def test_outside_a_run_nothing_is_found_and_nothing_kept(host: Host) -> None:
    assert host.check(reply(get(_PIPELINE)), fields=placed(_PIPELINE)) == Status.NOT_FOUND
    assert host.check(reply(put(_PIPELINE, 1)), fields=placed(_PIPELINE)) == Status.BAD_STATE
    assert host.check(reply(swap(_PIPELINE, 0, -1, 0, 1)), fields=placed(_PIPELINE)) == Status.BAD_STATE


def test_an_instance_that_was_stopped_keeps_values_only_in_its_farewell(
    host: Host, state: State, port: StatePort
) -> None:
    late = StateKey("scripted", StateScope.PIPELINE, "", "slot")
    wasm = build(
        {"rb_check": reply(put(_PIPELINE, 1)), "rb_close": reply(put(_PIPELINE, 2))}, fields=placed(_PIPELINE, "by")
    )
    with host.start(wasm, state=port) as instance:
        instance.call(Call.OPEN, {"config": {}})
        instance.interrupt()
        assert instance.call(Call.CHECK, {}) == Status.CANCELLED
        assert state.connectors.get(late) is None
    assert state.connectors.get(late) == b"by"


def test_a_store_that_fails_is_the_hosts_error_and_not_the_guests(host: Host, port: StatePort) -> None:
    def fail(*_: object) -> None:
        raise StateError("The disk is full.", ErrorInfo("state_unwritable"))

    body, fields = answering('{"error": {"category": "internal", "code": "mine", "message": "It failed."}}')
    body = f"(if (i32.ne {put(_PIPELINE, 1)} (i32.const {Status.INTERNAL})) (then (return (call $ok)))) {body}"
    with pytest.raises(StateError, match="The disk is full") as caught:
        host.check(body, fields=placed(_PIPELINE) + fields, state=replace(port, put=fail))
    assert caught.value.code == "state_unwritable"


def test_a_run_finds_what_the_run_before_kept(run: Run, state_path: Path) -> None:
    """Each run of this source adds a letter to what it finds."""
    key = _STREAM.replace("1", "0")
    kept = f"(local.set $i (i64.extend_i32_s {get(key)}))"
    found = "(select (i32.wrap_i64 (local.get $i)) (i32.const 0) (i64.ge_s (local.get $i) (i64.const 0)))"
    longer = f"(i32.add (i32.const 1) {found})"
    keep = f"(drop (call $state_put (i32.const 0) (i32.const {len(key)}) (i32.const {_VALUE_AT}) {longer}))"
    source = source_guest(whole_stream(2, 3), moved(5), before_answer=kept + keep, fields=placed(key, "aaaa"))
    for count in (1, 2):
        run(source, GOOD_DESTINATION)
        with open_state(StateSpec(connection=str(state_path))) as state:
            (value,) = state.connectors.list()
        assert (value.key, value.value) == (StateKey("scripted", StateScope.STREAM, "t", "slot"), b"a" * count)


def test_a_check_and_a_discovery_keep_nothing(document: MakeDocument, state_path: Path) -> None:
    keep = f"(if (i32.eqz {put(_PIPELINE, 1)}) (then (unreachable))) (call $ok)"
    source = source_guest(whole_stream(), moved(0), open_body=keep, fields=placed(_PIPELINE))
    rapidbyte.check_pipeline(document(source, GOOD_DESTINATION))
    assert len(rapidbyte.discover(document(source, GOOD_DESTINATION)).streams) == 1
    assert not state_path.exists()
