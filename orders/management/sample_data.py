"""Realistic products and people for `seed_shop`, each a function of its id, as rows of columns."""

from decimal import Decimal

from orders import addresses
from products.search import normalize
from shopply.api.money import currency_places

FIRST_NAMES = (
    *("Ada", "Bruno", "Clara", "David", "Elin", "Farid", "Greta", "Hugo", "Ines", "Jonas"),
    *("Karin", "Luis", "Mira", "Nils"),
)
LAST_NAMES = (
    *("Berg", "Costa", "Dahl", "Ferrer", "Haas", "Jansen", "Keller", "Lindqvist", "Moreau"),
    *("Novak", "Rossi", "Vogt"),
)
STREETS = ("Harbour Lane", "Mill Road", "Station Street", "Church Hill", "Garden Row")
CITIES = (  # city, state, postal code, country
    ("Hamburg", "", "22763", "Germany"),
    ("Porto", "", "4050-265", "Portugal"),
    ("Aarhus", "", "8000", "Denmark"),
    ("Göteborg", "", "411 16", "Sweden"),
    ("Lyon", "", "69002", "France"),
    ("Portland", "Oregon", "97205", "United States"),
)
PROCESSES = ("Washed", "Natural", "Honey", "Anaerobic", "Decaf")
ORIGINS = (
    *("Ethiopia", "Kenya", "Rwanda", "Burundi", "Tanzania", "Colombia", "Peru", "Brazil"),
    *("Bolivia", "Ecuador", "Guatemala", "Honduras", "Panama", "Mexico", "Nicaragua"),
    *("Costa Rica", "Sumatra", "Java", "India", "Yemen"),
)
FARMS = (
    *("Las Palmas", "Kochere", "San Sebastián", "Gathaithi", "La Loma", "Worka", "Bella Vista"),
    *("El Mirador", "Santa Rosa", "Kirinyaga", "Chelbesa", "Monte Alto", "Rio Verde", "Nyamasheke"),
    *("Los Nogales", "Hacienda Azul", "Halo Beriti", "Buena Luz", "Tres Ríos", "Gayo Atas"),
    *("Cerro Negro", "Finca Aurora", "Alto Palomar", "Baho", "Wolichu"),
)
GRAMS = (250, 500, 1000, 100)
NOTES = (
    *("jasmine", "lemon peel", "black tea", "cocoa", "orange", "toasted almond", "blueberry"),
    *("caramel", "red apple", "plum", "brown sugar", "bergamot", "hazelnut"),
)


def stamp(time):
    """Return the time as Django writes it into SQLite, and PostgreSQL reads it in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


ACCOUNT_COLUMNS = (
    *("id", "username", "password", "email", "first_name", "last_name", "contact_number"),
    *("street_1", "street_2", "city", "state", "postal_code", "country"),
    *("is_active", "is_staff", "is_superuser", "date_joined"),
)
PRODUCT_COLUMNS = (
    *("id", "name", "sku", "price", "description", "quantity_in_stock", "is_active"),
    *("search_text", "created", "modified"),
)


def person(pk):
    return FIRST_NAMES[pk % len(FIRST_NAMES)], LAST_NAMES[pk // 3 % len(LAST_NAMES)]


def address(pk):
    """Return the values of the columns from `contact_number` to `country`."""
    street = f"{STREETS[pk // 7 % len(STREETS)]} {pk % 90 + 1}"
    return (f"+49 40 555{pk % 10_000:04}", street, "", *CITIES[pk // 5 % len(CITIES)])


def postal_address(pk):
    return dict(zip(addresses.PARTS, (" ".join(person(pk)), *address(pk)), strict=True))


def account_row(pk, opened, is_staff=False):
    first, last = person(pk)
    username = f"clerk.{pk}" if is_staff else f"{first}.{last}.{pk}".lower()
    # "!" is an unusable password.
    names = (pk, username, "!", f"{username}@example.com", first, last)
    return (*names, *address(pk), 1, int(is_staff), 0, stamp(opened))


def name_sku_price(pk):
    """Return name, SKU and price of a product."""
    lot, n = divmod(pk, len(GRAMS) * len(FARMS) * len(ORIGINS) * len(PROCESSES))
    n, grams = divmod(n, len(GRAMS))
    n, farm = divmod(n, len(FARMS))
    process, origin = divmod(n, len(ORIGINS))
    grams = GRAMS[grams]
    name = f"{PROCESSES[process]} {ORIGINS[origin]} {FARMS[farm]}, {grams} g"
    letters = (place.replace(" ", "")[:3].upper() for place in (ORIGINS[origin], FARMS[farm]))
    sku = f"{'-'.join(letters)}-{grams}-{pk}"
    price = Decimal(grams * (32 + (origin * 7 + farm * 3 + process * 5) % 40)) / 1000 + 2
    return (
        f"{name}, lot {lot}" if lot else name,
        sku,
        price.quantize(Decimal(1).scaleb(-currency_places())),
    )


def product_row(pk, stock, opened):
    name, sku, price = name_sku_price(pk)
    notes = ", ".join(NOTES[pk * step % len(NOTES)] for step in (1, 5, 8))
    roast = ("Light", "Medium", "Dark")[pk % 3]
    description = f"{roast} roast of whole beans, {notes}."
    retired = pk % 50 == 49
    return (
        pk,
        name,
        sku,
        str(price),
        description,
        stock,
        int(not retired),
        normalize(f"{name}\n{sku}\n{description}"),
        stamp(opened),
        stamp(opened),
    )
