"""Memos that share a limit: what was used longest ago goes first, whoever holds it."""

import gc
import weakref

from core.memo import Memo, MemoLimit


def test_results_of_all_memos_share_the_limit_and_the_oldest_goes():
    limit = MemoLimit(10)
    words, lists = Memo[str](limit, len), Memo[list[int]](limit, len)
    words.put("a", "xxxx")
    lists.put("a", [1, 2, 3])
    assert words.get("a", lambda: "new") == "xxxx"  # used again
    assert limit.used == 7
    words.put("b", "yyyyy")  # 12 in all: the list is the oldest
    assert limit.used == 9
    assert set(words.known("ab")) == {"a", "b"} and not lists.known("a")
    assert lists.get("a", lambda: [0]) == [0]
    assert (words.made, lists.made, limit.used) == (2, 2, 10)
    limit.resize(6)  # 4, 5 and 1: "a" is the oldest
    assert (set(words.known("ab")), limit.used) == ({"b"}, 6)


def test_a_result_that_is_replaced_counts_once_and_one_too_large_is_not_kept():
    limit = MemoLimit(5)
    memo = Memo[str](limit, len)
    memo.put("a", "xxx")
    memo.put("a", "xx")
    assert limit.used == 2
    assert memo.get("b", lambda: "yyyyyy") == "yyyyyy"
    assert not memo.known("ab") and limit.used == 0


def test_clearing_one_memo_leaves_the_others():
    limit = MemoLimit(3)
    one, other = Memo[int](limit), Memo[int](limit)
    one.put(1, 1)
    other.put(1, 1)
    one.clear()
    assert limit.used == 1 and other.known([1]) and not one.known([1])


def test_memos_that_nobody_needs_are_freed_at_once():
    """An engine's results are large: they must not wait for Python's search for cycles."""
    gc.disable()
    try:
        limit = MemoLimit(3)
        memo = Memo[int](limit)
        memo.put(1, 1)
        watch = weakref.ref(memo)
        del memo, limit
        assert watch() is None
    finally:
        gc.enable()
