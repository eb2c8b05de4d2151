from webhooks.models import Delivery, Endpoint


def test_pages(admin_browser, product):
    admin_browser.open("products/product/")
    assert product.name in admin_browser.text
    admin_browser.take_pictures("products")


def test_long_words_break(admin_browser, product):
    """Of a SKU, and of the body of a webhook."""
    product.update_fields(name="Lebkuchen" * 8, sku="X" * 40)
    endpoint = Endpoint(url="https://8.8.8.8/")
    endpoint.start()
    endpoint.save()
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        event="product.changed",
        object_id=1,
        message_id="msg_" + 40 * "A",
        body=200 * "A",
    )
    for path in (f"products/product/{product.pk}/change/", f"webhooks/delivery/{delivery.pk}/"):
        admin_browser.open(path)
        admin_browser.take_pictures(path.replace("/", "-"))
        admin_browser.driver.set_window_size(390, 844)
        for element in admin_browser.find_all("#content :is(.readonly, h1, h2)"):
            rect = element.rect
            assert rect["x"] + rect["width"] <= 390
            assert element.get_property("scrollWidth") <= element.get_property("clientWidth") + 1
        admin_browser.driver.set_window_size(1366, 900)
