"""National register numbers are masked before a body is kept; nothing else is touched, and JSON stays JSON."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relais.personal.register_numbers import mask_register_numbers, masking

BORN_1985 = "85073003328"
MASKED = "99999999999"


def number_of(birth: str, serial: int, *, since_2000: bool = False) -> str:
    """A register number made by the rule: the check digits are 97 less the rest by 97, with a 2 in front since 2000."""
    nine = f"{birth}{serial:03}"
    return f"{nine}{97 - int('2' * since_2000 + nine) % 97:02}"


def masked(text: str) -> str:
    return mask_register_numbers(text.encode()).decode()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (BORN_1985, MASKED),
        ("85.07.30-033.28", "99.99.99-999.99"),
        ("85 07 30 033 28", "99 99 99 999 99"),
        ("85.07.30 033.28", "99.99.99 999.99"),
        ("850730-033.28", "999999-999.99"),
        ("850730-03328", "999999-99999"),
        ("850730 033 28", "999999 999 99"),
        ("85-07-30-033-28", "99-99-99-999-99"),
        (number_of("120229", 1, since_2000=True), MASKED),
        (number_of("852730", 33), MASKED),  # a foreigner's number: the month and 20
        (number_of("854730", 33), MASKED),  # the month and 40
        (number_of("850000", 33), MASKED),  # a birthday that nobody knows
        (f"né le 30/07/1985, NN {BORN_1985}.", f"né le 30/07/1985, NN {MASKED}."),
        (f"n°{BORN_1985}", f"n°{MASKED}"),
        (f"({BORN_1985})", f"({MASKED})"),
        (f"nn{BORN_1985}x", f"nn{MASKED}x"),
        (f"{BORN_1985},{BORN_1985}", f"{MASKED},{MASKED}"),
        (f"-{BORN_1985}", f"-{MASKED}"),
    ],
)
def test_a_register_number_is_masked_however_it_is_written(written: str, kept: str) -> None:
    assert masked(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "85073003329",  # one check digit off
        "85133003321",  # no such month
        "8507300332",  # ten digits
        f"{BORN_1985}1",
        f"1{BORN_1985}",
        f"0.{BORN_1985}",  # the fraction of a number
        "148412.21",
        "2026-05-04T10:11:12.123456+02:00",
        "BE68 5390 0754 7034",
        "+32 470 12 34 56",
        "85.07.30-033 28 28"[:-6],
    ],
)
def test_what_is_no_register_number_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_no_telephone_number_written_with_a_plus_is_taken_for_one() -> None:
    """+32 and nine digits are eleven digits, and one mobile number in fifty has the right check digits by chance."""
    mobile = [f"+324{rest:08}" for rest in range(70_120_000, 70_150_000)]
    text = "\n".join(mobile)
    assert any(number_of(digits[1:7], int(digits[7:10])) == digits[1:] for digits in mobile), "the test can fail"
    assert masked(text) == text


@pytest.mark.parametrize("before", ["n°", "é", "№ ", "nº", "\t", "\u8507"])
def test_a_number_behind_an_escaped_character_is_masked_too(before: str) -> None:
    for ascii_only in (True, False):
        kept = mask_register_numbers(json.dumps({"text": f"{before}{BORN_1985}"}, ensure_ascii=ascii_only).encode())
        assert json.loads(kept) == {"text": f"{before}{MASKED}"}


def test_an_escaped_character_is_no_part_of_a_number() -> None:
    """The four digits of an escape, and seven behind it."""
    nine = "850730033"
    body = f'"\\u{nine[:4]}{nine[4:]}28"'.encode()
    assert mask_register_numbers(body) == body


@pytest.mark.parametrize("text", [BORN_1985, f"-{BORN_1985}", f"{BORN_1985}.5", f"{BORN_1985}e3", f"[{BORN_1985}]"])
def test_a_bare_number_in_json_stays_valid_json(text: str) -> None:
    body = f'{{"nn": {text}}}'.encode()
    kept = mask_register_numbers(body)
    assert BORN_1985.encode() not in kept
    assert len(kept) == len(body)
    json.loads(kept)


TEXTS = st.text(st.sampled_from('0123456789.- +/aé\\"'), max_size=40)


@given(st.recursive(TEXTS | st.integers() | st.floats(allow_nan=False), st.lists, max_leaves=8), st.booleans())
def test_masking_keeps_the_length_the_shape_and_every_other_character(document: object, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    kept = mask_register_numbers(body)
    assert len(kept) == len(body)
    assert all(was == now or (chr(was).isdigit() and now == ord("9")) for was, now in zip(body, kept, strict=True))
    json.loads(kept)
    assert mask_register_numbers(kept) == kept


@given(st.binary(max_size=60))
def test_any_bytes_can_be_cleaned(body: bytes) -> None:
    assert len(mask_register_numbers(body)) == len(body)


@pytest.mark.parametrize(
    "piece", [b"8", b"85 ", b"85.07.30-033.2", b"85073003328 ", b"85.", b"\\u0085", b"+", b"8507300332a"]
)
def test_a_large_body_costs_time_in_proportion_to_its_size(piece: bytes) -> None:
    """Sixteen times as much takes no hundred times as long, whatever it is made of."""

    def seconds(size: int) -> float:
        body = piece * (size // len(piece))
        started = time.process_time()
        mask_register_numbers(body)
        return time.process_time() - started

    small, large = min(seconds(65_536) for _ in range(3)), seconds(1_048_576)
    assert large < 100 * max(small, 0.001)


def test_an_authorisation_keeps_the_numbers_and_none_masks_them() -> None:
    body = BORN_1985.encode()
    assert masking("deliberation 21/2026")(body) == body
    assert masking(None)(body) == masking("")(body) == MASKED.encode()
