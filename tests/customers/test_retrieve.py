def test_customer_reads_their_own_row(as_alice, alice):
    data = as_alice.get(f"/api/customers/{alice.pk}/").json()
    assert (data["username"], data["city"]) == ("alice", "Aarhus")


def test_another_customer_is_not_found(as_bob, alice):
    assert as_bob.get(f"/api/customers/{alice.pk}/").status_code == 404


def test_staff_read_any_customer(as_clerk, alice):
    assert as_clerk.get(f"/api/customers/{alice.pk}/").json()["username"] == "alice"


def test_row_cannot_be_written_by_its_id(as_clerk, alice):
    for method in (as_clerk.put, as_clerk.patch, as_clerk.delete):
        assert method(f"/api/customers/{alice.pk}/", {"city": "Ribe"}).status_code == 405
