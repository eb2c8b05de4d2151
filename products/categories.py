"""Categories: the tree by which people browse the catalogue."""

from collections import defaultdict

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import connection, models, transaction
from django.db.models import Case, F, Q, When

from products.db_retry import retry_transaction
from products.managers import RevisionChanged
from shopply.api.permissions import is_allowed
from shopply.api.sql import placeholders, read_clock

MAX_CATEGORIES = 1_000
MAX_LEVELS = 4
MAX_PER_PRODUCT = 20
MAX_POSITION = 1_000_000
SLUG_PATTERN = "^[a-z0-9]+(-[a-z0-9]+)*$"
SLUG_MESSAGE = "Must be small letters and digits, with dashes between them."

SELECT_SLUGS = """
SELECT product_id, category.slug FROM products_product_categories
JOIN products_category AS category ON category.id = category_id
LEFT JOIN products_category AS a ON a.id = category.parent_id
LEFT JOIN products_category AS b ON b.id = a.parent_id
LEFT JOIN products_category AS c ON c.id = b.parent_id
WHERE product_id IN ({ids})
"""
# What `visible_to` says.
VISIBLE = """
AND category.is_active AND coalesce(a.is_active, true) AND coalesce(b.is_active, true)
AND coalesce(c.is_active, true)
"""
COUNT_PRODUCTS = """
WITH pair (above, id) AS (VALUES {pairs})
SELECT above, count(DISTINCT product_id)
FROM pair JOIN products_product_categories ON category_id = pair.id
    JOIN products_product ON products_product.id = product_id AND products_product.is_active
GROUP BY above
"""


def list_tree_order():
    """Yield expressions to order by: position, name and id of the top, then of what is below it.

    A category comes before those below it, of which it has none.
    """
    paths = ["parent__" * steps for steps in reversed(range(MAX_LEVELS))]
    for level in range(MAX_LEVELS):
        for field in ("position", "name", "pk"):
            # By the number of categories above, the path to the one of this level.
            cases = [
                When(**{f"{top}pk__isnull": False}, then=F(f"{path}{field}"))
                for top, path in zip(paths, paths[level:], strict=False)
            ]
            yield Case(*cases).asc(nulls_first=True)


TREE_ORDER = [*list_tree_order()]


def sees_hidden(user):
    """Return whether the user sees inactive categories, and what is below them."""
    return is_allowed(user, "products.view_category")


class CategoryQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Return all for staff; for others those that are active, like all above them."""
        if sees_hidden(user):
            return self
        active, parent = Q(is_active=True), "parent"
        for _ in range(MAX_LEVELS - 1):
            active &= Q((parent, None)) | Q((f"{parent}__is_active", True))
            parent += "__parent"
        return self.filter(active)

    def as_tree(self):
        """Return these categories in the order of the tree, each followed by what is below it.

        Each has its `parent` loaded, and the list `child_list`. They must include all above them.
        """
        children = defaultdict(list)
        for category in self.order_by("position", "name", "pk"):
            children[category.parent_id].append(category)
        return [*walk(children)]

    def as_counted_tree(self):
        """Return the same as `as_tree`; each has its `product_count`, of products for sale."""
        tree = self.as_tree()
        counts = count_products(tree)
        for category in tree:
            category.product_count = counts.get(category.pk, 0)
        return tree

    def ids_within(self, slugs):
        """Return the ids of the categories with these slugs, and of all below them."""
        ids = set()
        for category in self.as_tree():
            if category.slug in slugs or category.parent_id in ids:
                ids.add(category.pk)
        return ids

    def in_tree_order(self):
        """Return the same categories, ordered as in the tree, with all above them loaded."""
        return self.select_related("__".join(["parent"] * (MAX_LEVELS - 1))).order_by(*TREE_ORDER)


def walk(children, parent=None):
    """Yield what is below `parent`, of `{id of the parent: [categories]}`."""
    for category in children.get(parent and parent.pk, ()):
        category.parent = parent
        category.child_list = children.get(category.pk, [])
        yield category
        yield from walk(children, category)


def count_products(tree):
    """Return `{id: how many products are for sale}` for the categories of a tree that have any.

    Products of several categories below one count once for it.
    """
    pairs = [(above.pk, category.pk) for category in tree for above in category.lineage]
    if not pairs:
        return {}
    values = ", ".join(f"({above:d}, {pk:d})" for above, pk in pairs)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_PRODUCTS.format(pairs=values))
        return dict(cursor.fetchall())


class CategoryManager(models.Manager.from_queryset(CategoryQuerySet)):
    def load_slugs(self, products, user):
        """Load the `category_slugs` of each product: those of the categories that the user sees.

        By SQL text: the ORM makes the row "product" four times as slow. See `visible_to`.
        """
        slugs = {product.pk: [] for product in products}
        if not slugs:
            return
        condition = "" if sees_hidden(user) else VISIBLE
        sql = f"{SELECT_SLUGS.format(ids=placeholders(slugs))} {condition} ORDER BY category.slug"
        with connection.cursor() as cursor:
            cursor.execute(sql, [*slugs])
            for pk, slug in cursor.fetchall():
                slugs[pk].append(slug)
        for product in products:
            product.category_slugs = slugs[product.pk]


class Category(models.Model):
    name = models.CharField(max_length=100)
    slug = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(SLUG_PATTERN.replace("$", r"\Z"), SLUG_MESSAGE)],
        help_text="Its name in addresses: small letters, digits and dashes. It never changes.",
    )
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="The category above it; without one, it is at the top.",
    )
    position = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(MAX_POSITION)],
        help_text="Categories with the same one above them are in this order, then by name.",
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="If not, only staff see it and what is below it."
    )
    revision = models.IntegerField(default=1, db_default=1, editable=False)  # counts the changes

    objects = CategoryManager()

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self):
        return self.name

    @property
    def lineage(self):
        """The categories from the top down to this one."""
        return [*self.parent.lineage, self] if self.parent else [self]

    @property
    def path(self):
        """Their names: `Brewing › Filters`."""
        return " › ".join(category.name for category in self.lineage)

    def check_place(self):
        """Raise ValidationError if the category cannot be where it is, or is one too many.

        A trigger guards the same: it decides between two moves at once, this says what is wrong.
        """
        parents = dict(Category.objects.values_list("pk", "parent_id"))
        if self.pk not in parents and len(parents) >= MAX_CATEGORIES:
            message = f"The shop has {MAX_CATEGORIES:,} categories, and no room for more."
            raise ValidationError(message, "too_many_categories")
        parents[self.pk] = self.parent_id
        error = None
        if self.pk and self.pk in climb(parents, self.parent_id):
            error = "A category cannot be below itself.", "circle"
        elif any(len(climb(parents, pk)) > MAX_LEVELS for pk in parents):
            error = f"The tree would have more than {MAX_LEVELS} levels.", "too_many_levels"
        if error:
            raise ValidationError({"parent": ValidationError(*error)})

    def update_fields(self, *, if_revision=None, **changes):
        """Write these fields only, if the category's revision is one of `if_revision`.

        Raises RevisionChanged, and Category.DoesNotExist if it was deleted meanwhile.
        """
        with transaction.atomic():
            self._lock(if_revision, no_key=True)
            Category.objects.filter(pk=self.pk).update(revision=F("revision") + 1, **changes)

    @retry_transaction
    def delete(self, *args, if_revision=None, **kwargs):
        """Delete the category, if its revision is one of `if_revision`; its products stay.

        They lose it, which changes their revisions. Returns what `Model.delete` does. Raises
        RevisionChanged, and ProtectedError if there are categories below it.
        """
        with transaction.atomic():
            self._lock(if_revision)  # no product can join it from now on
            products = self.products.order_by("pk")  # as all lock them
            list(products.select_for_update(no_key=True).values_list("pk"))
            self.products.update(modified=read_clock(), revision=F("revision") + 1)
            return super().delete(*args, **kwargs)

    def _lock(self, if_revision, no_key=False):
        """Lock the row until the transaction ends. Raises RevisionChanged."""
        current = Category.objects.select_for_update(no_key=no_key).get(pk=self.pk)
        if if_revision is not None and current.revision not in if_revision:
            raise RevisionChanged


def climb(parents, pk):
    """Return the ids from `pk` to the top, by `{id: id of the parent}`.

    Those of a chain that is too long, or a circle, stop after MAX_LEVELS + 1.
    """
    chain = [pk]
    while len(chain) <= MAX_LEVELS and parents.get(chain[-1]):
        chain.append(parents[chain[-1]])
    return chain
