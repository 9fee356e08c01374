"""One serializer reads the bodies of all requests: none may see anything of another's."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.utils.translation import override
from rest_framework.exceptions import ValidationError

from common.api.serializers import StrictCharField, StrictIntegerField, StrictSerializer, validated


class Inner(StrictSerializer):
    word = StrictCharField(max_length=20)
    hint = StrictCharField(required=False)


class Outer(StrictSerializer):
    number = StrictIntegerField(min_value=0)
    inner = Inner()


class Keeping(StrictSerializer):
    """What a reader must not do."""

    number = StrictIntegerField()

    def validate_number(self, value: int) -> int:
        self.seen = [*getattr(self, "seen", []), value]
        return len(self.seen)


def body(number: int) -> dict[str, Any]:
    inner = {"word": f"w{number}", **({"hint": "h"} if number % 2 else {})}
    return {
        "number": number if number % 3 else -1,
        "inner": inner,
        **({} if number % 5 else {"x": 1}),
    }


def read(number: int) -> tuple[int, Any]:
    try:
        return number, validated(Outer, body(number))
    except ValidationError as error:
        return number, sorted(error.detail)


def wanted(number: int) -> Any:
    if number % 5 == 0:
        return ["x"]
    return body(number) if number % 3 else ["number"]


def test_bodies_read_at_the_same_moment_are_each_their_own() -> None:
    with ThreadPoolExecutor(8) as threads:
        for number, found in threads.map(read, range(2_000)):
            assert found == wanted(number)


def test_a_reader_that_keeps_something_shows_it_to_the_next() -> None:
    assert [validated(Keeping, {"number": 7})["number"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("data", "code"), [(None, "null"), ([], "invalid"), ("x", "invalid"), (3, "invalid")]
)
def test_what_is_no_object_is_refused(data: Any, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        validated(Outer, data)
    assert code in str(caught.value.get_codes())


def test_a_message_told_in_one_language_is_told_in_the_others() -> None:
    said = []
    for language in ("de", "en", "de"):
        with override(language), pytest.raises(ValidationError) as caught:
            validated(Outer, {"number": 1, "inner": {"word": "w" * 21}})
        said.append(str(caught.value.detail["inner"]["word"][0]))
    assert said[0] == said[2] != said[1]
    assert "20" in said[1]
