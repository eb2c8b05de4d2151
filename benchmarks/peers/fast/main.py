"""The shop, written as the documentation of FastAPI and SQLAlchemy recommends."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from benchmarks.peers.fast import counting
from benchmarks.peers.fast.cursors import decode, encode
from benchmarks.peers.fast.database import (
    Category,
    Customer,
    Order,
    Product,
    Session,
    Token,
)
from benchmarks.peers.fast.placing import find_by_key, fingerprint, place
from benchmarks.peers.fast.schemas import (
    CustomerOut,
    OrderOut,
    OrderPage,
    PlaceOrder,
    ProductOut,
    ProductPage,
)

app = FastAPI()


async def get_optional_customer(
    session: Session, authorization: Annotated[str | None, Header()] = None
):
    if authorization is None:
        return None
    scheme, _, key = authorization.partition(" ")
    customer = await session.scalar(
        select(Customer).join(Token, Token.user_id == Customer.id).where(Token.key == key)
    )
    if scheme != "Token" or customer is None or not customer.is_active:
        raise HTTPException(401, "Invalid token.", {"WWW-Authenticate": "Token"})
    return customer


OptionalCustomer = Annotated[Customer | None, Depends(get_optional_customer)]


async def get_customer(customer: OptionalCustomer):
    if customer is None:
        raise HTTPException(401, "Log in.", {"WWW-Authenticate": "Token"})
    return customer


CurrentCustomer = Annotated[Customer, Depends(get_customer)]
PageNumber = Annotated[int, Query(ge=1)]
PageSize = Annotated[int, Query(ge=1)]


def visible_to(customer):
    return [] if customer and customer.is_staff else [Product.is_active]


# Of each product: the categories that anyone sees, and the pictures.
RELATED = (
    selectinload(Product.categories.and_(Category.is_active)),
    selectinload(Product.images),
)


@app.get("/api/products/", response_model=ProductPage)
async def list_products(
    request: Request,
    session: Session,
    customer: OptionalCustomer,
    page: PageNumber = 1,
    items_per_page: PageSize = 5,
    search: Annotated[str, Query(max_length=200)] = "",
):
    size = min(items_per_page, 100)
    conditions = visible_to(customer)
    for word in search.split():
        columns = (Product.name, Product.description, Product.sku)
        conditions.append(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    products = select(Product).where(*conditions).options(*RELATED).order_by(Product.id)
    products = products.offset((page - 1) * size).limit(size)
    total = select(func.count()).select_from(Product).where(*conditions)
    cache_key = (len(conditions), search)
    results, count = await counting.page_and_count(session, products, total, cache_key)
    if page > 1 and not results:
        raise HTTPException(404, "There is no such page.")
    return {
        "count": count,
        "next": link(request, page=page + 1) if page * size < count else None,
        "previous": link(request, page=page - 1) if page > 1 else None,
        "results": results,
    }


def link(request, **parameters):
    return str(request.url.include_query_params(**parameters))


@app.get("/api/products/{id}/", response_model=ProductOut)
async def get_product(id: int, session: Session, customer: OptionalCustomer):
    products = select(Product).where(Product.id == id, *visible_to(customer)).options(*RELATED)
    product = await session.scalar(products)
    if product is None:
        raise HTTPException(404, "No such product.")
    return product


@app.get("/api/customers/", response_model=list[CustomerOut])
async def list_customers(
    request: Request,
    response: Response,
    session: Session,
    customer: OptionalCustomer,
    page: PageNumber = 1,
    items_per_page: PageSize = 100,
):
    if customer is None:
        return []
    size = min(items_per_page, 100)
    conditions = [] if customer.is_staff else [Customer.id == customer.id]
    count = await session.scalar(select(func.count()).select_from(Customer).where(*conditions))
    pages = {"first": 1, "last": -(-count // size)}
    response.headers["Link"] = ", ".join(
        f'<{link(request, page=number)}>; rel="{name}"' for name, number in pages.items()
    )
    customers = select(Customer).where(*conditions).order_by(Customer.id)
    return (await session.scalars(customers.offset((page - 1) * size).limit(size))).all()


# The customer's transitions from each status, and those of staff only.
TRANSITIONS = {
    "placed": (["cancel"], ["confirm"]),
    "confirmed": (["cancel"], ["ship"]),
    "shipped": ([], ["deliver"]),
}


def add_actions(customer, order):
    actions, staff_actions = TRANSITIONS.get(order.status, ([], []))
    order.actions = [*staff_actions, *actions] if customer.is_staff else actions
    return order


@app.get("/api/orders/", response_model=OrderPage)
async def list_orders(
    request: Request,
    session: Session,
    customer: CurrentCustomer,
    items_per_page: PageSize = 25,
    cursor: str | None = None,
):
    size = min(items_per_page, 100)
    position, backwards = decode(cursor)
    orders = (
        select(Order)
        .where(Order.customer_id == customer.id)
        .options(selectinload(Order.items), selectinload(Order.events))
        .order_by(Order.id.asc() if backwards else Order.id.desc())
        .limit(size + 1)
    )
    if position:
        orders = orders.where(Order.id > position if backwards else Order.id < position)
    rows = (await session.scalars(orders)).all()
    page, has_more = rows[:size], len(rows) > size
    if backwards:
        page.reverse()
    has_next, has_previous = (True, has_more) if backwards else (has_more, bool(position))
    next_cursor = encode(page[-1].id) if page and has_next else None
    previous_cursor = encode(page[0].id, backwards=True) if page and has_previous else None
    return {
        "next": link(request, cursor=next_cursor) if next_cursor else None,
        "previous": link(request, cursor=previous_cursor) if previous_cursor else None,
        "results": [add_actions(customer, order) for order in page],
    }


@app.post("/api/orders/", response_model=OrderOut, status_code=201)
async def place_order(
    request: Request,
    response: Response,
    payload: PlaceOrder,
    session: Session,
    customer: CurrentCustomer,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=257)] = None,
):
    key, digest = idempotency_key, fingerprint(await request.json())
    order = await find_by_key(session, customer, key, digest)
    if order:
        response.headers["Idempotent-Replayed"] = "true"
    else:
        order = await place(session, customer, key, digest, payload)
    return add_actions(customer, order)
