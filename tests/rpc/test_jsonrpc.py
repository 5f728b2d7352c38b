"""Messages: texts to values and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhcpcore_adapters.rpc import jsonrpc
from dhcpcore_adapters.rpc.jsonrpc import Answer, Failure, Malformed, Request

TEXTS = st.text(st.characters())  # lone surrogates too
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)
IDS = st.integers() | TEXTS


@given(IDS, TEXTS, st.dictionaries(TEXTS, DATA), DATA)
def test_what_is_written_is_read(id: int | str, text: str, params: dict[str, Any], result: Any) -> None:
    """Every message comes back as it was, in ASCII and on one line."""
    messages = {
        jsonrpc.request(id, text, params): Request(id=id, method=text, params=params),
        jsonrpc.notification(text, params): Request(method=text, params=params),
        jsonrpc.answer(id, result): Answer(id=id, result=result),
        jsonrpc.failure(id, -32000, text, text): Failure(id=id, code=-32000, message=text, name=text),
        jsonrpc.failure(None, -32700, text): Failure(id=None, code=-32700, message=text),
    }
    for written, message in messages.items():
        assert jsonrpc.parse(written) == message
        assert written.isascii()
        assert written.isprintable()


@given(
    TEXTS
    | DATA.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]), DATA | st.just("2.0")
    ).map(json.dumps)
)
def test_any_text_is_a_message_or_malformed(text: str) -> None:
    """Whatever comes, parsing gives a message or `Malformed`, and nothing else."""
    message: object
    try:
        message = jsonrpc.parse(text)
    except Malformed as error:
        message = error
    assert isinstance(message, (Request, Answer, Failure, Malformed))


@pytest.mark.parametrize(
    "text, code, id, said",
    [
        ("", -32700, None, "not JSON"),
        ("{", -32700, None, "not JSON"),
        ("[" * 100_000, -32700, None, "not JSON"),
        ("9" * 10_000, -32700, None, "not JSON"),
        ('{"jsonrpc":"2.0","id":1,"result":NaN}', -32700, None, "NaN"),
        ("[]", -32600, None, "batches"),
        ('"text"', -32600, None, "batches"),
        ('{"id":7,"method":"m"}', -32600, 7, "2.0"),
        ('{"jsonrpc":"1.0","id":"a","method":"m"}', -32600, "a", "2.0"),
        ('{"jsonrpc":"2.0","id":true,"method":"m"}', -32600, None, "'id'"),
        ('{"jsonrpc":"2.0","id":1.5,"method":"m"}', -32600, None, "'id'"),
        ('{"jsonrpc":"2.0","id":null,"method":"m"}', -32600, None, "null"),
        ('{"jsonrpc":"2.0","id":1,"method":2}', -32600, 1, "'method'"),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', -32600, 1, "by name"),
        ('{"jsonrpc":"2.0","id":1}', -32600, 1, "neither"),
        ('{"jsonrpc":"2.0","result":1}', -32600, None, "neither"),
        ('{"jsonrpc":"2.0","id":1,"error":"no"}', -32600, 1, "'error'"),
        ('{"jsonrpc":"2.0","id":1,"error":{"message":"no"}}', -32600, 1, "'error'"),
    ],
)
def test_malformed(text: str, code: int, id: int | str | None, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        jsonrpc.parse(text)
    assert (caught.value.code, caught.value.id) == (code, id)
    assert said in caught.value.message


def test_no_parameters_and_no_data_are_fine() -> None:
    assert jsonrpc.parse('{"jsonrpc":"2.0","id":1,"method":"m"}') == Request(id=1, method="m", params={})
    text = '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"data":[]}}'
    assert jsonrpc.parse(text) == Failure(id=1, code=-1, message="")


def test_what_is_not_json_is_not_written() -> None:
    for bad in ({1, 2}, float("nan"), b"bytes"):
        with pytest.raises((TypeError, ValueError)):
            jsonrpc.answer(1, bad)
