from tests import factories


def test_order_is_found_by_what_a_customer_says(admin_browser, product, clerk):
    customer = factories.customers.make(first_name="Lena", last_name="Vögt", city="Rotkreuz")
    orders = [factories.place(customer, {product: 1}) for _ in range(3)]
    orders[0].confirm(by=clerk)
    orders[0].ship(by=clerk, carrier="UPS", tracking_number="1Z 999 AA1 01 2345 6784")
    for text, count in (("1z999aa10123456784", 1), ("vogt rotkreuz", 3), ("vogt aarhus", 0)):
        admin_browser.open("orders/order/")
        admin_browser.find("#searchbar").send_keys(text)
        admin_browser.press("#changelist-search [type=submit]")
        assert len(admin_browser.find_all("#result_list tbody tr")) == count
        admin_browser.take_pictures(f"search_{count}")
