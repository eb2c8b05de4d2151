"""Examples of the OpenAPI document, of the demo shop."""

ITEMS_EXAMPLE = [
    {
        "product": 1,
        "name": "Yirgacheffe Kochere, 250 g",
        "sku": "COF-ETH-250",
        "unit_price": "11.90",
        "quantity": 2,
        "line_total": "23.80",
        "returned": 0,
    },
    {
        "product": 14,
        "name": "Paper Filters 02, 100 pieces",
        "sku": "FLT-P02-100",
        "unit_price": "6.20",
        "quantity": 1,
        "line_total": "6.20",
        "returned": 0,
    },
]
ADDRESS_EXAMPLE = {
    "name": "Lena Vogt",
    "contact_number": "+49 40 5550142",
    "street_1": "Elbchaussee 112",
    "street_2": "2. Stock links",
    "city": "Hamburg",
    "state": "",
    "postal_code": "22763",
    "country": "Germany",
}
ORDER_EXAMPLE = {
    "id": 1,
    "status": "placed",
    "customer": 2,
    "placed_by": 2,
    "items": ITEMS_EXAMPLE,
    "total_price": "30.00",
    "currency": "EUR",
    "shipping_address": ADDRESS_EXAMPLE,
    "note": "",
    "reference": "",
    "carrier": "",
    "tracking_number": "",
    "tracking_url": "",
    "created": "2026-03-09T10:21:07.482913Z",
    "modified": "2026-03-09T10:21:07.482913Z",
    "actions": ["cancel"],
    "events": [
        {
            "action": "place",
            "status": "placed",
            "at": "2026-03-09T10:21:07.482913Z",
            "by": 2,
            "note": "",
            "shipping_address": None,
        }
    ],
}
