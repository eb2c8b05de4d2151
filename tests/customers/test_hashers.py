"""The hash of passwords; tests/attack/availability.py shows what its priority is worth."""

import os
import sys
import threading

import pytest
from django.contrib.auth.hashers import (
    PBKDF2PasswordHasher,
    check_password,
    get_hashers_by_algorithm,
    make_password,
)

from customers import hashers
from tests.factories import PASSWORD


def test_hashes_are_those_of_django():
    django, shop = PBKDF2PasswordHasher(), hashers.LowPriorityPBKDF2PasswordHasher()
    encoded = shop.encode(PASSWORD, "salt")
    assert encoded == django.encode(PASSWORD, "salt")
    assert shop.verify(PASSWORD, encoded)
    assert not shop.verify("wrong-password", encoded)


@pytest.mark.parametrize("algorithm", ["pbkdf2_sha256", "pbkdf2_sha1", "scrypt"])
def test_hashes_of_other_shops_stay_valid(algorithm):
    """A shop may import accounts whose hashes another of Django's algorithms made."""
    assert check_password(PASSWORD, make_password(PASSWORD, hasher=algorithm))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority on Linux only")
def test_hash_has_a_lower_priority_than_its_request(monkeypatch):
    def thread_priority():
        return threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    priorities = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(
        PBKDF2PasswordHasher,
        "encode",
        lambda *args: priorities.append(thread_priority()) or encode(*args),
    )
    thread, before = thread_priority()
    encoded = make_password(PASSWORD, hasher=get_hashers_by_algorithm()["pbkdf2_sha256"])
    assert check_password(PASSWORD, encoded)
    assert [priority for _, priority in priorities] == [min(before + hashers.NICENESS, 19)] * 2
    assert thread not in {hash_thread for hash_thread, _ in priorities}
    assert thread_priority() == (thread, before)
