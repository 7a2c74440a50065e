"""Values in a form that every store can save."""

import re
from typing import Any

Json = dict[str, Any]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """Returns `value` as JSON that every database accepts: with strings as keys, and without NUL
    and lone surrogates (half characters). A model that is cut off inside an emoji makes those."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {str(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value
