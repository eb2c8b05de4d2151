def test_pages(admin_browser, product):
    admin_browser.open("products/product/")
    assert product.name in admin_browser.text
    admin_browser.take_pictures("products")
