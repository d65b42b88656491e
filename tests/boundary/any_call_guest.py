"""A guest that makes whatever calls of imports it is told to: a list of them goes in, their answers come out.

A request has the calls as hexadecimal digits. They are kept in a memory of their own, where no import writes. The guest
answers each of its exports alike, so that calls can be made at every point of the lifecycle.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from boundary.wat_guests import COMMON, build
from rapidbyte.wasm import Call
from rapidbyte.wasm.abi import IMPORT_MODULE

DOCUMENTS_AT = 16 * 1024  # where the bytes behind the calls are placed
MEMORY_BYTES = 2 * 64 * 1024
MOST_CALLS = 12
_MOST_PARAMETERS = 6
_CALL_BYTES = 1 + 8 * _MOST_PARAMETERS
_PREFIX = '{"do": "'
_IMPORT = re.compile(
    r'\(import "(?P<module>\w+)" "(?P<name>\w+)"\s*'
    r"\(func \$\w+(?: \(param (?P<params>[i0-9 ]+)\))? \(result (?P<result>\w+)\)\)\)"
)
OF_WASI = frozenset(("fd_write", "poll_oneoff"))  # what the host does itself


@dataclass(frozen=True, slots=True)
class Import:
    """An import and the types of what it takes and gives: `i32` or `i64`."""

    name: str
    parameters: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to make."""

    name: str
    arguments: tuple[int, ...]


def known_imports() -> tuple[Import, ...]:
    """Return all imports that are the host's own, as the common part of all guests declares them."""
    return tuple(
        Import(match["name"], tuple((match["params"] or "").split()), match["result"])
        for match in _IMPORT.finditer(COMMON.read_text(encoding="utf-8"))
        if match["module"] == IMPORT_MODULE or match["name"] in OF_WASI
    )


IMPORTS = known_imports()
_NUMBERS = {part.name: number for number, part in enumerate(IMPORTS)}


def any_call_guest() -> bytes:
    """Return the guest."""
    drive = "(call $drive (local.get $pointer) (local.get $length))"
    return build({call.value: drive for call in Call}, fields=_driver())


def request_of(attempts: Sequence[Attempt], documents: bytes) -> dict[str, object]:
    """Return the request that has the guest make these calls, with `documents` at DOCUMENTS_AT."""
    program = bytes([len(attempts)])
    for attempt in attempts:
        padded = (*attempt.arguments, *(0,) * (_MOST_PARAMETERS - len(attempt.arguments)))
        program += bytes([_NUMBERS[attempt.name]]) + struct.pack("<6q", *padded)
    return {"do": program.ljust(1 + MOST_CALLS * _CALL_BYTES, b"\0").hex() + documents.hex()}


def answers_of(value: object) -> tuple[int, ...]:
    """Return what the calls gave, from what the guest answered."""
    digits = bytes.fromhex(str(value))
    return struct.unpack(f"<{len(digits) // 8}q", digits)


def encoded(request: dict[str, object]) -> bytes:
    """Return a request as the host writes it."""
    return json.dumps(request).encode()


def _driver() -> str:
    return f"""
        (memory $own 1)
        (func $digit (param $at i32) (result i32) (local $c i32)
          (local.set $c (i32.load8_u (local.get $at)))
          (if (result i32) (i32.gt_u (local.get $c) (i32.const 57))
            (then (i32.sub (local.get $c) (i32.const 87))) (else (i32.sub (local.get $c) (i32.const 48)))))
        (func $byte (param $at i32) (result i32)
          (i32.or (i32.shl (call $digit (local.get $at)) (i32.const 4))
            (call $digit (i32.add (local.get $at) (i32.const 1)))))
        (func $hex (param $value i32) (result i32)
          (i32.add (local.get $value)
            (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $value) (i32.const 9)))))
        (func $try (param $at i32) (result i64) (local $number i32)
          (local.set $number (i32.load8_u $own (local.get $at)))
          {"".join(_branch(number, part) for number, part in enumerate(IMPORTS))}
          (unreachable))
        {_drive()}"""


def _branch(number: int, part: Import) -> str:
    operands = " ".join(
        f"({kind}.load $own offset={1 + 8 * place} (local.get $at))" for place, kind in enumerate(part.parameters)
    )
    call = f"(call ${part.name} {operands})"
    answer = call if part.result == "i64" else f"(i64.extend_i32_s {call})"
    return f"(if (i32.eq (local.get $number) (i32.const {number})) (then (return {answer})))"


def _drive() -> str:
    """Copy the calls to the own memory and the documents to their place, make the calls, and write the answers."""
    program_bytes = 1 + MOST_CALLS * _CALL_BYTES
    answers_at, result_at = 60_000, 2048
    opening = '{"ok":"'
    return f"""
        (func $drive (param $from i32) (param $length i32) (result i64)
          (local $i i32) (local $count i32) (local $end i32) (local $at i32) (local $value i32)
          (global.set $free (i32.const {DOCUMENTS_AT * 2}))
          (if (i32.gt_u (local.get $length) (i32.const {2 * program_bytes + len(_PREFIX)}))
            (then
              (local.set $from (i32.add (local.get $from) (i32.const {len(_PREFIX)})))
              (local.set $end (i32.div_u (i32.sub (local.get $length) (i32.const {len(_PREFIX) + 2})) (i32.const 2)))
              (loop $more
                (local.set $value (call $byte (i32.add (local.get $from) (i32.mul (local.get $i) (i32.const 2)))))
                (if (i32.lt_u (local.get $i) (i32.const {program_bytes}))
                  (then (i32.store8 $own (local.get $i) (local.get $value)))
                  (else (i32.store8 (i32.add (i32.const {DOCUMENTS_AT - program_bytes}) (local.get $i))
                    (local.get $value))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (local.get $end))))))
          (local.set $count (i32.load8_u $own (i32.const 0)))
          (local.set $i (i32.const 0))
          (if (local.get $count) (then (loop $calls
            (i64.store $own (i32.add (i32.const {answers_at}) (i32.mul (local.get $i) (i32.const 8)))
              (call $try (i32.add (i32.const 1) (i32.mul (local.get $i) (i32.const {_CALL_BYTES})))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $calls (i32.lt_u (local.get $i) (local.get $count))))))
          (i64.store (i32.const {result_at}) (i64.const {int.from_bytes(opening.encode(), "little")}))
          (local.set $i (i32.const 0))
          (local.set $at (i32.const {result_at + len(opening)}))
          (loop $digits
            (if (i32.lt_u (local.get $i) (i32.mul (local.get $count) (i32.const 8)))
              (then
                (local.set $value (i32.load8_u $own (i32.add (i32.const {answers_at}) (local.get $i))))
                (i32.store8 (local.get $at) (call $hex (i32.shr_u (local.get $value) (i32.const 4))))
                (i32.store8 offset=1 (local.get $at) (call $hex (i32.and (local.get $value) (i32.const 15))))
                (local.set $at (i32.add (local.get $at) (i32.const 2)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $digits))))
          (i32.store16 (local.get $at) (i32.const 0x7d22))
          (call $result (i32.const {result_at}) (i32.sub (i32.add (local.get $at) (i32.const 2))
            (i32.const {result_at}))))"""
