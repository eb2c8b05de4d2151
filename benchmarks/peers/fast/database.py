"""The engine, the session of a request, and the shop's tables."""

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Depends
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Numeric,
    Table,
    TypeDecorator,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from benchmarks.rows import HOST

MEDIA_URL = f"http://{HOST}/media/"

url = os.environ["DATABASE_URL"]
IS_SQLITE = url.startswith("sqlite")
if IS_SQLITE:
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:"), pool_size=16, connect_args={"timeout": 20}
    )

    @event.listens_for(engine.sync_engine, "connect")
    def use_wal(dbapi_connection, connection_record):
        dbapi_connection.isolation_level = None  # the driver begins no transactions by itself
        dbapi_connection.execute("PRAGMA journal_mode=WAL")
        dbapi_connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection):
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")
else:
    # PostgreSQL allows 100 connections, and all servers have some.
    engine = create_async_engine(
        url.replace("postgres:", "postgresql+asyncpg:"), pool_size=16, max_overflow=0
    )

new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session():
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


class UTCDateTime(TypeDecorator):
    """A datetime in UTC, as SQLite has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value, dialect):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value


class Base(DeclarativeBase):
    type_annotation_map = {
        int: BigInteger,
        datetime: UTCDateTime,
        Decimal: Numeric(16, 3),
        dict: JSON().with_variant(JSONB, "postgresql"),
    }


class Customer(Base):
    __tablename__ = "customers_customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    email: Mapped[str]
    email_confirmed: Mapped[bool]
    new_email: Mapped[str]
    first_name: Mapped[str]
    last_name: Mapped[str]
    contact_number: Mapped[str]
    street_1: Mapped[str]
    street_2: Mapped[str]
    city: Mapped[str]
    state: Mapped[str]
    postal_code: Mapped[str]
    country: Mapped[str]
    order_mails: Mapped[bool]
    is_active: Mapped[bool]
    is_staff: Mapped[bool]
    date_joined: Mapped[datetime]


class Token(Base):
    __tablename__ = "authtoken_token"

    key: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))


class Category(Base):
    __tablename__ = "products_category"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    is_active: Mapped[bool]


product_categories = Table(
    "products_product_categories",
    Base.metadata,
    Column("product_id", ForeignKey("products_product.id"), primary_key=True),
    Column("category_id", ForeignKey(Category.id), primary_key=True),
)


class ProductImage(Base):
    __tablename__ = "products_productimage"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products_product.id"))
    file: Mapped[str]
    thumbnail: Mapped[str]
    alt: Mapped[str]
    position: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]

    @property
    def url(self):
        return MEDIA_URL + self.file

    @property
    def thumbnail_url(self):
        return MEDIA_URL + (self.thumbnail or self.file)


class Product(Base):
    __tablename__ = "products_product"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    sku: Mapped[str | None]
    gtin: Mapped[str | None]
    price: Mapped[Decimal]
    quantity_in_stock: Mapped[int]
    is_active: Mapped[bool]
    created: Mapped[datetime]
    modified: Mapped[datetime]

    categories: Mapped[list[Category]] = relationship(
        secondary=product_categories, order_by=Category.slug, viewonly=True
    )
    images: Mapped[list[ProductImage]] = relationship(
        order_by=(ProductImage.position, ProductImage.id)
    )

    currency = "EUR"

    @property
    def in_stock(self):
        return self.quantity_in_stock > 0


class Order(Base):
    __tablename__ = "orders_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    placed_by_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id))
    status: Mapped[str]
    total_price: Mapped[Decimal]
    currency: Mapped[str]
    shipping_address: Mapped[dict]
    note: Mapped[str]
    reference: Mapped[str]
    carrier: Mapped[str]
    tracking_number: Mapped[str]
    idempotency_key: Mapped[str | None]
    fingerprint: Mapped[str]
    created: Mapped[datetime]
    modified: Mapped[datetime]

    items: Mapped[list["OrderItem"]] = relationship(order_by="OrderItem.id")
    events: Mapped[list["OrderEvent"]] = relationship(order_by="OrderEvent.id")

    tracking_url = ""  # no carrier is set

    @property
    def ordered_by_id(self):
        return self.placed_by_id or self.customer_id


class OrderItem(Base):
    __tablename__ = "orders_orderitem"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id))
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))
    name: Mapped[str]
    sku: Mapped[str | None]
    unit_price: Mapped[Decimal]
    quantity: Mapped[int]
    line_total: Mapped[Decimal]
    returned: Mapped[int]


class OrderEvent(Base):
    __tablename__ = "orders_orderevent"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id))
    action: Mapped[str]
    status: Mapped[str]
    at: Mapped[datetime]
    by_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id))
    note: Mapped[str]
    shipping_address: Mapped[dict | None]
