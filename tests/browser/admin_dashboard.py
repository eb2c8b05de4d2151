from customers.models import Customer
from products.models import Product


def test_empty_shop(admin_browser):
    admin_browser.open("")
    admin_browser.take_pictures("dashboard-empty")


def test_pages(seeded_shop, admin_browser):
    admin_browser.open("")
    admin_browser.take_pictures("dashboard")


def test_numbers_lead_to_their_lists(seeded_shop, admin_browser):
    admin_browser.open("")
    admin_browser.find("#day details summary").click()
    admin_browser.take_pictures("dashboard-days")
    bar = admin_browser.find(".chart .bar[height='1000']")
    assert bar.size["height"] > 90  # drawn, although the policy forbids inline styles
    number = admin_browser.find("#day .figure")
    count = number.text
    admin_browser.press(number)
    assert f"{count} order" in admin_browser.find(".paginator").text


def test_stock_of_a_product(seeded_shop, admin_browser):
    product = Product.objects.filter(quantity_in_stock__gt=9).first()
    clerk = Customer.objects.get(username="root")
    product.adjust_stock(30, reason="delivery", by=clerk, note="Pallet 4 of the roastery in Aarhus")
    product.adjust_stock(-2, reason="damaged", by=clerk, note="Fell off the shelf")
    admin_browser.open(f"products/product/{product.pk}/change/")
    admin_browser.take_pictures("product-with-movements")
    admin_browser.follow("The whole time line")
    admin_browser.take_pictures("stock")
    balance = admin_browser.find(".movements tbody td:nth-child(4)").text
    assert f"There are {balance} in stock" in admin_browser.text
    admin_browser.follow("Older")
    assert "Newest" in admin_browser.text
