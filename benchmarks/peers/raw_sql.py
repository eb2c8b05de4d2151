"""Placing orders with nothing but SQL: what the database leaves room for.

`python -m benchmarks.peers.raw_sql five 5` has two processes place orders of three lines for five
seconds, by five prepared statements and a commit (`five`), or by one statement (`one`).
"""

import json
import os
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import psycopg

PROCESSES = 2

CALLER = """
    SELECT c.id, trim(first_name || ' ' || last_name) AS name, contact_number, street_1, street_2,
        city, state, postal_code, country
    FROM authtoken_token t JOIN customers_customer c ON c.id = t.user_id
    WHERE t.key = %(token)s AND c.is_active"""
LOCK = """
    SELECT id FROM products_product WHERE id = ANY(%(ids)s::bigint[]) AND is_active ORDER BY id
    FOR NO KEY UPDATE"""
# The constraint of the table refuses to take more than there is.
TAKE = """
    UPDATE products_product p SET quantity_in_stock = quantity_in_stock - wanted.quantity,
        modified = now()
    FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS wanted (id, quantity)
    WHERE p.id = wanted.id AND p.id IN (SELECT id FROM locked)
    RETURNING p.id, p.name, p.sku, p.price, wanted.quantity, p.price * wanted.quantity AS total"""
ORDER = """
    INSERT INTO orders_order (customer_id, status, total_price, currency, shipping_address,
        fingerprint, created, modified)"""
ITEM = """
    INSERT INTO orders_orderitem (order_id, product_id, name, sku, unit_price, quantity,
        line_total)"""
EVENT = "INSERT INTO orders_orderevent (order_id, status, at, by_id, note)"

FIVE = (
    CALLER,
    f"WITH locked AS MATERIALIZED ({LOCK}) {TAKE}",
    f"""{ORDER} VALUES (%(customer)s, 'placed', %(total)s, 'EUR', %(address)s, %(fingerprint)s,
        now(), now()) RETURNING id""",
    f"""{ITEM} SELECT %(order)s, * FROM unnest(%(ids)s::bigint[], %(names)s::text[],
        %(skus)s::text[], %(prices)s::numeric[], %(quantities)s::int[], %(totals)s::numeric[])""",
    f"{EVENT} VALUES (%(order)s, 'placed', now(), %(customer)s, '')",
)
ONE = f"""
    WITH caller AS MATERIALIZED ({CALLER}),
    locked AS MATERIALIZED ({LOCK}),
    taken AS ({TAKE}),
    placed AS (
        {ORDER}
        SELECT caller.id, 'placed', (SELECT sum(total) FROM taken), 'EUR',
            to_jsonb(caller) - 'id', %(fingerprint)s, now(), now()
        FROM caller WHERE (SELECT count(*) FROM taken) = cardinality(%(ids)s::bigint[])
        RETURNING id, customer_id
    ),
    lines AS (
        {ITEM} SELECT placed.id, taken.* FROM placed, taken
    )
    {EVENT} SELECT id, 'placed', now(), customer_id, '' FROM placed RETURNING order_id"""


def place_by_five(connection, cursor, order):
    customer, *address = cursor.execute(FIVE[0], order, prepare=True).fetchone()
    names = [column.name for column in cursor.description[1:]]
    taken = cursor.execute(FIVE[1], order, prepare=True).fetchall()
    assert len(taken) == len(order["ids"])
    ids, product_names, skus, prices, quantities, totals = map(list, zip(*taken, strict=True))
    order = order | {
        "customer": customer,
        "address": json.dumps(dict(zip(names, address, strict=True))),
        "total": sum(totals),
    }
    (order_id,) = cursor.execute(FIVE[2], order, prepare=True).fetchone()
    lines = {"order": order_id, "ids": ids, "names": product_names, "skus": skus}
    lines |= {"prices": prices, "quantities": quantities, "totals": totals}
    cursor.execute(FIVE[3], lines, prepare=True)
    cursor.execute(FIVE[4], {"order": order_id, "customer": customer}, prepare=True)
    connection.commit()


def place_by_one(connection, cursor, order):
    assert cursor.execute(ONE, order, prepare=True).fetchone()


def work(way, seconds, seed):
    """The time that each order took, in milliseconds."""
    place = {"five": place_by_five, "one": place_by_one}[way]
    chance, took = random.Random(seed), []
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=way == "one") as connection:
        cursor = connection.cursor()
        tokens = [key for (key,) in cursor.execute("SELECT key FROM authtoken_token")]
        products = "SELECT id FROM products_product WHERE is_active"
        products = [pk for (pk,) in cursor.execute(products)]
        connection.commit()
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            order = {
                "token": chance.choice(tokens),
                "ids": chance.sample(products, 3),
                "quantities": [1, 2, 1],
                "fingerprint": f"{chance.getrandbits(256):064x}",
            }
            place(connection, cursor, order)
            took.append(1000 * (time.perf_counter() - began))
    return took


if __name__ == "__main__":
    way, seconds = sys.argv[1], float(sys.argv[2])
    with ProcessPoolExecutor(PROCESSES) as pool:
        seeds = [random.random() for _ in range(PROCESSES)]
        parts = list(pool.map(work, [way] * PROCESSES, [seconds] * PROCESSES, seeds))
    took = sorted(sum(parts, []))
    told = {"requests": len(took), "seconds": seconds, "errors": 0, "not_modified": 0}
    told |= {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}
    print(json.dumps(told))
