"""The pictures of products: rows here, their files in Django's default storage."""

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q

from products.db_retry import retry_transaction
from products.managers import find_first
from products.media import save_file
from products.pictures import redraw
from shopply.api.sql import columns, fetch, placeholders, read_clock

MAX_IMAGES = 12  # of a product


class TooManyImages(Exception):
    """The product has MAX_IMAGES pictures."""


class ProductImageManager(models.Manager):
    def add(self, product, content, *, by, alt="", key=None, fingerprint=""):
        """Add the picture of an uploaded file as the last one of the product.

        If the user `by` sent the idempotency `key` before, nothing is added: returns the first
        image, marked `replayed`, if its `fingerprint` is the same.

        Raises InvalidPicture, TooManyImages, IdempotencyKeyReused, Busy, and Product.DoesNotExist
        if the product was deleted in the meantime.
        """
        first = self.added_by(by, key, fingerprint)
        if first:
            return first
        if product.images.count() >= MAX_IMAGES:  # before the work
            raise TooManyImages
        picture = redraw(content)
        save_file(picture)
        image = self.model(
            product=product,
            file=picture.name,
            alt=alt,
            width=picture.width,
            height=picture.height,
            added_by=by,
            idempotency_key=key,
            fingerprint=fingerprint,
        )
        try:
            image.append()
        except (IntegrityError, TooManyImages):
            # Perhaps the same request was made at the same time, and took the key or the place.
            first = self.added_by(by, key, fingerprint)
            if first:
                return first
            raise
        save_file(picture)  # if it was swept before it had a row
        return image

    def load_lists(self, products):
        """Load the `image_list` of each product; no query if none ever had an image.

        By SQL text: the ORM makes the row "product" a third slower.
        """
        lists = {product.pk: [] for product in products if product.image_changes}
        if not lists:
            return
        sql = f"SELECT {columns(self.model)} FROM products_productimage"  # noqa: S608
        where = f"WHERE product_id IN ({placeholders(lists)}) ORDER BY position, id"
        for image in fetch(self.model, f"{sql} {where}", [*lists]):
            lists[image.product_id].append(image)
        for product in products:
            product.image_list = lists.get(product.pk, [])

    def added_by(self, user, key, fingerprint):
        """Return what `find_first` finds, marked `replayed`."""
        image = find_first(self.filter(added_by=user), key, fingerprint)
        if image:
            image.replayed = True
        return image

    def set_thumbnail(self, file, thumbnail):
        """Note the thumbnail of a file with all its images, and report their products as changed.

        Not in their revision: nobody who edits them has to look.
        """
        with transaction.atomic():
            images = self.filter(file=file, thumbnail="")
            products = self.model.product.field.related_model.objects
            ids = sorted({*images.values_list("product_id", flat=True)})
            locked = products.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
            ids = [product.pk for product in locked]
            images.filter(product__in=ids).update(thumbnail=thumbnail)
            products.filter(pk__in=ids).update(
                image_changes=F("image_changes") + 1, modified=read_clock()
            )

    def named_among(self, files):
        """Return those of these files of the storage that any row names, as a set."""
        rows = self.filter(Q(file__in=files) | Q(thumbnail__in=files))
        return {name for row in rows.values_list("file", "thumbnail") for name in row}


class ProductImage(models.Model):
    """A picture of a product. Products can share a file, which is named by its content."""

    product = models.ForeignKey(
        "products.Product", models.CASCADE, related_name="images", db_index=False
    )
    file = models.FileField("picture", editable=False)
    # Empty until `products.tasks.make_thumbnail` has run.
    thumbnail = models.FileField(blank=True, default="", editable=False)
    alt = models.CharField(
        "description",
        max_length=250,
        blank=True,
        help_text="What it shows, for those who do not see it.",
    )
    position = models.PositiveSmallIntegerField(help_text="1 is shown first.")
    width = models.PositiveSmallIntegerField(editable=False, help_text="Pixels.")
    height = models.PositiveSmallIntegerField(editable=False, help_text="Pixels.")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    # Null where the client sent none.
    idempotency_key = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, default="", db_default="", editable=False)

    objects = ProductImageManager()

    replayed = False  # True if this is the first image of an idempotency key, returned again

    class Meta:
        ordering = ("position", "pk")
        default_permissions = ()  # those who may change a product may change its pictures
        indexes = [
            models.Index(fields=("product", "position"), name="product_image_by_position"),
            models.Index(fields=("file",), name="product_image_by_file"),
            models.Index(fields=("thumbnail",), name="product_image_by_thumbnail"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="product_image_idempotency_key_once",
                fields=("added_by", "idempotency_key"),
                condition=Q(idempotency_key__isnull=False),
            ),
            models.CheckConstraint(
                name="product_image_position_in_range",
                condition=Q(position__range=(1, MAX_IMAGES)),
            ),
        ]

    def __str__(self):
        return self.alt or f"Picture {self.position}"

    @property
    def url(self):
        return self.file.url

    @property
    def thumbnail_url(self):
        return (self.thumbnail or self.file).url

    @retry_transaction
    def append(self):
        """Save the new image as the last of its product, whose pictures are then made smaller."""
        from products.tasks import make_thumbnail  # here: it imports this module

        with transaction.atomic():
            ids = self._lock_product()
            if len(ids) >= MAX_IMAGES:
                raise TooManyImages
            self.position = len(ids) + 1
            # Another product may have the thumbnail already.
            same = ProductImage.objects.filter(file=self.file.name).exclude(thumbnail="").first()
            self.thumbnail = same.thumbnail if same else ""
            self.save(force_insert=True)
            self._report_change()
            if not same:
                make_thumbnail.enqueue(self.file.name)

    @retry_transaction
    def change(self, *, alt=None, position=None):
        """Change the description, or move the image to this position among those of its product.

        A position after the last one is that of the last. Raises ProductImage.DoesNotExist if it
        was removed in the meantime.
        """
        with transaction.atomic():
            ids = self._lock_product()
            self.refresh_from_db()
            if alt is not None:
                self.alt = alt
                self.save(update_fields=["alt"])
            if position is not None:
                ids.remove(self.pk)
                ids.insert(position - 1, self.pk)
                self._number(ids)
            self._report_change()
            self.refresh_from_db()

    @retry_transaction
    def remove(self):
        """Delete the image. Its file is swept later, if no other image has it."""
        with transaction.atomic():
            ids = self._lock_product()
            self.refresh_from_db()
            ids.remove(self.pk)
            ProductImage.objects.filter(pk=self.pk).delete()
            self._number(ids)
            self._report_change()

    def _lock_product(self):
        """Return the ids of the product's images in their order, which stays until the end."""
        self.product._lock(no_key=True)
        return [*ProductImage.objects.filter(product=self.product_id).values_list("pk", flat=True)]

    def _number(self, ids):
        for position, pk in enumerate(ids, 1):
            ProductImage.objects.filter(pk=pk).exclude(position=position).update(position=position)

    def _report_change(self):
        """Raise the product's revision. The feed reports `image_changes`, like any other column."""
        type(self.product).objects.filter(pk=self.product_id).update(
            revision=F("revision") + 1,
            image_changes=F("image_changes") + 1,
            modified=read_clock(),
        )
