"""The pictures of a product in the admin: in its page, with a form of its own for new files."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import pluralize
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from products.images import MAX_IMAGES, TooManyImages
from products.models import Product, ProductImage
from products.pictures import InvalidPicture
from products.uploads import MAX_UPLOAD_SIZE, UploadHandler
from shopply.api.slots import Busy

PERMISSION = "products.change_product"


class ImageForm(forms.ModelForm):
    position = forms.IntegerField(min_value=1, max_value=MAX_IMAGES)


class ImageInline(admin.TabularInline):
    """The pictures that are there: to describe, to order and to delete."""

    model = ProductImage
    form = ImageForm
    fields = ("preview", "alt", "position")
    readonly_fields = ("preview",)
    extra = 0
    verbose_name_plural = "pictures"

    class Media:
        css = {"all": ["product_images.css"]}  # noqa: RUF012

    @admin.display(description="picture")
    def preview(self, image):
        return format_html(
            '<a href="{}"><img class="product-image" src="{}" alt="{}"></a>',
            *(image.url, image.thumbnail_url, image),
        )

    def has_view_permission(self, request, obj=None):
        return True  # those who see the product

    def has_add_permission(self, request, obj):
        return False  # see ImageUploadMixin

    def has_change_permission(self, request, obj=None):
        return request.user.has_perm(PERMISSION)

    def has_delete_permission(self, request, obj=None):
        return request.user.has_perm(PERMISSION)


def save_images(formset):
    """Save a formset of ImageInline by the verbs of images.

    In the order of the entered positions: each image then stays where it is put.
    """
    formset.save(commit=False)
    for image in formset.deleted_objects:
        image.remove()
    for image, fields in sorted(formset.changed_objects, key=lambda pair: pair[0].position):
        image.change(**{field: getattr(image, field) for field in fields})


class ImageUploadMixin:
    """Adds pictures to a product: several files at once."""

    def get_urls(self):
        view = self.admin_site.admin_view(self.upload_images)
        return [path("<int:pk>/images/", view, name="products_product_images"), *super().get_urls()]

    @method_decorator(csrf_exempt)
    def upload_images(self, request, pk):
        """Accept files in memory, only from staff who may change products: see `import_action`."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        product = get_object_or_404(Product, pk=pk)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_UPLOAD_SIZE:
            message = "The files are over 10 MB together: add some of them later."
            self.message_user(request, message, messages.ERROR)
            return self.return_to(product)
        request.upload_handlers = [UploadHandler(request)]
        return csrf_protect(require_POST(self.add_images))(request, product)

    def add_images(self, request, product):
        added = []
        for file in request.FILES.getlist("images"):
            try:
                added.append(ProductImage.objects.add(product, file.read(), by=request.user))
            except InvalidPicture as exc:
                self.message_user(request, f"{file.name}: {exc}", messages.ERROR)
            except TooManyImages:
                message = f"{file.name}: A product has at most {MAX_IMAGES} pictures."
                self.message_user(request, message, messages.ERROR)
            except Busy as exc:
                self.message_user(request, f"{file.name}: {exc}", messages.ERROR)
        if added:
            message = f"Added {len(added)} picture{pluralize(len(added))}."
            self.log_change(request, product, message)
            self.message_user(request, message, messages.SUCCESS)
        return self.return_to(product)

    def return_to(self, product):
        return redirect("admin:products_product_change", product.pk)
