import hashlib
import json
from datetime import UTC, datetime

from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from benchmarks.peers.fast.database import IS_SQLITE, Order, OrderEvent, OrderItem, Product

ADDRESS = ("street_1", "street_2", "city", "state", "postal_code", "country")


def fingerprint(body):
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def find_by_key(session, customer, key, digest):
    if key is None:
        return None
    order = await session.scalar(
        select(Order)
        .where(Order.customer_id == customer.id, Order.idempotency_key == key)
        .options(selectinload(Order.items), selectinload(Order.events))
    )
    if order and order.fingerprint != digest:
        raise HTTPException(422, "You placed another order with this key.")
    return order


async def place(session, customer, key, digest, payload):
    quantities = {}
    for item in payload.items:
        quantities[item.product] = quantities.get(item.product, 0) + item.quantity
    if IS_SQLITE:  # ends the transaction that read the customer: it cannot be upgraded to a write
        await session.commit()
        await session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
    rows = await session.scalars(
        select(Product)
        .where(Product.id.in_(quantities))
        .order_by(Product.id)
        .with_for_update(key_share=True)
    )
    products = {product.id: product for product in rows}
    if len(products) < len(quantities):
        raise HTTPException(400, "No such product.")
    now = datetime.now(UTC)
    for product in products.values():
        if not product.is_active or product.quantity_in_stock < quantities[product.id]:
            raise HTTPException(409, f"{product.name} is out of stock.")
        product.quantity_in_stock -= quantities[product.id]
        product.modified = now
    total = sum(products[pk].price * quantity for pk, quantity in quantities.items())
    if payload.expected_total not in (None, total):
        raise HTTPException(409, f"The order comes to {total}.")
    order = Order(
        customer_id=customer.id,
        status="placed",
        total_price=total,
        currency=Product.currency,
        shipping_address=address_for(customer, payload.shipping_address),
        note=payload.note,
        reference=payload.reference,
        carrier="",
        tracking_number="",
        idempotency_key=key,
        fingerprint=digest,
        created=now,
        modified=now,
        items=[
            OrderItem(
                product_id=pk,
                name=products[pk].name,
                sku=products[pk].sku,
                unit_price=products[pk].price,
                quantity=quantity,
                line_total=products[pk].price * quantity,
                returned=0,
            )
            for pk, quantity in quantities.items()
        ],
        events=[OrderEvent(action="place", status="placed", at=now, by_id=customer.id, note="")],
    )
    session.add(order)
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        order = await find_by_key(session, customer, key, digest)
        if order is None:
            raise
    return order


def address_for(customer, shipping_address):
    name = f"{customer.first_name} {customer.last_name}".strip()
    address = {"name": name or customer.username, "contact_number": customer.contact_number}
    if shipping_address:
        return address | shipping_address.model_dump(exclude_none=True)
    address |= {field: getattr(customer, field) for field in ADDRESS}
    if not (address["street_1"] and address["city"] and address["country"]):
        raise HTTPException(400, "Send a shipping_address, or complete your profile.")
    return address
