"""Who is at fault for a frame that cannot be read: whoever sent it, and not whoever found out. Pure values.

The host reads no Arrow, so that the receiver's word is the only evidence. It is taken for this one kind of error, after
the receiver took a frame, and the error that is made of it names both. Nothing but the message depends on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from rapidbyte.errors import FrameError
from rapidbyte.wasm import UNREADABLE_FRAME_CODES

_ACCUSED = "connector"
_ACCUSER = "refused_by"


def is_about_sender(error: BaseException) -> TypeGuard[FrameError]:
    """Return whether an error says that a frame cannot be read."""
    return isinstance(error, FrameError) and error.code in UNREADABLE_FRAME_CODES


def of_sender(error: FrameError, sender: str, receiver: str) -> FrameError:
    """Return the error about the sender of a frame that the receiver could not read. No retry mends it."""
    told = tuple(detail for detail in error.info.details if detail[0] not in (_ACCUSED, _ACCUSER))
    details = (*told, (_ACCUSED, sender), (_ACCUSER, receiver))
    return FrameError(
        f"{sender} sent a frame that {receiver} cannot read. {error.message} This is a fault of {sender}; please "
        "report it.",
        replace(error.info, details=details, retryable=False, safe_to_retry=False),
    )
