import pytest

from tests import factories


@pytest.fixture
def order_in(alice, clerk, product):
    """A function that returns an order of alice's in this status, of three pieces."""

    def order_in(status):
        order = factories.place(alice, {product: 3})
        factories.make_transitions(order, factories.PATHS[status], by=clerk)
        assert order.status == status
        return order

    return order_in
