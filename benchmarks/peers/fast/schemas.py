from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


def text(max_length, min_length=0):
    return Annotated[str, StringConstraints(min_length=min_length, max_length=max_length)]


Slug = Annotated[str, BeforeValidator(lambda category: category.slug)]
NullIfEmpty = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class ORMModel(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ImageOut(ORMModel):
    id: int
    url: str
    alt: str
    width: int
    height: int
    thumbnail_url: str


class ProductOut(ORMModel):
    id: int
    name: str
    description: str
    sku: str | None
    gtin: str | None
    price: Decimal
    currency: str
    quantity_in_stock: int
    in_stock: bool
    is_active: bool
    categories: list[Slug]
    images: list[ImageOut]
    created: datetime
    modified: datetime


class ProductPage(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[ProductOut]


class CustomerOut(ORMModel):
    id: int
    username: str
    email: str
    email_confirmed: bool
    new_email: NullIfEmpty
    first_name: str
    last_name: str
    contact_number: str
    street_1: str
    street_2: str
    city: str
    state: str
    postal_code: str
    country: str
    order_mails: bool
    is_staff: bool
    date_joined: datetime


class PlaceOrderItem(BaseModel):
    product: Annotated[int, Field(ge=1, lt=2**63, strict=True)]
    quantity: Annotated[int, Field(ge=1, le=10_000, strict=True)]


class Address(BaseModel):
    name: text(301, min_length=1) | None = None
    contact_number: text(40) | None = None
    street_1: text(200, min_length=1)
    street_2: text(200) = ""
    city: text(100, min_length=1)
    state: text(100) = ""
    postal_code: text(20) = ""
    country: text(100, min_length=1)


class PlaceOrder(BaseModel):
    items: Annotated[list[PlaceOrderItem], Field(min_length=1, max_length=100)]
    shipping_address: Address | None = None
    expected_total: Annotated[Decimal, Field(max_digits=15, decimal_places=2)] | None = None
    note: text(500) = ""
    reference: text(64) = ""


class OrderItemOut(ORMModel):
    product: int = Field(validation_alias="product_id")
    name: str
    sku: str | None
    unit_price: Decimal
    quantity: int
    line_total: Decimal
    returned: int


class OrderEventOut(ORMModel):
    action: str
    status: str
    at: datetime
    by: int | None = Field(validation_alias="by_id")
    note: str
    shipping_address: Address | None


class OrderOut(ORMModel):
    id: int
    status: str
    customer: int = Field(validation_alias="customer_id")
    placed_by: int = Field(validation_alias="ordered_by_id")
    items: list[OrderItemOut]
    total_price: Decimal
    currency: str
    shipping_address: Address
    note: str
    reference: str
    carrier: str
    tracking_number: str
    tracking_url: str
    created: datetime
    modified: datetime
    actions: list[str]
    events: list[OrderEventOut]


class OrderPage(BaseModel):
    next: str | None
    previous: str | None
    results: list[OrderOut]
