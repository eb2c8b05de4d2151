"""Chromium by Selenium, a development package: only the tests of this folder import it."""

import os
import subprocess
import time
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from tests import factories

# Where the pictures go; without it they are not kept.
PICTURES = os.environ.get("PICTURES")
WIDTHS = {"wide": (1366, 900), "narrow": (390, 844)}


def start_chromium():
    options = webdriver.ChromeOptions()
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    service = webdriver.ChromeService("/usr/bin/chromedriver", log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options, service)
    driver.set_window_size(*WIDTHS["wide"])
    return driver


class AdminBrowser:
    """Chromium, logged in to the admin of a real server."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url

    def open(self, path):
        """Open a page under /admin/."""
        self.driver.get(f"{self.url}/admin/{path}")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, target):
        """Click an element, or the one with this selector, and wait until its page is gone."""
        element = self.find(target) if isinstance(target, str) else target
        page = self.find("html")
        element.click()
        # While a page is replaced, Chromium may fail on an element instead of calling it stale.
        wait = WebDriverWait(self.driver, 10, ignored_exceptions=[WebDriverException])
        wait.until(staleness_of(page))

    def follow(self, text):
        """Press the link with this text."""
        self.press(self.driver.find_element(By.LINK_TEXT, text))

    @property
    def text(self):
        return self.find("body").text

    def log_in(self, username, password=factories.PASSWORD):
        self.driver.delete_all_cookies()
        self.open("")
        self.find("#id_username").send_keys(username)
        self.find("#id_password").send_keys(password)
        self.press("[type=submit]")

    def take_pictures(self, name):
        """Save pictures of the page in both widths, light and dark, if PICTURES is a folder.

        Asserts that none has to be scrolled sideways, and that no heading lies behind other things.
        """
        for width, size in WIDTHS.items():
            self.driver.set_window_size(*size)
            for scheme in ("light", "dark"):
                feature = {"name": "prefers-color-scheme", "value": scheme}
                self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
                if PICTURES:
                    time.sleep(0.3)  # colours of links change slowly
                    file = Path(PICTURES) / f"{name}-{width}-{scheme}.png"
                    self.driver.save_screenshot(str(file))
            too_wide = "return document.documentElement.scrollWidth > window.innerWidth"
            assert not self.driver.execute_script(too_wide), f"{name} is too wide at {size}"
            tall = [heading.text for heading in self.find_all("h2") if heading.size["height"] > 200]
            assert not tall, f"{name} at {size}"
        self.driver.set_window_size(*WIDTHS["wide"])
